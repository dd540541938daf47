/* The compiler flags that fit a device: the best level of its kind of machine that both
 * the processor and the compiler know.
 */
#ifndef HAWSER_EVAL_TARGET_FLAGS_H
#define HAWSER_EVAL_TARGET_FLAGS_H

#include "devices/cpu_arch.h"

struct target_flags {
	const char *cflags;
	const char
		*refused; /* of the best level that the compiler does not know, or NULL */
};

/* `cc` is asked, so it has to be there. ERR_TOOL when it takes no level at all. */
enum err target_flags_find(const struct cpu_arch *arch, const char *cc,
	const char *description, struct target_flags *out, struct err_ctx *ctx);

#endif
