/* The kernels of every set of this machine's family, under the names that the Makefile (or,
 * for Arm, tests/unit/cross.h) compiles them by, and which of them run here. */
#ifndef HAWSER_TESTS_UNIT_INFER_SETS_H
#define HAWSER_TESTS_UNIT_INFER_SETS_H

#include <stdint.h>
#include <string.h>

#include "src/infer/kernels.h"

typedef void linear_fn(const struct linear *l, uint32_t n, const int8_t *x,
	const float *x_scale, const float *add, float *y);
typedef void linear_f32_fn(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y);
typedef void embed_fn(
	const struct linear *table, uint32_t n, const int32_t *ids, float *y);
typedef void back_fn(const struct linear *l, const float *x, float *y);
typedef void quant_fn(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale);
typedef void static_quant_fn(
	uint32_t n, uint32_t d, float inverse, const float *x, int8_t *q);
typedef void ln_fn(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y);
typedef void rms_fn(uint32_t n, uint32_t d, const float *x, const float *gain, float *y);
typedef void act_fn(uint32_t n, float *x);
typedef void mean_fn(uint32_t n, uint32_t d, const float *x, float *y);
typedef void attention_fn(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data);

typedef void act_quant_fn(
	uint32_t n, uint32_t d, uint8_t act, float *x, int8_t *q, float *scale);
typedef void ln_quant_fn(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, int8_t *q, float *scale);
typedef void rms_quant_fn(uint32_t n, uint32_t d, const float *x, const float *gain,
	float *y, int8_t *q, float *scale);

/* NULL: the set takes the portable one, or its base's. */
struct kernels {
	const char *isa;
	const char *needs; /* of the processor, where that is not what the set needs */
	linear_f32_fn *f32;
	linear_fn *i8, *i4;
	embed_fn *embed[3];
	back_fn *back[3];
	quant_fn *quant;
	static_quant_fn *static_quant; /* of FUSES_STATIC: test_infer_static.c */
	ln_fn *ln;
	rms_fn *rms;
	act_fn *gelu;
	attention_fn *attention;
	mean_fn *mean;
	act_quant_fn *act_quant; /* and so the two below */
	ln_quant_fn *ln_quant;
	rms_quant_fn *rms_quant;
};

#define DECLARE(set)                                                                     \
	linear_f32_fn set##_linear_f32;                                                  \
	linear_fn set##_linear_i8, set##_linear_i4;                                      \
	embed_fn set##_embed_f32, set##_embed_i8, set##_embed_i4;                        \
	back_fn set##_linear_back_f32, set##_linear_back_i8, set##_linear_back_i4;       \
	quant_fn set##_quant_rows
#define COMMON(set)                                                                      \
	.f32 = set##_linear_f32, .i8 = set##_linear_i8, .i4 = set##_linear_i4,           \
	.embed = {set##_embed_f32, set##_embed_i8, set##_embed_i4},                      \
	.back = {set##_linear_back_f32, set##_linear_back_i8, set##_linear_back_i4},     \
	.quant = set##_quant_rows

#if defined(__x86_64__)
DECLARE(x86_avx2);
DECLARE(x86_avx512vnni);
ln_fn x86_avx2_norm_ln, x86_avx512vnni_norm_ln;
rms_fn x86_avx512vnni_norm_rms;
act_fn x86_avx2_act_gelu, x86_avx512vnni_act_gelu;
attention_fn x86_avx2_attention, x86_avx512vnni_attention;
mean_fn x86_avx512vnni_pool_mean;
act_quant_fn x86_avx512vnni_act_quant_rows;
ln_quant_fn x86_avx512vnni_norm_ln_quant;
rms_quant_fn x86_avx512vnni_norm_rms_quant;
linear_fn x86_avxvnni_linear_i8, x86_avxvnni_linear_i4;
linear_fn x86_avxvnni_evex_linear_i8, x86_avxvnni_evex_linear_i4;

static const struct kernels all[] = {
	{.isa = "x86-avx2",
		COMMON(x86_avx2),
		.ln = x86_avx2_norm_ln,
		.gelu = x86_avx2_act_gelu,
		.attention = x86_avx2_attention},
	{.isa = "x86-avxvnni", .i8 = x86_avxvnni_linear_i8, .i4 = x86_avxvnni_linear_i4},
	/* the same source where only the other encoding is to be had */
	{.isa = "x86-avxvnni",
		.needs = "avx512vnni",
		.i8 = x86_avxvnni_evex_linear_i8,
		.i4 = x86_avxvnni_evex_linear_i4},
	{.isa = "x86-avx512vnni",
		COMMON(x86_avx512vnni),
		.ln = x86_avx512vnni_norm_ln,
		.rms = x86_avx512vnni_norm_rms,
		.gelu = x86_avx512vnni_act_gelu,
		.attention = x86_avx512vnni_attention,
		.mean = x86_avx512vnni_pool_mean,
		.act_quant = x86_avx512vnni_act_quant_rows,
		.ln_quant = x86_avx512vnni_norm_ln_quant,
		.rms_quant = x86_avx512vnni_norm_rms_quant},
	{.isa = NULL},
};

static int runs_here(const struct kernels *k)
{
	if (!strcmp(k->isa, "x86-avx2"))
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (!strcmp(k->isa, "x86-avxvnni") && !k->needs)
		return __builtin_cpu_supports("avxvnni");
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
#elif defined(TEST_CROSS)
#define DECLARE_ARM(set)                                                                 \
	DECLARE(set);                                                                    \
	ln_fn set##_norm_ln;                                                             \
	rms_fn set##_norm_rms;                                                           \
	act_fn set##_act_gelu;                                                           \
	attention_fn set##_attention;                                                    \
	mean_fn set##_pool_mean
#define ARM_KERNELS(name, set)                                                           \
	.isa = name, COMMON(set), .ln = set##_norm_ln, .rms = set##_norm_rms,            \
	.gelu = set##_act_gelu, .attention = set##_attention, .mean = set##_pool_mean
#define ARM(name, set)                                                                   \
	{                                                                                \
		ARM_KERNELS(name, set)                                                   \
	}
#ifdef __aarch64__
DECLARE_ARM(arm64_neon);
DECLARE_ARM(arm64_dotprod);
DECLARE_ARM(arm64_i8mm);
#elif defined(__ARM_FEATURE_MVE)
DECLARE_ARM(armv81m_mve);
static_quant_fn armv81m_mve_quant_rows_static;
#elif !defined(TEST_CORTEXM)
DECLARE_ARM(armhf_neon);
#else
linear_fn cortexm_dsp_linear_i8, cortexm_dsp_linear_i4;
embed_fn cortexm_dsp_embed_i8, cortexm_dsp_embed_i4;
back_fn cortexm_dsp_linear_back_i8, cortexm_dsp_linear_back_i4;
quant_fn cortexm_dsp_quant_rows;
attention_fn cortexm_dsp_attention;
ln_fn cortexm_dsp_norm_ln;
rms_fn cortexm_dsp_norm_rms;
act_quant_fn cortexm_dsp_act_quant_rows;
ln_quant_fn cortexm_dsp_norm_ln_quant;
rms_quant_fn cortexm_dsp_norm_rms_quant;
#endif

static const struct kernels all[] = {
#ifdef __aarch64__
	ARM("arm64-neon", arm64_neon),
	ARM("arm64-dotprod", arm64_dotprod),
	ARM("arm64-i8mm", arm64_i8mm),
#elif defined(__ARM_FEATURE_MVE)
	{ARM_KERNELS("armv81m-mve", armv81m_mve),
		.static_quant = armv81m_mve_quant_rows_static},
#elif !defined(TEST_CORTEXM)
	ARM("armhf-neon", armhf_neon),
#else
	{.isa = "cortexm-dsp",
		.i8 = cortexm_dsp_linear_i8,
		.i4 = cortexm_dsp_linear_i4,
		.embed = {embed_f32, cortexm_dsp_embed_i8, cortexm_dsp_embed_i4},
		.back = {linear_back_f32, cortexm_dsp_linear_back_i8,
			cortexm_dsp_linear_back_i4},
		.quant = cortexm_dsp_quant_rows,
		.attention = cortexm_dsp_attention,
		.ln = cortexm_dsp_norm_ln,
		.rms = cortexm_dsp_norm_rms,
		.act_quant = cortexm_dsp_act_quant_rows,
		.ln_quant = cortexm_dsp_norm_ln_quant,
		.rms_quant = cortexm_dsp_norm_rms_quant},
#endif
	{.isa = NULL},
};

/* The emulated processor has everything. */
static int runs_here(const struct kernels *k)
{
	(void)k;
	return 1;
}
#else
static const struct kernels all[] = {{.isa = NULL}};

static int runs_here(const struct kernels *k)
{
	(void)k;
	return 0;
}
#endif

/* The next set that runs here; prints what is skipped. Starts with NULL. */
static const struct kernels *next_set(const struct kernels *k)
{
	for (k = k ? k + 1 : all; k->isa; k++) {
		if (runs_here(k))
			return k;
		print_message(
			"SKIP: this processor is no %s\n", k->needs ? k->needs : k->isa);
	}
	return NULL;
}

#endif
