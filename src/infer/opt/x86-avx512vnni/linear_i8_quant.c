#include "src/infer/opt/x86-avx512vnni/finish_quant.h"
#include "src/infer/opt/x86-avx512vnni/linear_i8.h"

static __attribute__((noinline)) void finish(const struct block *b, uint32_t t,
	const struct panel *p, const __m512i *sum, uint32_t R)
{
	quantise_sums(b->to, t, p, sum, R, 1);
}

void linear_i8_quant(const struct linear *l, uint32_t n, const int8_t *x, float x_scale,
	float inverse, int8_t *q)
{
	struct quantiser to;
	struct block b;

	quantiser_init(&to, l, x_scale, inverse);
	b.l = l;
	b.take = finish;
	b.to = &to;
	for (uint32_t t = 0; t < n; t += TILE_BLOCK) {
		b.x = x + (uintptr_t)t * l->in;
		to.q = q + (uintptr_t)t * l->out;
		x86_avx512vnni_rows_i8(&b, n - t < TILE_BLOCK ? n - t : TILE_BLOCK);
	}
}
