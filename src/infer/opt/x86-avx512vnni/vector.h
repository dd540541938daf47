/* Sixteen floats at a time: what the AVX-512 kernels share beside their tiles.
 *
 *   vector_exp   relative error <= 2.5e-7 for -87 <= x <= 88, clipped outside as fmath_exp
 *   vector_gelu  absolute error <= 2e-7 * (1 + |x|)
 *   vector_silu  absolute error <= 2e-7 * (1 + |x|)
 *   vector_near_gelu  absolute error <= 1.1e-4
 *
 * gelu(x) = max(x, 0) - T(|x|), T(a) = a (1 - Phi(a)): thirty-two pieces of degree four,
 * looked up by two-register permutes; T is below 1e-7 past their end. Near it is gelu(x)
 * itself in pieces of degree two, the outer ones 0 and x. exp by Cody and Waite's reduction
 * and a polynomial through the Chebyshev nodes.
 */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_VECTOR_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_VECTOR_H

#include <immintrin.h>
#include <stdint.h>

#include "src/infer/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Of vrangeps: the larger |x|, and the smaller with the sign of the first operand. */
#define ABS_MAX 11
#define ABS_MIN_SIGNED 2

/* The lanes of a vector that starts at `at` of `n`. */
ALWAYS_INLINE __mmask16 lanes_left(uint32_t n, uint32_t at)
{
	uint32_t left = n - at;

	return (__mmask16)(left >= 16 ? 0xffffu : (1u << left) - 1u);
}

ALWAYS_INLINE __m512 load_bf16(const uint16_t *p)
{
	__m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p));

	return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

ALWAYS_INLINE __m512 vector_exp(__m512 x)
{
	__m512 n, r, p;

	x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
	x = _mm512_min_ps(x, _mm512_set1_ps(88.0f));
	n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)),
		_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
	r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
	r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
	p = _mm512_set1_ps(1.394215971e-03f);
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.375967853e-03f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.166634008e-02f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.666640490e-01f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.000000000e-01f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
	return _mm512_scalef_ps(p, n);
}

#define GELU_STEPS (31 / 5.6f) /* pieces a unit */
static const _Alignas(64) float gelu_pieces[5][32] = {
	{0, 7.73744881e-02f, 1.29681990e-01f, 1.59291893e-01f, 1.69783890e-01f,
		1.65473700e-01f, 1.50886774e-01f, 1.30273506e-01f, 1.07240066e-01f,
		8.45344886e-02f, 6.39915839e-02f, 4.66090180e-02f, 3.27094123e-02f,
		2.21393183e-02f, 1.44632207e-02f, 9.12465900e-03f, 5.56165539e-03f,
		3.27620353e-03f, 1.86564855e-03f, 1.02723658e-03f, 5.46971394e-04f,
		2.81689310e-04f, 1.40325035e-04f, 6.76235504e-05f, 3.15276047e-05f,
		1.42213576e-05f, 6.20684250e-06f, 2.62119261e-06f, 1.07112896e-06f,
		4.23558021e-07f, 1.62077981e-07f, 0},
	{9.03225839e-02f, 6.45666644e-02f, 4.04490121e-02f, 1.93757117e-02f,
		2.33674957e-03f, -1.01944655e-02f, -1.82646327e-02f, -2.23572273e-02f,
		-2.32507903e-02f, -2.18559708e-02f, -1.90664325e-02f, -1.56484134e-02f,
		-1.21797360e-02f, -9.03580431e-03f, -6.41109468e-03f, -4.36085230e-03f,
		-2.84866057e-03f, -1.78940198e-03f, -1.08195608e-03f, -6.30215043e-04f,
		-3.53850017e-04f, -1.91612256e-04f, -1.00111458e-04f, -5.04838827e-05f,
		-2.45786559e-05f, -1.15560251e-05f, -5.24803545e-06f, -2.30251840e-06f,
		-9.76106548e-07f, -3.99889473e-07f, -1.58337926e-07f, 0},
	{-1.30185466e-02f, -1.25988787e-02f, -1.14000440e-02f, -9.58991423e-03f,
		-7.40958098e-03f, -5.12624672e-03f, -2.98542157e-03f, -1.17343490e-03f,
		2.02728421e-04f, 1.11669768e-03f, 1.60848966e-03f, 1.76127686e-03f,
		1.67631288e-03f, 1.45177310e-03f, 1.16873661e-03f, 8.84900219e-04f,
		6.34654949e-04f, 4.33201261e-04f, 2.82338617e-04f, 1.76120055e-04f,
		1.05336105e-04f, 6.04882007e-05f, 3.33855314e-05f, 1.77262664e-05f,
		9.06057539e-06f, 4.46096783e-06f, 2.11666179e-06f, 9.68287964e-07f,
		4.27212370e-07f, 1.81845905e-07f, 7.46965441e-08f, 0},
	{-8.71130770e-17f, 2.75737548e-04f, 5.12215134e-04f, 6.78366458e-04f,
		7.57291680e-04f, 7.48524209e-04f, 6.66288892e-04f, 5.34640043e-04f,
		3.81145190e-04f, 2.30940015e-04f, 1.02549624e-04f, 6.10632969e-06f,
		-5.61952875e-05f, -8.81157903e-05f, -9.67710439e-05f, -9.02086467e-05f,
		-7.56517038e-05f, -5.85636444e-05f, -4.24284772e-05f, -2.90075677e-05f,
		-1.88167960e-05f, -1.16250349e-05f, -6.85870918e-06f, -3.87240743e-06f,
		-2.09555674e-06f, -1.08828681e-06f, -5.42942132e-07f, -2.60430625e-07f,
		-1.20187764e-07f, -5.33964588e-08f, -2.28489014e-08f, 0},
	{7.06968349e-05f, 6.56029297e-05f, 5.13966079e-05f, 3.10093128e-05f,
		8.44289389e-06f, -1.22497249e-05f, -2.79009273e-05f, -3.68211004e-05f,
		-3.89267443e-05f, -3.54449367e-05f, -2.83568188e-05f, -1.97879126e-05f,
		-1.15210796e-05f, -4.72749207e-06f, 7.81350096e-08f, 2.91710876e-06f,
		4.14719216e-06f, 4.26197221e-06f, 3.73891157e-06f, 2.95352811e-06f,
		2.15258615e-06f, 1.46681350e-06f, 9.42147153e-07f, 5.73500415e-07f,
		3.32095738e-07f, 1.83447767e-07f, 9.68714673e-08f, 4.89809828e-08f,
		2.37452813e-08f, 1.10486509e-08f, 4.93863483e-09f, 0},
};

ALWAYS_INLINE __m512 gelu_coefficient(__m512i piece, int degree)
{
	return _mm512_permutex2var_ps(_mm512_load_ps(gelu_pieces[degree]), piece,
		_mm512_load_ps(gelu_pieces[degree] + 16));
}

ALWAYS_INLINE __m512 vector_gelu(__m512 x)
{
	/* Adding 2^23 leaves the nearest whole number in the low bits. */
	const __m512 magic = _mm512_set1_ps(8388608.0f);
	__m512 at = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(GELU_STEPS));
	__m512 shifted, u, p;
	__m512i piece;

	at = _mm512_min_ps(at, _mm512_set1_ps(31.0f));
	shifted = _mm512_add_ps(at, magic);
	piece = _mm512_castps_si512(shifted);
	u = _mm512_sub_ps(at, _mm512_sub_ps(shifted, magic));
	p = gelu_coefficient(piece, 4);
	p = _mm512_fmadd_ps(p, u, gelu_coefficient(piece, 3));
	p = _mm512_fmadd_ps(p, u, gelu_coefficient(piece, 2));
	p = _mm512_fmadd_ps(p, u, gelu_coefficient(piece, 1));
	p = _mm512_fmadd_ps(p, u, gelu_coefficient(piece, 0));
	return _mm512_sub_ps(_mm512_max_ps(x, _mm512_setzero_ps()), p);
}

#define NEAR_STEPS (14.5f / 4.1f) /* pieces a unit */
#define NEAR_PIECES 32
static const _Alignas(64) float near_pieces[3][NEAR_PIECES] = {
	{0, 0, -1.98074790e-02f, -4.31383480e-02f, -8.47213374e-02f, -1.49422620e-01f,
		-2.35405257e-01f, -3.28955820e-01f, -4.03868656e-01f, -4.29924415e-01f,
		-3.88878966e-01f, -2.90061610e-01f, -1.69438327e-01f, -7.03303539e-02f,
		-1.65986051e-02f, -1.03055608e-03f, 0, -1.03055608e-03f, -1.65986051e-02f,
		-7.03303539e-02f, -1.69438327e-01f, -2.90061610e-01f, -3.88878966e-01f,
		-4.29924415e-01f, -4.03868656e-01f, -3.28955820e-01f, -2.35405257e-01f,
		-1.49422620e-01f, -8.47213374e-02f, -4.31383480e-02f, -1.98074790e-02f,
		0},
	{0, 0, -2.63719931e-03f, -6.10905000e-03f, -1.27895508e-02f, -2.40818932e-02f,
		-4.05037418e-02f, -6.02218139e-02f, -7.78067115e-02f, -8.45992159e-02f,
		-7.16778751e-02f, -3.53552104e-02f, 1.86078295e-02f, 7.53686192e-02f,
		1.18096210e-01f, 1.38178669e-01f, 1.41379310e-01f, 1.44579952e-01f,
		1.64662410e-01f, 2.07390002e-01f, 2.64150791e-01f, 3.18113831e-01f,
		3.54436496e-01f, 3.67357837e-01f, 3.60565332e-01f, 3.42980435e-01f,
		3.23262362e-01f, 3.06840514e-01f, 2.95548171e-01f, 2.88867671e-01f,
		2.85395820e-01f, 2.82758621e-01f},
	{0, 0, -8.80736072e-05f, -2.17247343e-04f, -4.85592982e-04f, -9.78379748e-04f,
		-1.76262544e-03f, -2.80187639e-03f, -3.83411752e-03f, -4.27670166e-03f,
		-3.25974434e-03f, 8.00151132e-05f, 6.12127277e-03f, 1.42618215e-02f,
		2.27835822e-02f, 2.93117906e-02f, 3.18080000e-02f, 2.93117906e-02f,
		2.27835822e-02f, 1.42618215e-02f, 6.12127277e-03f, 8.00151132e-05f,
		-3.25974434e-03f, -4.27670166e-03f, -3.83411752e-03f, -2.80187639e-03f,
		-1.76262544e-03f, -9.78379748e-04f, -4.85592982e-04f, -2.17247343e-04f,
		-8.80736072e-05f, 0},
};

struct near_table {
	__m512 piece[3][2];
};

/* For `times` * gelu(x). */
ALWAYS_INLINE struct near_table near_table_of(float times)
{
	struct near_table t;

#pragma GCC unroll 6
	for (int i = 0; i < 6; i++)
		t.piece[i / 2][i % 2] = _mm512_mul_ps(_mm512_set1_ps(times),
			_mm512_load_ps(near_pieces[i / 2] + 16 * (i % 2)));
	return t;
}

ALWAYS_INLINE __m512 near_coefficient(
	const struct near_table *t, __m512i piece, int degree)
{
	return _mm512_permutex2var_ps(t->piece[degree][0], piece, t->piece[degree][1]);
}

/* Of x in steps: x * NEAR_STEPS. For values that are about to be quantised. */
ALWAYS_INLINE __m512 vector_near_gelu(__m512 x, const struct near_table *t)
{
	/* Adding 2^23 leaves the nearest whole number in the low bits. */
	__m512i piece = _mm512_castps_si512(
		_mm512_add_ps(_mm512_range_ps(x, _mm512_set1_ps(15.0f), ABS_MIN_SIGNED),
			_mm512_set1_ps(8388608.0f + NEAR_PIECES / 2)));
	__m512 p = near_coefficient(t, piece, 2);

	p = _mm512_fmadd_ps(p, x, near_coefficient(t, piece, 1));
	return _mm512_fmadd_ps(p, x, near_coefficient(t, piece, 0));
}

ALWAYS_INLINE __m512 vector_silu(__m512 x)
{
	__m512 e = vector_exp(_mm512_sub_ps(_mm512_setzero_ps(), x));

	return _mm512_div_ps(x, _mm512_add_ps(e, _mm512_set1_ps(1.0f)));
}

ALWAYS_INLINE __m512 vector_act(__m512 x, int act)
{
	if (act == KERNEL_GELU)
		return vector_gelu(x);
	if (act == KERNEL_SILU)
		return vector_silu(x);
	if (act == KERNEL_RELU)
		return _mm512_max_ps(x, _mm512_setzero_ps());
	return x;
}

#endif
