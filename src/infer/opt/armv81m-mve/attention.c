/* Four queries of a head at once: scores of four keys, whose columns a gathering load
 * brings together, then softmax a query, then four columns of the mix. A lone query has
 * loops of its own. */
#include "src/infer/opt/armv81m-mve/scores.h"

#define QUERIES 4

/* A block of queries of one head. */
struct block {
	const struct attention *a;
	uint32_t head, n, first; /* the first one's position */
	uint32_t m, m16;	 /* tokens seen; how far the rows of scores are apart */
	const float *q, *k, *v;
	uintptr_t q_step, kv_step; /* floats from token to token */
	float *row, *out;
};

/* Products of four keys, at addresses `keys`, with d columns of `n` queries. */
ALWAYS_INLINE void multiply_keys(
	const struct block *b, uint32x4_t keys, float32x4_t *s, const int rows)
{
	const float *q0 = b->q, *q1 = b->q, *q2 = b->q, *q3 = b->q;
	float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0, k, l;
	uint32_t x0, x1, y0, y1;

	keys = vsubq_n_u32(keys, 4);
	if (rows > 1) {
		q1 += b->n > 1 ? b->q_step : 0;
		q2 += b->n > 2 ? 2 * b->q_step : 0;
		q3 += b->n > 3 ? 3 * b->q_step : 0;
		__asm volatile(
			"	wls lr, %[d], 2f\n"
			"1:	vldrw.u32 %q[k], [%q[keys], #4]!\n"
			"	ldrd %[x0], %[x1], [%[q0]], #8\n"
			"	vldrw.u32 %q[l], [%q[keys], #4]!\n"
			"	ldrd %[y0], %[y1], [%[q1]], #8\n"
			"	vfma.f32 %q[s0], %q[k], %[x0]\n"
			"	vfma.f32 %q[s1], %q[k], %[y0]\n"
			"	vfma.f32 %q[s0], %q[l], %[x1]\n"
			"	ldrd %[x0], %[x1], [%[q2]], #8\n"
			"	vfma.f32 %q[s1], %q[l], %[y1]\n"
			"	ldrd %[y0], %[y1], [%[q3]], #8\n"
			"	vfma.f32 %q[s2], %q[k], %[x0]\n"
			"	vfma.f32 %q[s3], %q[k], %[y0]\n"
			"	vfma.f32 %q[s2], %q[l], %[x1]\n"
			"	vfma.f32 %q[s3], %q[l], %[y1]\n"
			"	le lr, 1b\n"
			"2:\n"
			: [keys] "+w"(keys), [k] "=&w"(k), [l] "=&w"(l), [x0] "=&r"(x0),
			[x1] "=&r"(x1), [y0] "=&r"(y0), [y1] "=&r"(y1), [q0] "+r"(q0),
			[q1] "+r"(q1), [q2] "+r"(q2), [q3] "+r"(q3), [s0] "+w"(s0),
			[s1] "+w"(s1), [s2] "+w"(s2), [s3] "+w"(s3)
			: [d] "r"(b->a->d_head / 2)
			: "lr", "memory");
	} else {
		__asm volatile(
			"	wls lr, %[d], 2f\n"
			"1:	vldrw.u32 %q[k], [%q[keys], #4]!\n"
			"	ldrd %[x0], %[x1], [%[q0]], #8\n"
			"	vldrw.u32 %q[l], [%q[keys], #4]!\n"
			"	vfma.f32 %q[s0], %q[k], %[x0]\n"
			"	vfma.f32 %q[s0], %q[l], %[x1]\n"
			"	le lr, 1b\n"
			"2:\n"
			: [keys] "+w"(keys), [k] "=&w"(k), [l] "=&w"(l), [x0] "=&r"(x0),
			[x1] "=&r"(x1), [q0] "+r"(q0), [s0] "+w"(s0)
			: [d] "r"(b->a->d_head / 2)
			: "lr", "memory");
	}
	if (b->a->d_head % 2) {
		k = vldrwq_gather_base_f32(keys, 4);
		s0 = vfmaq_n_f32(s0, k, *q0);
		s1 = vfmaq_n_f32(s1, k, *q1);
		s2 = vfmaq_n_f32(s2, k, *q2);
		s3 = vfmaq_n_f32(s3, k, *q3);
	}
	s[0] = s0;
	s[1] = s1;
	s[2] = s2;
	s[3] = s3;
}

ALWAYS_INLINE void scores(const struct block *b, const int rows)
{
	const uint32_t bytes = (uint32_t)b->kv_step * 4;

	for (uint32_t j = 0; j < b->m; j += 4) {
		uint32x4_t at = vidupq_n_u32(j, 1), keys;
		float32x4_t s[QUERIES];

		keys = vmulq_n_u32(vminq_u32(at, vdupq_n_u32(b->m - 1)), bytes);
		keys = vaddq_n_u32(keys, (uint32_t)(uintptr_t)b->k);
		multiply_keys(b, keys, s, rows);
#pragma GCC unroll 4
		for (uint32_t r = 0; r < (uint32_t)rows; r++) {
			s[r] = vmulq_n_f32(s[r], b->a->scale);
			if (b->a->rel)
				s[r] = vaddq_f32(
					s[r], biases(b->a, b->head, b->first + r, at));
			vst1q_f32(b->row + r * b->m16 + j, s[r]);
		}
	}
}

/* Four columns of the mix, v their first value. */
ALWAYS_INLINE void mix_4(
	const struct block *b, const float *v, float32x4_t *s, const int rows)
{
	const float *r0 = b->row, *r1 = r0 + b->m16, *r2 = r1 + b->m16, *r3 = r2 + b->m16;
	float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0, x, y;
	uint32_t w0, w1, u0, u1;

	if (rows > 1)
		__asm volatile("	wls lr, %[m], 2f\n"
			       "1:	vldrw.32 %q[x], [%[v]]\n"
			       "	add %[v], %[step]\n"
			       "	ldrd %[w0], %[w1], [%[r0]], #8\n"
			       "	vldrw.32 %q[y], [%[v]]\n"
			       "	ldrd %[u0], %[u1], [%[r1]], #8\n"
			       "	vfma.f32 %q[s0], %q[x], %[w0]\n"
			       "	vfma.f32 %q[s1], %q[x], %[u0]\n"
			       "	vfma.f32 %q[s0], %q[y], %[w1]\n"
			       "	ldrd %[w0], %[w1], [%[r2]], #8\n"
			       "	vfma.f32 %q[s1], %q[y], %[u1]\n"
			       "	ldrd %[u0], %[u1], [%[r3]], #8\n"
			       "	vfma.f32 %q[s2], %q[x], %[w0]\n"
			       "	add %[v], %[step]\n"
			       "	vfma.f32 %q[s3], %q[x], %[u0]\n"
			       "	vfma.f32 %q[s2], %q[y], %[w1]\n"
			       "	vfma.f32 %q[s3], %q[y], %[u1]\n"
			       "	le lr, 1b\n"
			       "2:\n"
			       : [v] "+r"(v), [x] "=&w"(x), [y] "=&w"(y), [w0] "=&r"(w0),
			       [w1] "=&r"(w1), [u0] "=&r"(u0), [u1] "=&r"(u1),
			       [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [r3] "+r"(r3),
			       [s0] "+w"(s0), [s1] "+w"(s1), [s2] "+w"(s2), [s3] "+w"(s3)
			       : [m] "r"(b->m / 2), [step] "r"(b->kv_step * 4)
			       : "lr", "memory");
	else
		__asm volatile("	wls lr, %[m], 2f\n"
			       "1:	vldrw.32 %q[x], [%[v]]\n"
			       "	add %[v], %[step]\n"
			       "	ldrd %[w0], %[w1], [%[r0]], #8\n"
			       "	vldrw.32 %q[y], [%[v]]\n"
			       "	add %[v], %[step]\n"
			       "	vfma.f32 %q[s0], %q[x], %[w0]\n"
			       "	vfma.f32 %q[s0], %q[y], %[w1]\n"
			       "	le lr, 1b\n"
			       "2:\n"
			       : [v] "+r"(v), [x] "=&w"(x), [y] "=&w"(y), [w0] "=&r"(w0),
			       [w1] "=&r"(w1), [r0] "+r"(r0), [s0] "+w"(s0)
			       : [m] "r"(b->m / 2), [step] "r"(b->kv_step * 4)
			       : "lr", "memory");
	if (b->m % 2) {
		x = vld1q_f32(v);
		s0 = vfmaq_n_f32(s0, x, *r0);
		if (rows > 1) {
			s1 = vfmaq_n_f32(s1, x, *r1);
			s2 = vfmaq_n_f32(s2, x, *r2);
			s3 = vfmaq_n_f32(s3, x, *r3);
		}
	}
	s[0] = s0;
	s[1] = s1;
	s[2] = s2;
	s[3] = s3;
}

static float mix_1(const struct block *b, const float *row, uint32_t c)
{
	float s = 0;

	for (uint32_t j = 0; j < b->m; j++)
		s += row[j] * b->v[j * b->kv_step + c];
	return s;
}

ALWAYS_INLINE void mix(const struct block *b, const float *inverse, const int rows)
{
	uint32_t c, d = b->a->d_head;

	for (c = 0; c + 4 <= d; c += 4) {
		float32x4_t s[QUERIES];

		mix_4(b, b->v + c, s, rows);
#pragma GCC unroll 4
		for (uint32_t r = 0; r < (uint32_t)rows; r++)
			if (r < b->n)
				vst1q_f32(b->out + r * b->q_step + c,
					vmulq_n_f32(s[r], inverse[r]));
	}
	for (; c < d; c++)
		for (uint32_t r = 0; r < b->n; r++)
			b->out[r * b->q_step + c] =
				mix_1(b, b->row + r * b->m16, c) * inverse[r];
}

/* The rows of a block that looks back are as long as its last one's, zeros behind. */
static void run_block(const struct block *b)
{
	float inverse[QUERIES] = {0};

	if (b->n > 1)
		scores(b, QUERIES);
	else
		scores(b, 1);
	for (uint32_t r = 0; r < b->n; r++) {
		float *row = b->row + r * b->m16;
		uint32_t sees = b->a->causal ? b->first + r + 1 : b->m;

		inverse[r] = 1 / weigh(row, sees);
		for (; sees < b->m; sees++)
			row[sees] = 0;
	}
	if (b->n > 1)
		mix(b, inverse, QUERIES);
	else
		mix(b, inverse, 1);
}

/* A head's slice of q is read before the same slice of out is written: out may be q. */
void attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data)
{
	uint32_t per_kv = a->n_heads / a->n_kv_heads;
	struct block b = {.a = a,
		.m16 = (n_past + n + 15) / 16 * 16,
		.q_step = (uintptr_t)a->n_heads * a->d_head,
		.kv_step = (uintptr_t)a->n_kv_heads * a->d_head,
		.row = data->row};

	for (uint32_t t = 0; t < n; t += QUERIES) {
		b.n = n - t < QUERIES ? n - t : QUERIES;
		b.first = n_past + t;
		b.m = a->causal ? b.first + b.n : n_past + n;
		for (b.head = 0; b.head < a->n_heads; b.head++) {
			uintptr_t at = t * b.q_step + b.head * a->d_head;

			b.q = data->q + at;
			b.out = data->out + at;
			b.k = data->k + b.head / per_kv * a->d_head;
			b.v = data->v + b.head / per_kv * a->d_head;
			run_block(&b);
		}
	}
}
