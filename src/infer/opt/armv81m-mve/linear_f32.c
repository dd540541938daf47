/* Two tokens by two panels of four columns: four accumulators, for each input column two
 * vectors of weights and two numbers in general registers. */
#include "src/infer/opt/armv81m-mve/vector.h"

struct tile {
	const float *w0, *w1, *x0, *x1;
	uint32_t in;
};

ALWAYS_INLINE void multiply(const struct tile *t, float32x4_t *sum)
{
	const float *w0 = t->w0, *w1 = t->w1, *x0 = t->x0, *x1 = t->x1;
	float32x4_t a = vdupq_n_f32(0), b = a, c = a, d = a, v0, v1;
	uint32_t k0, k1, l0, l1;

	__asm volatile(
		"	wls lr, %[n], 2f\n"
		"1:	vldrw.32 %q[v0], [%[w0]], #16\n"
		"	ldrd %[k0], %[k1], [%[x0]], #8\n"
		"	vldrw.32 %q[v1], [%[w1]], #16\n"
		"	ldrd %[l0], %[l1], [%[x1]], #8\n"
		"	vfma.f32 %q[a], %q[v0], %[k0]\n"
		"	vfma.f32 %q[b], %q[v1], %[k0]\n"
		"	vfma.f32 %q[c], %q[v0], %[l0]\n"
		"	vldrw.32 %q[v0], [%[w0]], #16\n"
		"	vfma.f32 %q[d], %q[v1], %[l0]\n"
		"	vldrw.32 %q[v1], [%[w1]], #16\n"
		"	vfma.f32 %q[a], %q[v0], %[k1]\n"
		"	vfma.f32 %q[b], %q[v1], %[k1]\n"
		"	vfma.f32 %q[c], %q[v0], %[l1]\n"
		"	vfma.f32 %q[d], %q[v1], %[l1]\n"
		"	le lr, 1b\n"
		"2:\n"
		: [a] "+w"(a), [b] "+w"(b), [c] "+w"(c), [d] "+w"(d), [v0] "=&w"(v0),
		[v1] "=&w"(v1), [k0] "=&r"(k0), [k1] "=&r"(k1), [l0] "=&r"(l0),
		[l1] "=&r"(l1), [w0] "+r"(w0), [w1] "+r"(w1), [x0] "+r"(x0), [x1] "+r"(x1)
		: [n] "r"(t->in / 2)
		: "lr", "memory");
	if (t->in % 2) {
		a = vfmaq_n_f32(a, vld1q_f32(w0), *x0);
		b = vfmaq_n_f32(b, vld1q_f32(w1), *x0);
		c = vfmaq_n_f32(c, vld1q_f32(w0), *x1);
		d = vfmaq_n_f32(d, vld1q_f32(w1), *x1);
	}
	sum[0] = a;
	sum[1] = b;
	sum[2] = c;
	sum[3] = d;
}

/* Four columns of a token. */
ALWAYS_INLINE void finish(const struct linear *l, float32x4_t v, const float *add,
	float *y, uintptr_t at, uint32_t first)
{
	uint32_t left = l->out - first;
	mve_pred16_t which = vctp32q(left);

	if (l->bias)
		v = vaddq_f32(v, vld1q_z_f32(l->bias + first, which));
	if (add)
		v = vaddq_f32(v, vld1q_z_f32(add + at + first, which));
	if (l->act == KERNEL_GELU)
		v = vector_gelu(v);
	else if (l->act == KERNEL_SILU)
		v = vector_silu(v);
	else if (l->act == KERNEL_RELU)
		v = vmaxnmq_f32(v, vdupq_n_f32(0));
	vst1q_p_f32(y + at + first, v, which);
}

/* Where there is no second token or panel, the first is multiplied again. */
void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const float *w = l->w;
	uintptr_t in = l->in;

	for (uint32_t first = 0; first < l->out; first += 8)
		for (uint32_t t = 0; t < n; t += 2) {
			uint32_t rows = n - t < 2 ? 1 : 2;
			uint32_t vectors = l->out - first > 4 ? 2 : 1;
			const float *x0 = x + t * in, *w0 = w + first * in;
			struct tile tile = {w0, vectors == 2 ? w0 + 4 * in : w0, x0,
				rows == 2 ? x0 + in : x0, l->in};
			float32x4_t sum[4];

			multiply(&tile, sum);
			for (uint32_t i = 0; i < rows * 2; i++)
				if (i % 2 < vectors)
					finish(l, sum[i], add, y,
						(uintptr_t)(t + i / 2) * l->out,
						first + i % 2 * 4);
		}
}
