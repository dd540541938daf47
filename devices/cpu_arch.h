/* The kinds of machine that Hawser builds for, as data: how an agent's description names
 * them, whose compiler makes their programs, which flags fit which features, and how their
 * programs are told from others.
 *
 * Threads: constant data.
 */
#ifndef HAWSER_DEVICES_CPU_ARCH_H
#define HAWSER_DEVICES_CPU_ARCH_H

#include <stddef.h>

#include "src/base/err.h"

struct cpu_arch_level {
	const char
		*features; /* blank-separated, of the description's line; all of them */
	const char *cflags;
};

struct cpu_arch {
	const char *name;     /* its agent is hawser-agent-NAME */
	const char *machines; /* as `uname -m` calls them, blank-separated */
	const char *cc;	      /* where it is another machine's */
	const char *packages; /* Debian's, for that compiler */
	unsigned elf[2];      /* e_machine of what it runs; 0: no second kind */
	const struct cpu_arch_level *levels; /* best first; the last needs nothing */
};

/* By `uname -m`; NULL when there is none. */
const struct cpu_arch *cpu_arch_find(const char *machine);
/* Is it this machine's kind? Its compiler is then plain gcc. */
int cpu_arch_is_native(const struct cpu_arch *t);
/* The value of a "key: value" line, or "". */
void cpu_arch_line(const char *description, const char *key, char *out, size_t cap);
/* The best level whose features the description has, and the next best after `last`; NULL
 * after the one that needs nothing. */
const struct cpu_arch_level *cpu_arch_level_after(const struct cpu_arch *t,
	const struct cpu_arch_level *last, const char *description);
/* ERR_UNSUPPORTED when `image` is a program for another kind of machine than the one
 * described, or was allowed instructions that it does not report (a board's flat image as
 * well); anything else passes, the device has the last word. */
enum err cpu_arch_check_image(
	const char *description, const void *image, size_t len, struct err_ctx *ctx);

#endif
