#include "src/infer/opt/x86-avx512vnni/vector.h"

void kv_store_f16(uint32_t n, const float *x, uint16_t *y)
{
	const __m512 most = _mm512_set1_ps(65504.0f);

	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = lanes_left(n, i);
		__m512 v = _mm512_maskz_loadu_ps(m, x + i);

		v = _mm512_min_ps(v, most);
		v = _mm512_max_ps(v, _mm512_sub_ps(_mm512_setzero_ps(), most));
		_mm256_mask_storeu_epi16(y + i, m,
			_mm512_cvtps_ph(
				v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
	}
}
