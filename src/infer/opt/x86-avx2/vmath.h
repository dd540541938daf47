/* Functions of eight floats.
 *
 *   vector_exp        relative error <= 2.5e-7 for -87 <= x <= 88, clipped as fmath_exp
 *   vector_exp_low    for x <= 0; absolute error <= 2.5e-7
 *   vector_gelu       absolute error <= 2e-7 * (1 + |x|), near: 1.2e-5
 *   vector_silu       absolute error <= 2e-7 * (1 + |x|)
 *
 * gelu(x) = max(x, 0) - T(|x|), T(a) = a (1 - Phi(a)): eight pieces up to 5.6, whose
 * coefficients are looked up by a permute of eight; minimax, of degree six or, for values
 * that are quantised next, four. exp by Cody and Waite's reduction and a minimax polynomial.
 */
#ifndef HAWSER_INFER_OPT_X86_AVX2_VMATH_H
#define HAWSER_INFER_OPT_X86_AVX2_VMATH_H

#include "src/infer/opt/x86-avx2/vector.h"

/* `fine`: the part of ln 2 that a float lacks is taken off too. */
ALWAYS_INLINE __m256 exp_by(__m256 x, int fine)
{
	/* Adding 1.5 * 2^23 leaves the nearest whole number in the low bits. */
	const __m256 magic = _mm256_set1_ps(12582912.0f);
	__m256 shifted, n, r, square, low, p;

	x = _mm256_max_ps(x, _mm256_set1_ps(-87.0f));
	shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(1.44269504f), magic);
	n = _mm256_sub_ps(shifted, magic);
	if (fine) {
		r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
		r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
	} else {
		r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.69314718f), x);
	}
	square = _mm256_mul_ps(r, r);
	p = _mm256_fmadd_ps(
		r, _mm256_set1_ps(8.312629232e-03f), _mm256_set1_ps(4.188925853e-02f));
	low = _mm256_fmadd_ps(
		r, _mm256_set1_ps(1.666711075e-01f), _mm256_set1_ps(4.999923758e-01f));
	p = _mm256_fmadd_ps(p, square, low);
	p = _mm256_fmadd_ps(p, square, _mm256_add_ps(r, _mm256_set1_ps(1.0f)));
	return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p),
		_mm256_slli_epi32(_mm256_castps_si256(shifted), 23)));
}

ALWAYS_INLINE __m256 vector_exp(__m256 x)
{
	return exp_by(_mm256_min_ps(x, _mm256_set1_ps(88.0f)), 1);
}

ALWAYS_INLINE __m256 vector_exp_low(__m256 x)
{
	return exp_by(x, 0);
}

#define GELU_STEPS (8 / 5.6f) /* pieces a unit */
static const _Alignas(32) float gelu_pieces[7][8] = {
	{1.27109277e-01f, 1.54202014e-01f, 7.01035221e-02f, 1.74998858e-02f,
		2.57151026e-03f, 2.27376860e-04f, 1.22044191e-05f, 3.99253885e-07f},
	{1.62285035e-01f, -6.61619137e-02f, -7.76485295e-02f, -2.90210903e-02f,
		-5.58985239e-03f, -6.08494872e-04f, -3.87253925e-05f, -1.46443040e-06f},
	{-1.72606163e-01f, -5.05486233e-02f, 2.24592537e-02f, 1.94528188e-02f,
		5.42364978e-03f, 7.57496453e-04f, 5.84120356e-05f, 2.58618628e-06f},
	{2.90998961e-02f, 3.99777270e-02f, 8.09906792e-03f, -5.56390017e-03f,
		-2.98137031e-03f, -5.74350327e-04f, -5.52922225e-05f, -2.90508024e-06f},
	{1.18550316e-02f, -5.74775681e-03f, -6.95791345e-03f, -3.95573007e-04f,
		9.23020989e-04f, 2.89456851e-04f, 3.66528687e-05f, 2.34810632e-06f},
	{-2.96811121e-03f, -2.36433349e-03f, 1.27607975e-03f, 8.18333430e-04f,
		-7.95851272e-05f, -9.70763123e-05f, -1.84848694e-05f, -1.55541189e-06f},
	{-7.29890084e-04f, 7.24162453e-04f, 2.45709715e-04f, -2.26763657e-04f,
		-5.30186010e-05f, 1.82356678e-05f, 6.51853575e-06f, 7.32993495e-07f},
};
static const _Alignas(32) float near_gelu_pieces[5][8] = {
	{1.27108578e-01f, 1.54202719e-01f, 7.01037560e-02f, 1.74996647e-02f,
		2.57146191e-03f, 2.27394688e-04f, 1.22107786e-05f, 3.99968739e-07f},
	{1.62342720e-01f, -6.61159525e-02f, -7.76733249e-02f, -2.90370299e-02f,
		-5.58833668e-03f, -6.06601493e-04f, -3.83648455e-05f, -1.43410337e-06f},
	{-1.72569461e-01f, -5.05853711e-02f, 2.24469208e-02f, 1.94643263e-02f,
		5.42626765e-03f, 7.56570132e-04f, 5.80812922e-05f, 2.54900532e-06f},
	{2.81738880e-02f, 3.92400324e-02f, 8.49715828e-03f, -5.30840197e-03f,
		-3.00603003e-03f, -6.04672498e-04f, -6.10661548e-05f, -3.39086851e-06f},
	{1.15370475e-02f, -5.43097747e-03f, -6.85093107e-03f, -4.94754888e-04f,
		9.00072457e-04f, 2.97435841e-04f, 3.95035258e-05f, 2.66861136e-06f},
};

/* The piece in the low bits, and how far from its middle. */
struct gelu_at {
	__m256i piece;
	__m256 u;
};

ALWAYS_INLINE struct gelu_at gelu_place(__m256 x)
{
	const __m256 magic = _mm256_set1_ps(12582912.0f);
	__m256 at = _mm256_fmadd_ps(
		absolute(x), _mm256_set1_ps(GELU_STEPS), _mm256_set1_ps(-0.5f));
	__m256 shifted;

	at = _mm256_min_ps(at, _mm256_set1_ps(7.4999f)); /* of the last piece */
	shifted = _mm256_add_ps(at, magic);
	return (struct gelu_at){_mm256_castps_si256(shifted),
		_mm256_sub_ps(at, _mm256_sub_ps(shifted, magic))};
}

ALWAYS_INLINE __m256 gelu_there(__m256 x, struct gelu_at at, int near)
{
	const float(*pieces)[8] = near ? near_gelu_pieces : gelu_pieces;
	const int degree = near ? 4 : 6;
	__m256 p = _mm256_permutevar8x32_ps(_mm256_load_ps(pieces[degree]), at.piece);

#pragma GCC unroll 6
	for (int k = degree - 1; k >= 0; k--)
		p = _mm256_fmadd_ps(p, at.u,
			_mm256_permutevar8x32_ps(_mm256_load_ps(pieces[k]), at.piece));
	return _mm256_sub_ps(_mm256_max_ps(x, _mm256_setzero_ps()), p);
}

/* `near` is for values that are quantised next. */
ALWAYS_INLINE __m256 vector_gelu(__m256 x, int near)
{
	return gelu_there(x, gelu_place(x), near);
}

ALWAYS_INLINE __m256 vector_silu(__m256 x)
{
	__m256 e = vector_exp(_mm256_sub_ps(_mm256_setzero_ps(), x));

	return _mm256_div_ps(x, _mm256_add_ps(e, _mm256_set1_ps(1.0f)));
}

ALWAYS_INLINE __m256 vector_act(__m256 x, int act, int near)
{
	if (act == KERNEL_GELU)
		return vector_gelu(x, near);
	if (act == KERNEL_SILU)
		return vector_silu(x);
	if (act == KERNEL_RELU)
		return _mm256_max_ps(x, _mm256_setzero_ps());
	return x;
}

#endif
