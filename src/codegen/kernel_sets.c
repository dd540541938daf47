#include "src/codegen/kernel_sets.h"

#include <stdio.h>
#include <string.h>

#include "src/codegen/codegen.h"
#include "src/codegen/toolchain.h"
#include "src/infer/kernels.h"

static const char *const none[] = {NULL};
static const char *const x86_avx2[] = {"act_gelu", "attention", "attention_dot8",
	"embed_f32", "embed_i4", "embed_i8", "linear_back_f32", "linear_back_i4",
	"linear_back_i8", "linear_f32", "linear_i4", "linear_i8", "norm_ln", "quant_rows",
	NULL};
static const char *const x86_avxvnni[] = {"linear_i4", "linear_i8", NULL};
static const char *const x86_avx512vnni[] = {"act_gelu", "act_quant_rows", "attention",
	"attention_dot8", "attention_f16", "attention_i8", "embed_f32", "embed_i4",
	"embed_i8", "kv_store_f16", "linear_back_f32", "linear_back_i4", "linear_back_i8",
	"linear_f32", "linear_i4", "linear_i4_quant", "linear_i8", "linear_i8_quant",
	"norm_ln", "norm_ln_quant", "norm_ln_quant_static", "norm_rms", "norm_rms_quant",
	"norm_rms_quant_static", "pool_mean", "quant_rows", "quant_rows_static", NULL};

/* Three vectors of sixteen: with eight rows 24 accumulators. */
static const struct kernel_panels panels_48 = {
	.f32 = {48, 16, 1, 0}, .i8 = {48, 16, 4, 128}, .i4 = {48, 16, 8, 8}};

static const struct kernel_panels panels_16 = {
	.f32 = {16, 8, 1, 0}, .i8 = {16, 8, 4, 0}, .i4 = {16, 8, 8, 8}};

static const char *const arm64_neon[] = {"act_gelu", "add", "attention", "attention_dot8",
	"embed_f32", "embed_i4", "embed_i8", "linear_back_f32", "linear_back_i4",
	"linear_back_i8", "linear_f32", "linear_i4", "linear_i8", "norm_ln", "norm_rms",
	"pool_mean", "quant_rows", NULL};
static const char *const arm64_products[] = {"linear_i4", "linear_i8", NULL};

/* A column's 16 int8, or a group of int4, are one vector. */
static const struct kernel_panels panels_neon = {
	.f32 = {16, 8, 1, 0}, .i8 = {16, 8, 16, 0}, .i4 = {16, 8, 32, 0}};
static const struct kernel_panels panels_neon_8 = {
	.f32 = {8, 8, 1, 0}, .i8 = {8, 8, 16, 0}, .i4 = {8, 8, 32, 0}};
static const struct kernel_panels panels_sdot = {
	.f32 = {16, 8, 1, 0}, .i8 = {16, 8, 4, 0}, .i4 = {16, 8, 8, 0}};
static const struct kernel_panels panels_smmla = {
	.f32 = {16, 8, 1, 0}, .i8 = {16, 8, 8, 0}, .i4 = {16, 8, 16, 0}};

static const char *const armv81m_mve[] = {"act_gelu", "add", "attention",
	"attention_dot8", "attention_f16", "attention_i8", "embed_f32", "embed_i4",
	"embed_i8", "linear_back_f32", "linear_back_i4", "linear_back_i8", "linear_f32",
	"linear_i4", "linear_i8", "norm_ln", "norm_rms", "pool_mean", "quant_rows",
	"quant_rows_static", NULL};
/* A column's 16 int8, or a group of int4, are one vector. */
static const struct kernel_panels panels_mve = {
	.f32 = {4, 4, 1, 0}, .i8 = {4, 4, 16, 0}, .i4 = {4, 4, 32, 0}};

/* Rows of whole words; the set's SXTB16 takes columns as they come. */
static const char *const cortexm_dsp[] = {"act_quant_rows", "attention", "embed_i4",
	"embed_i8", "linear_back_i4", "linear_back_i8", "linear_i4", "linear_i8",
	"norm_ln", "norm_ln_quant", "norm_rms", "norm_rms_quant", "quant_rows", NULL};
static const struct kernel_panels panels_rows = {
	.f32 = {1, 1, 1, 0}, .i8 = {1, 1, 8, 0}, .i4 = {1, 1, 8, 0}};

/* -O3 comes after the candidate's own level: these files are written for it. */
static const struct kernel_set sets[] = {
	{.isa = "", .cflags = "", .kernels = none, .macros = ""},
	{.isa = "x86-avx2",
		.cflags = "-mavx2 -mfma -O3",
		.kernels = x86_avx2,
		.panels = &panels_16,
		.fuses = FUSES_ACT | FUSES_QKV,
		.macros = "__AVX2__ __FMA__",
		.attention_rows = 6},
	{.isa = "x86-avxvnni",
		.base = "x86-avx2",
		.cflags = "-mavx2 -mfma -mavxvnni -O3",
		.kernels = x86_avxvnni,
		.panels = &panels_16,
		.fuses = FUSES_ACT | FUSES_QKV,
		.macros = "__AVX2__ __FMA__ __AVXVNNI__",
		.attention_rows = 6},
	{.isa = "x86-avx512vnni",
		.cflags = "-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma "
			  "-O3 -mprefer-vector-width=512",
		.kernels = x86_avx512vnni,
		.panels = &panels_48,
		.fuses = FUSES_ACT | FUSES_QKV | FUSES_QUANT | FUSES_STATIC,
		.macros = "__AVX512F__ __AVX512BW__ __AVX512VL__ __AVX512DQ__ "
			  "__AVX512VNNI__",
		.attention_rows = 8,
		.schedules = {4, 4, 2}},
	{.isa = "arm64-neon",
		.cflags = "-O3 -fno-schedule-insns",
		.kernels = arm64_neon,
		.panels = &panels_neon,
		.fuses = FUSES_ACT | FUSES_QKV,
		.macros = "__aarch64__ __ARM_NEON",
		.attention_rows = 4},
	{.isa = "arm64-dotprod",
		.base = "arm64-neon",
		.cflags = "-march=armv8.2-a+dotprod -DPANEL_STEP_I8=4 -DPANEL_STEP_I4=8 "
			  "-O3 -fno-schedule-insns",
		.kernels = arm64_products,
		.panels = &panels_sdot,
		.fuses = FUSES_ACT | FUSES_QKV,
		.macros = "__aarch64__ __ARM_NEON __ARM_FEATURE_DOTPROD",
		.attention_rows = 4},
	{.isa = "arm64-i8mm",
		.base = "arm64-neon",
		.cflags = "-march=armv8.2-a+dotprod+i8mm -DPANEL_STEP_I8=8 "
			  "-DPANEL_STEP_I4=16 -O3 -fno-schedule-insns",
		.kernels = arm64_products,
		.panels = &panels_smmla,
		.fuses = FUSES_ACT | FUSES_QKV,
		.macros = "__aarch64__ __ARM_NEON __ARM_FEATURE_MATMUL_INT8",
		.attention_rows = 4},
	/* Before armhf-neon, whose processors mostly have this too. */
	{.isa = "cortexm-dsp",
		.cflags = "-O2 -fno-schedule-insns",
		.kernels = cortexm_dsp,
		.panels = &panels_rows,
		.fuses = FUSES_QUANT,
		.block_rows = 4,
		.macros = "__arm__ __thumb2__ __ARM_FEATURE_DSP __ARM_FEATURE_FMA"},
	/* For small code; half the registers, so panels of half the width. */
	{.isa = "armhf-neon",
		.base = "arm64-neon",
		.cflags = "-mfpu=neon-vfpv4 -DPANEL_WIDTH=8 -O2",
		.kernels = none,
		.panels = &panels_neon_8,
		.fuses = FUSES_ACT | FUSES_QKV,
		.macros = "__arm__ __ARM_NEON __ARM_FEATURE_FMA",
		.attention_rows = 4},
	{.isa = "armv81m-mve",
		.cflags = "-O2 -fno-schedule-insns",
		.kernels = armv81m_mve,
		.panels = &panels_mve,
		.fuses = FUSES_ACT,
		.block_rows = 4,
		.macros = "__arm__ __ARM_FEATURE_MVE=3",
		.attention_rows = 4,
		.attention_in_place = 1},
};

/* Integers go from product to product: nothing between them is left as it is. */
static const struct kernel_set integer = {
	.isa = "", .cflags = "", .kernels = none, .fuses = FUSES_STATIC, .macros = ""};

const struct kernel_set *kernel_set_integer(void)
{
	return &integer;
}

const char *const kernel_schedule_names[N_SCHEDULES] = {"even", "full", "rows", "low"};

int kernel_set_schedules(const struct kernel_set *set, int bits)
{
	const struct kernel_schedules *s = &set->schedules;

	return bits == 32 ? s->f32 : bits == 8 ? s->i8 : s->i4;
}

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
	return err_set(ctx, ERR_INVALID,
		"unknown kernel set '%s', known are %s, 'auto' or none", isa, known);
}

/* "#define __AVX2__ 1" for each of the blank-separated names, "NAME=VALUE" to the letter. */
static int defines_all(const char *text, const char *macros)
{
	while (*macros) {
		char line[80];
		size_t len = strcspn(macros, " "), name = strcspn(macros, " =");
		size_t value = len > name ? len - name - 1 : 0;

		snprintf(line, sizeof(line), "#define %.*s %.*s%s", (int)name, macros,
			(int)value, macros + len - value, value ? "\n" : "");
		if (!strstr(text, line))
			return 0;
		macros += len;
		macros += *macros == ' ';
	}
	return 1;
}

enum err kernel_set_choose(const char *isa, const char *cc, const char *cflags,
	const struct kernel_set **out, struct err_ctx *ctx)
{
	char version[256];
	struct buf text;
	enum err e;

	if (strcmp(isa, "auto"))
		return kernel_set_find(isa, out, ctx);
	*out = &sets[0];
	if (!strcmp(cc, "none"))
		return ERR_OK;
	buf_init(&text);
	e = toolchain_macros(cc, cflags, &text, ctx);
	if (e == ERR_TOOL) /* is it there at all? */
		codegen_probe_compiler(cc, version, sizeof(version), ctx);
	for (size_t i = 0; kernel_set_at(i) && !e; i++)
		if (defines_all(buf_str(&text), sets[i].macros))
			*out = &sets[i];
	buf_release(&text);
	return e;
}

const struct kernel_set *kernel_set_base(const struct kernel_set *set)
{
	for (size_t i = 0; set->base && kernel_set_at(i); i++)
		if (!strcmp(sets[i].isa, set->base))
			return &sets[i];
	return NULL;
}

/* The set, or its base, that has a file for the kernel. */
static const struct kernel_set *owner(const struct kernel_set *set, const char *kernel)
{
	for (; set; set = kernel_set_base(set))
		for (size_t i = 0; set->kernels[i]; i++)
			if (!strcmp(set->kernels[i], kernel))
				return set;
	return NULL;
}

int kernel_set_has(const struct kernel_set *set, const char *kernel)
{
	return owner(set, kernel) != NULL;
}

enum err kernel_source(const struct kernel_set *set, const char *kernel, char *out,
	size_t cap, struct err_ctx *ctx)
{
	const struct kernel_set *from = owner(set, kernel);
	const char *folder = strncmp(kernel, "int_", 4) ? "ref" : "integer";
	int n = snprintf(out, cap, "src/infer/%s%s/%s.c", from ? "opt/" : folder,
		from ? from->isa : "", kernel);

	if (n < 0 || (size_t)n >= cap)
		return err_set(
			ctx, ERR_INVALID, "path of kernel '%s' is too long", kernel);
	return ERR_OK;
}
