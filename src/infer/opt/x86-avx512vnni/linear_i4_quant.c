#include "src/infer/opt/x86-avx512vnni/finish_quant.h"
#include "src/infer/opt/x86-avx512vnni/linear_i4.h"

static __attribute__((noinline)) void finish(const struct block *b, uint32_t t,
	const struct panel *p, const __m512 *sum, uint32_t R)
{
	quantise_sums(b->to, t, p, sum, R, 0);
}

void linear_i4_quant(const struct linear *l, uint32_t n, const int8_t *x, float x_scale,
	float inverse, int8_t *q)
{
	struct quantiser to;
	struct block b;

	quantiser_init(&to, l, x_scale, inverse);
	to.q = q;
	b.l = l;
	b.take = finish;
	b.to = &to;
	b.x = x;
	x86_avx512vnni_rows_i4(&b, n);
}
