/* A block of at most 16 x 16 floats, transposed. Rows beyond n_rows and columns outside
 * the mask count as zeros; n_cols rows of sixteen are written. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_TRANSPOSE_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_TRANSPOSE_H

#include <immintrin.h>
#include <stdint.h>

/* Pairs of rows four apart, then eight: columns c and c + 4 of lanes of four. */
static inline __attribute__((always_inline)) void transpose_lanes(__m512 *r)
{
#pragma GCC unroll 4
	for (int i = 0; i < 16; i += 4) {
		__m512 a = _mm512_unpacklo_ps(r[i], r[i + 1]);
		__m512 b = _mm512_unpackhi_ps(r[i], r[i + 1]);
		__m512 c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
		__m512 d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);

		r[i] = _mm512_shuffle_ps(a, c, 0x44);
		r[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
		r[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
		r[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
	}
}

/* r[i] lane j becomes r[j] lane i. */
static inline __attribute__((always_inline)) void transpose_square(__m512 *r)
{
	__m512 in[16];

	transpose_lanes(r);
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		in[i] = r[i];
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		__m512 a = _mm512_shuffle_f32x4(in[i], in[i + 4], 0x44);
		__m512 b = _mm512_shuffle_f32x4(in[i], in[i + 4], 0xee);
		__m512 c = _mm512_shuffle_f32x4(in[i + 8], in[i + 12], 0x44);
		__m512 d = _mm512_shuffle_f32x4(in[i + 8], in[i + 12], 0xee);

		r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
		r[i + 4] = _mm512_shuffle_f32x4(a, c, 0xdd);
		r[i + 8] = _mm512_shuffle_f32x4(b, d, 0x88);
		r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
	}
}

static inline void transpose16(const float *in, uintptr_t in_stride, uint32_t n_rows,
	__mmask16 columns, float *out, uintptr_t out_stride, uint32_t n_cols)
{
	__m512 r[16];

#pragma GCC unroll 16
	for (uint32_t i = 0; i < 16; i++)
		r[i] = i < n_rows ? _mm512_maskz_loadu_ps(columns, in + i * in_stride)
				  : _mm512_setzero_ps();
	transpose_square(r);
#pragma GCC unroll 16
	for (uint32_t i = 0; i < 16; i++)
		if (i < n_cols)
			_mm512_storeu_ps(out + i * out_stride, r[i]);
}

#endif
