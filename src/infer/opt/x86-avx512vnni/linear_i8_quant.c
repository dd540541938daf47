/* The sums of a tile go through memory to the activation and on to int8, so that these are
 * there once and not once a size. */
#include "src/infer/opt/x86-avx512vnni/linear_i8.h"
#include "src/infer/opt/x86-avx512vnni/quantise.h"

ALWAYS_INLINE void finish_column(const struct block *b, uint32_t t, uint32_t o,
	const __m512i *sum, uint32_t R, uint32_t V, int act)
{
	const struct linear *l = b->l;
	__mmask16 m = lanes_left(l->out, o);
	__m512 inverse = _mm512_set1_ps(b->inverse);
	__m512 scale =
		_mm512_mul_ps(load_bf16(l->scales + o), _mm512_set1_ps(b->one_scale));
	__m512 bias =
		l->bias ? _mm512_maskz_loadu_ps(m, l->bias + o) : _mm512_setzero_ps();
	int8_t *q = b->q + (uintptr_t)t * l->out + o;

	for (uint32_t r = 0; r < R; r++, q += l->out, sum += V) {
		__m512 s = _mm512_fmadd_ps(_mm512_cvtepi32_ps(*sum), scale, bias);

		s = vector_act(s, act, 1);
		_mm_mask_storeu_epi8(
			q, m, _mm512_cvtepi32_epi8(quantise_static(s, inverse)));
	}
}

TILE_FINISH(__m512i)

void linear_i8_quant(const struct linear *l, uint32_t n, const int8_t *x, float x_scale,
	float inverse, int8_t *q)
{
	struct block b;

	b.l = l;
	b.take = finish;
	b.one_scale = x_scale;
	b.inverse = inverse;
	for (uint32_t t = 0; t < n; t += TILE_BLOCK) {
		b.x = x + (uintptr_t)t * l->in;
		b.q = q + (uintptr_t)t * l->out;
		x86_avx512vnni_rows_i8(&b, n - t < TILE_BLOCK ? n - t : TILE_BLOCK);
	}
}
