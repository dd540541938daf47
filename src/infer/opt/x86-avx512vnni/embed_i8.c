#include "src/infer/opt/x86-avx512vnni/panels.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

/* Sixteen columns from a panel, or the `steps` times four that are left. */
ALWAYS_INLINE __m128i from_steps(const uint8_t *w, uintptr_t step, uint32_t steps)
{
	int32_t four[4] = {0};

	for (uint32_t k = 0; k < 4 && k < steps; k++, w += step)
		__builtin_memcpy(&four[k], w, sizeof(four[k]));
	return _mm_xor_si128(
		_mm_loadu_si128((const void *)four), _mm_set1_epi8((char)PANEL_ZERO));
}

void embed_i8(const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	uint32_t in = table->in;

	for (uint32_t t = 0; t < n; t++, y += in) {
		uint32_t id = (uint32_t)ids[t];
		struct panel_row row = panel_row_i8(table, id);
		const uint8_t *w = (const uint8_t *)table->w;
		__m512 scale = _mm512_set1_ps(fmath_bf16(table->scales[id]));

		w += table->panels ? row.at : (uintptr_t)id * in;
		for (uint32_t i = 0; i < in; i += 16) {
			__mmask16 m = lanes_left(in, i);
			__m128i b = table->panels ? from_steps(w + i / 4 * row.step,
							    row.step, (in - i + 3) / 4)
						  : _mm_maskz_loadu_epi8(m, w + i);

			_mm512_mask_storeu_ps(y + i, m,
				_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(b)),
					scale));
		}
	}
}
