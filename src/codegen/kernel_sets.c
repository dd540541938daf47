#include "src/codegen/kernel_sets.h"

#include <stdio.h>
#include <string.h>

static const char *const none[] = {NULL};
static const char *const x86_avx2[] = {"linear_f32", "linear_i8", NULL};

static const struct kernel_set sets[] = {
	{"", "", none},
	{"x86-avx2", "-mavx2 -mfma", x86_avx2},
};

const struct kernel_set *kernel_set_at(size_t i)
{
	return i < sizeof(sets) / sizeof(sets[0]) ? &sets[i] : NULL;
}

enum err kernel_set_find(
	const char *isa, const struct kernel_set **out, struct err_ctx *ctx)
{
	char known[256] = "";
	size_t n = 0;

	for (size_t i = 0; kernel_set_at(i); i++) {
		if (!strcmp(sets[i].isa, isa)) {
			*out = &sets[i];
			return ERR_OK;
		}
		if (*sets[i].isa && n < sizeof(known))
			n += (size_t)snprintf(known + n, sizeof(known) - n, "%s'%s'",
				n ? ", " : "", sets[i].isa);
	}
	return err_set(ctx, ERR_INVALID, "unknown kernel set '%s', known are %s or none",
		isa, known);
}

int kernel_set_has(const struct kernel_set *set, const char *kernel)
{
	for (size_t i = 0; set->kernels[i]; i++)
		if (!strcmp(set->kernels[i], kernel))
			return 1;
	return 0;
}

enum err kernel_source(const struct kernel_set *set, const char *kernel, char *out,
	size_t cap, struct err_ctx *ctx)
{
	int opt = kernel_set_has(set, kernel);
	int n = snprintf(out, cap, "src/infer/%s%s/%s.c", opt ? "opt/" : "ref",
		opt ? set->isa : "", kernel);

	if (n < 0 || (size_t)n >= cap)
		return err_set(
			ctx, ERR_INVALID, "path of kernel '%s' is too long", kernel);
	return ERR_OK;
}
