#include "src/eval/target_flags.h"

#include <stddef.h>

#include "src/codegen/toolchain.h"

enum err target_flags_find(const struct cpu_arch *arch, const char *cc,
	const char *description, struct target_flags *out, struct err_ctx *ctx)
{
	const struct cpu_arch_level *l = NULL;
	struct target_flags f = {NULL, NULL};
	enum err e = ERR_TOOL;

	while (e == ERR_TOOL && (l = cpu_arch_level_after(arch, l, description))) {
		struct buf macros;

		buf_init(&macros);
		e = toolchain_macros(cc, l->cflags, &macros, ctx);
		buf_release(&macros);
		if (e == ERR_TOOL && !f.refused)
			f.refused = l->cflags;
		f.cflags = l->cflags;
	}
	if (!e)
		*out = f;
	return e;
}
