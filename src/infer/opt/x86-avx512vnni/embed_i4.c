#include "src/infer/opt/x86-avx512vnni/panels.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

/* Nibbles + 8 of columns i.. to i + 15, or those that are left, a byte each. */
ALWAYS_INLINE __m128i nibbles(const struct nibble_row *row, uint32_t i, uint32_t left)
{
	const __m128i low = _mm_set1_epi8(15);
	uint32_t eight[2] = {0};
	__m128i b;

	if (!row->step) {
		b = _mm_maskz_loadu_epi8(
			lanes_left(left < 16 ? (left + 1) / 2 : 8, 0), row->w + i / 2);
		return _mm_unpacklo_epi8(
			_mm_and_si128(b, low), _mm_and_si128(_mm_srli_epi16(b, 4), low));
	}
	for (uint32_t k = 0; k < 2 && 8 * k < left; k++)
		__builtin_memcpy(&eight[k], row->w + (i / 8 + k) * row->step, 4);
	b = _mm_loadu_si64(eight);
	return _mm_unpacklo_epi32(
		_mm_and_si128(b, low), _mm_and_si128(_mm_srli_epi16(b, 4), low));
}

void embed_i4(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	uint32_t in = table->in;

	for (uint32_t t = 0; t < n; t++, y += in) {
		const struct nibble_row row = nibble_row(table, (uint32_t)ids[t]);

		for (uint32_t i = 0; i < in; i += 16) {
			__mmask16 m = lanes_left(in, i);
			__m512 scale = _mm512_set1_ps(fmath_bf16(
				row.scales[i / KERNEL_GROUP * row.group_step]));
			__m512i w = _mm512_sub_epi32(
				_mm512_cvtepi8_epi32(nibbles(&row, i, in - i)),
				_mm512_set1_epi32(8));

			_mm512_mask_storeu_ps(
				y + i, m, _mm512_mul_ps(_mm512_cvtepi32_ps(w), scale));
		}
	}
}
