#!/bin/sh
# The lint has to find what it says it finds: each rule against a small tree that breaks it,
# and a tree that breaks none.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
tree=$(mktemp -d "${TMPDIR:-/tmp}/hawser-lint-test.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
status=0

put() { # FILE, text on stdin
	mkdir -p "$(dirname "$tree/$1")"
	cat >"$tree/$1"
}

header() { # FILE GUARD
	printf '/* A header. */\n#ifndef %s\n#define %s\n#endif\n' "$2" "$2" | put "$1"
}

# NAME EXPECTED: the lint must fail and print a line that begins with EXPECTED.
must_find() {
	out=$("$here/check.sh" "$tree")
	code=$?
	if [ $code -ne 0 ] && printf '%s\n' "$out" | grep -q "^$2"; then
		echo "ok - lint finds $1"
	else
		printf '%s\n' "$out" | sed 's/^ok/# ok/; s/^not ok/# not ok/'
		echo "not ok - lint finds $1 (wanted '$2', exit code $code)"
		status=1
	fi
}

good_tree() {
	rm -rf "$tree"
	mkdir -p "$tree"
	header src/base/err.h HAWSER_BASE_ERR_H
	header src/model/genome.h HAWSER_MODEL_GENOME_H
	header src/store/store.h HAWSER_STORE_STORE_H
	header src/infer/tokenise.h HAWSER_INFER_TOKENISE_H
	header src/infer/kernels.h HAWSER_INFER_KERNELS_H
	header devices/device.h HAWSER_DEVICES_DEVICE_H
	header devices/proto/frame.h HAWSER_DEVICES_PROTO_FRAME_H
	header devices/agent/agent.h HAWSER_DEVICES_AGENT_AGENT_H
	put src/train/train.c <<'END'
#include "src/infer/tokenise.h"

#include <cblas.h>

/* fork() in a comment, and a string: */
const char *s = "system(\"x\") // \
";
END
	put devices/agent/agent.c <<'END'
#include "devices/agent/agent.h"
#include "devices/proto/frame.h"
#include "src/infer/kernels.h"

int run(void)
{
	return fork();
}
END
}

good_tree
if out=$("$here/check.sh" "$tree"); then
	echo "ok - lint passes a clean tree"
else
	printf '%s\n' "$out" | sed 's/^/# /'
	echo "not ok - lint passes a clean tree"
	status=1
fi

# NAME EXPECTED FILE, the file's text on stdin, in an otherwise clean tree.
breaks() {
	good_tree
	put "$3"
	must_find "$1" "$2"
}

breaks 'a store include in src/model' 'src/model/a.c:2: include table: ' src/model/a.c <<'END'
#include "src/base/err.h"
#include "src/store/store.h"
END
breaks 'anything of ours in src/base' 'src/base/a.c:1: include table: ' src/base/a.c <<'END'
#include "src/model/genome.h"
END
breaks 'kernels in src/train' 'src/train/a.c:1: include table: ' src/train/a.c <<'END'
#include "src/infer/kernels.h"
END
breaks 'the agent in devices' 'devices/local.c:1: include table: ' devices/local.c <<'END'
#include "devices/agent/agent.h"
END
breaks 'the host in the agent' 'devices/agent/a.c:1: include table: ' devices/agent/a.c <<'END'
#include "src/base/err.h"
END
breaks 'devices in search' 'search/a.c:1: include table: ' search/a.c <<'END'
#include "devices/device.h"
END
breaks 'an include that does not exist' 'search/a.c:1: include path: ' search/a.c <<'END'
#include "pareto.h"
END
breaks 'sqlite outside the store' 'src/report/a.c:1: library: <sqlite3.h>' src/report/a.c <<'END'
#include <sqlite3.h>
END
breaks 'cblas outside training' 'src/eval/a.c:1: library: <cblas.h>' src/eval/a.c <<'END'
#include <cblas.h>
END
breaks 'termios outside the transports' 'src/cli/a.c:1: library: <termios.h>' src/cli/a.c <<'END'
#include <termios.h>
END
breaks 'a host library in the agent' 'devices/agent/a.c:1: library: <sodium.h>' devices/agent/a.c <<'END'
#include <sodium.h>
END
breaks 'stdio in the core' 'src/infer/a.c:1: library: <stdio.h>' src/infer/a.c <<'END'
#include <stdio.h>
END
breaks 'a process started by the store' 'src/store/a.c:3: process: ' src/store/a.c <<'END'
int f(void)
{
	return system("ls");
}
END
breaks 'the wall clock in an agent' 'devices/agent/a.c:1: clock: ' devices/agent/a.c <<'END'
long f(void) { return time(0); }
END
breaks 'the wall clock in measuring' 'src/measure/a.c:1: clock: ' src/measure/a.c <<'END'
int f(struct timespec *t) { return clock_gettime(CLOCK_REALTIME, t); }
END
breaks 'execvp in search' 'search/a.c:1: process: ' search/a.c <<'END'
int f(char **a) { return execvp(a[0], a); }
END
breaks 'a header without a guard' 'src/base/a.h:1: header guard: ' src/base/a.h <<'END'
/* Purpose. */
int a;
END
breaks 'a guard used twice' 'src/model/genome.h:1: header guard: HAWSER_BASE_ERR_H' src/model/genome.h <<'END'
/* Purpose. */
#ifndef HAWSER_BASE_ERR_H
#define HAWSER_BASE_ERR_H
#endif
END
breaks 'a header without a comment' 'src/base/a.h:1: header comment: ' src/base/a.h <<'END'
#ifndef HAWSER_BASE_A_H
#define HAWSER_BASE_A_H
#endif
END
printf 'int a;\n        int b;\n' | breaks 'spaces for tabs' 'src/base/a.c:2: whitespace: ' src/base/a.c
printf 'int a; \n' | breaks 'trailing blanks' 'src/base/a.c:1: whitespace: ' src/base/a.c
printf 'int  \ta;\n' | breaks 'a space before a tab' 'src/base/a.c:1: whitespace: ' src/base/a.c
awk 'BEGIN { for (i = 0; i < 801; i++) print "int a" i ";" }' |
	breaks 'a file over 800 lines' 'src/base/a.c:801: file size: ' src/base/a.c
awk 'BEGIN { for (i = 0; i < 61; i++) print "x" }' |
	breaks 'a long folder README' 'src/base/README.md:61: readme size: ' src/base/README.md
echo x | breaks 'a stray folder' 'docs/x.txt:1: top level: ' docs/x.txt
echo x | breaks 'a stray file' 'notes.txt:1: top level: ' notes.txt
printf 'see /%s/main\n' work | breaks 'a machine path' 'search/x.yaml:1: machine path: ' search/x.yaml
exit $status
