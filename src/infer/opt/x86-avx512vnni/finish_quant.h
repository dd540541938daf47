/* How the products that quantise finish a tile: its sums come through memory (L1), so that
 * activation and rounding are there once a width and not once a size.
 *
 * Factors are taken together: GELU's pieces are those of inverse * gelu and ask for steps,
 * without GELU or SiLU the sums' scale holds the inverse. Rounding is to even, which is
 * within the errors before it. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_FINISH_QUANT_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_FINISH_QUANT_H

#include "src/infer/opt/x86-avx512vnni/quantise.h"
#include "src/infer/opt/x86-avx512vnni/tile.h"

struct quantiser {
	const struct linear *l;
	int8_t *q;
	float scale, bias_scale; /* of sums and bias, to what the activation asks for */
	float inverse, lowest;	 /* of the integers: 0 for ReLU */
};

static inline void quantiser_init(
	struct quantiser *z, const struct linear *l, float x_scale, float inverse)
{
	z->l = l;
	z->inverse = inverse;
	z->lowest = l->act == KERNEL_RELU ? 0 : -127;
	z->bias_scale = l->act == KERNEL_GELU	? NEAR_STEPS
			: l->act == KERNEL_SILU ? 1
						: inverse;
	z->scale = x_scale * z->bias_scale;
}

ALWAYS_INLINE __m512i quantiser_integers(
	const struct quantiser *z, const struct near_table *gelu, __m512 x, int act)
{
	if (act == KERNEL_GELU)
		x = vector_near_gelu(x, gelu);
	else if (act == KERNEL_SILU)
		x = _mm512_mul_ps(vector_silu(x), _mm512_set1_ps(z->inverse));
	else
		x = _mm512_max_ps(x, _mm512_set1_ps(z->lowest));
	return _mm512_cvtps_epi32(
		_mm512_range_ps(x, _mm512_set1_ps(127), ABS_MIN_SIGNED));
}

/* R rows of V vectors; `ints`: int32 with a scale a column, else floats. */
ALWAYS_INLINE void quantise_tile(const struct quantiser *z, uint32_t t,
	const struct panel *p, const __m512 *sum, uint32_t R, const int V, int ints,
	int act)
{
	const struct linear *l = z->l;
	uint32_t left = l->out - p->o, width = 16 * (uint32_t)V;
	__mmask64 m = (1ull << (left < width ? left : width)) - 1;
	int8_t *q = z->q + (uintptr_t)t * l->out + p->o;
	const struct near_table gelu = near_table_of(z->inverse);
	__m512 scale[3], bias[3];

#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		uint32_t o = p->o + 16 * (uint32_t)v;

		scale[v] = _mm512_set1_ps(z->scale);
		if (ints)
			scale[v] = _mm512_mul_ps(scale[v], load_bf16(l->scales + o));
		bias[v] = _mm512_setzero_ps();
		if (l->bias)
			bias[v] = _mm512_mul_ps(_mm512_set1_ps(z->bias_scale),
				_mm512_maskz_loadu_ps(
					lanes_left(l->out, o), l->bias + o));
	}
	for (uint32_t r = 0; r < R; r++, q += l->out, sum += V) {
		__m512i i[4];

#pragma GCC unroll 4
		for (int v = 0; v < V; v++) {
			__m512 x = sum[v];

			if (ints)
				x = _mm512_cvtepi32_ps(_mm512_castps_si512(x));
			x = _mm512_fmadd_ps(x, scale[v], bias[v]);
			i[v] = quantiser_integers(z, &gelu, x, act);
		}
		_mm512_mask_storeu_epi8(
			q, m, pack(i[0], V > 1 ? i[1] : i[0], V > 2 ? i[2] : i[0], i[0]));
	}
}

ALWAYS_INLINE void quantise_width(const struct quantiser *z, uint32_t t,
	const struct panel *p, const void *sums, uint32_t R, int ints, int act)
{
	if (p->width == 48)
		quantise_tile(z, t, p, sums, R, 3, ints, act);
	else if (p->width == 32)
		quantise_tile(z, t, p, sums, R, 2, ints, act);
	else
		quantise_tile(z, t, p, sums, R, 1, ints, act);
}

/* The sums of R rows from row t by the panel p. */
ALWAYS_INLINE void quantise_sums(const struct quantiser *z, uint32_t t,
	const struct panel *p, const void *sums, uint32_t R, int ints)
{
	if (z->l->act == KERNEL_GELU)
		quantise_width(z, t, p, sums, R, ints, KERNEL_GELU);
	else if (z->l->act == KERNEL_SILU)
		quantise_width(z, t, p, sums, R, ints, KERNEL_SILU);
	else
		quantise_width(z, t, p, sums, R, ints, KERNEL_NO_ACT);
}

#endif
