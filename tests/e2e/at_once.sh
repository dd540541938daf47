#!/bin/bash
# What every device of a job does for itself, at its beginning and its end, all do at once: a
# gate before each shows that both are at a step before either may take it. And answers that a
# device gave before the controller was killed are not asked for again.
set -u
. tests/e2e/tap
pid=
trap 'kill -9 ${pid:-} 2>/dev/null; rm -rf "$DIR"' EXIT

check 'the gate compiles' "${CC:-gcc}" -std=c11 -D_GNU_SOURCE -I. -O1 tests/e2e/gate.c \
	devices/proto/frame.c devices/proto/crc32.c devices/proto/message.c -o "$DIR/gate"
# Two devices that are this machine, with other builds for the second.
devices=$XDG_CONFIG_HOME/hawser/devices
mkdir -p "$devices"
sed 's/^sensor:.*/sensor: auto/' devices/profiles/local.yaml >"$devices/one.yaml"
sed 's/^sensor:.*/sensor: none/; s/^cflags:.*/& -DTWO/' devices/profiles/local.yaml >"$devices/two.yaml"
agent=${HAWSER_AGENT:-$(dirname "$HAWSER")/hawser-agent}
cat >"$DIR/agent" <<END
#!/bin/sh
name=one
case "\$*" in *--sensor\ none*) name=two ;; esac
export HAWSER_AGENT_CACHE="$DIR/cache-\$name"
echo "\$name open" >>"$DIR/log"
while [ -e "$DIR/hold.open.\$name" ]; do sleep 0.05; done
exec "$DIR/gate" \$name "$DIR" "$agent" "\$@"
END
chmod 755 "$DIR/agent"
export HAWSER_AGENT=$DIR/agent

tiny_space opt '[32, 8, 4]'
job() { # job NAME LINE...
	name=$1
	shift
	cat >"$DIR/$name.yaml" <<END
job: $name
data: "builtin:home?n=600"
space: $DIR/tiny.yaml
objectives: [slot_f1, latency_us@one, latency_us@two]
search: {initial: 4, batch: 2, population: 8, evolve: 2, refine: 2}
stop: {candidates: 4}
supernet: {epochs: 1}
measure: {min_processes: 2, max_processes: 2, precision: 0.5, samples: 5, warmup: 1}
END
	printf '%s\n' "$@" >>"$DIR/$name.yaml"
}
hold() { # hold MODE...
	: >"$DIR/log"
	for mode in "$@"; do touch "$DIR/hold.$mode.one" "$DIR/hold.$mode.two"; done
}
free() { # free MODE DEVICE...
	mode=$1
	shift
	for name in "$@"; do rm "$DIR/hold.$mode.$name"; done
}
asked() { # asked DEVICE MODES: the device was, since the last hold
	grep -Eqs "^$1 ($2)\$" "$DIR/log"
}
both() { # both MODES
	asked one "$1" && asked two "$1"
}
start() { # start JOB
	"$HAWSER" search "$DIR/$1.yaml" >"$DIR/$1.log" 2>&1 &
	pid=$!
}
ended() {
	! kill -0 $pid 2>/dev/null
}
ends() { # ends NAME
	if wait $pid; then ok "$1"; else not_ok "$1" "exit code $?"; fi
	pid=
}

# ---- opening, health checks, tuning
job tuned 'tune: yes' 'final: {candidates: 0}'
hold open golden time eval
start tuned
await 600 both open
check 'all devices are opened at once' both open
free open one two
await 600 both 'golden|time'
check 'and checked at once' both 'golden|time'
free golden one two
free time one two
tuning() {
	both eval || ended
}
await 1200 tuning
if ended; then
	skip 'they tune at once' "this machine's kernels have no competing schedules"
else
	check 'they tune at once' both eval
	check 'before anything is measured' "$HAWSER" status tuned
	prints 'of it' ' 0 measurements' out
fi
free eval one two
ends 'the job goes on to its end'

# ---- the finalists' answers
job final 'final: {candidates: 2, seeds: 1, epochs: 1}'
finalists() {
	"$HAWSER" front final --csv | awk -F , '$3 == 1 { print $1 }'
}
answers() { # answers DEVICE: how many finalists it has answered for
	for c in $(finalists); do
		"$HAWSER" show "$c" --job final --json
	done | grep -c '"metric": "slot_f1", "method": "device".*"device": "'"$1"'"}'
}
has_answered() { # has_answered DEVICE N
	[ "$(answers "$1")" -eq "$2" ]
}
hold eval
start final
await 1200 both eval
check 'all devices answer the test split at once' both eval
n=$(finalists | wc -l)
check 'there are finalists' test "$n" -ge 1
check 'nothing is answered yet' has_answered one 0
free eval one
await 600 has_answered one "$n"
check 'one that is fast does not wait for another' has_answered one "$n"
check 'which has said nothing yet' has_answered two 0
kill -9 $pid
wait $pid 2>/dev/null
pid=
hold
free eval two
check 'the job goes on after kill -9' "$HAWSER" search "$DIR/final.yaml"
prints 'only one device is asked' "^checking answers: $n of $n test splits answered on two " err
check 'its answers are there' has_answered two "$n"
exits 'and none is asked for twice' 1 asked one eval
check 'the same job again' "$HAWSER" search "$DIR/final.yaml"
exits 'asks nobody' 1 grep -q '^checking answers' "$DIR/err"
finish
