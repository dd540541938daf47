/* Attention forward and backward in plain loops: sequences are about ten tokens long,
 * where a product per head costs more in calls than in arithmetic. Everything is a sum of
 * scaled rows (mix_rows), taken in blocks of columns that stay in registers; keys and
 * values are transposed into rows padded to a block where sums run along d_head. */
#include <math.h>
#include <string.h>

#include "src/train/ops.h"

#include "src/train/hot.h"

#define BLOCK 16
#define HALF 8

/* GCC's vectors: split by the compiler where the machine's are shorter. */
typedef real block
	__attribute__((vector_size(BLOCK * sizeof(real)), aligned(8), may_alias));
typedef real half
	__attribute__((vector_size(HALF * sizeof(real)), aligned(8), may_alias));

static size_t padded(size_t n)
{
	return (n + HALF - 1) / HALF * HALF;
}

size_t attention_scratch(size_t longest, size_t d_head)
{
	return padded(longest) * (d_head + 2);
}

/* out[j] = sum_c x[c] rows[c][j] for c < d, j < n */
static inline __attribute__((always_inline)) void mix_rows(
	size_t d, size_t n, size_t stride, const real *x, const real *rows, real *out)
{
	size_t j = 0;

	for (; j + BLOCK <= n; j += BLOCK) {
		block sum = {0}, row;

		for (size_t c = 0; c < d; c++) {
			memcpy(&row, rows + c * stride + j, sizeof(row));
			sum += x[c] * row;
		}
		memcpy(out + j, &sum, sizeof(sum));
	}
	for (; j + HALF <= n; j += HALF) {
		half sum = {0}, row;

		for (size_t c = 0; c < d; c++) {
			memcpy(&row, rows + c * stride + j, sizeof(row));
			sum += x[c] * row;
		}
		memcpy(out + j, &sum, sizeof(sum));
	}
	for (; j < n; j++) {
		real sum = 0;

		for (size_t c = 0; c < d; c++)
			sum += x[c] * rows[c * stride + j];
		out[j] = sum;
	}
}

/* out [d, padded(len)] = in [len, d] whose rows are `stride` apart; padding is zero. */
static inline void transpose_head(
	size_t len, size_t d, size_t stride, const real *in, real *out)
{
	size_t wide = padded(len);

	for (size_t c = 0; c < d; c++)
		for (size_t t = len; t < wide; t++)
			out[c * wide + t] = 0;
	for (size_t t = 0; t < len; t++)
		for (size_t c = 0; c < d; c++)
			out[c * wide + t] = in[t * stride + c];
}

static inline size_t clip(ptrdiff_t distance, size_t radius)
{
	ptrdiff_t r = (ptrdiff_t)radius;

	return (size_t)((distance < -r ? -r : distance > r ? r : distance) + r);
}

/* One head of one sequence. */
struct head {
	size_t len, d;	       /* tokens, d_head */
	size_t q_step, k_step; /* between tokens in q and o, in k and v */
	size_t radius;
	int causal;
	real scale;
};

/* p [len, len] <- softmax rows of its scores */
static inline void softmax_rows(const struct head *h, const real *rel, real *p)
{
	size_t len = h->len;

	for (size_t i = 0; i < len; i++) {
		real *s = p + i * len, top;
		size_t n = h->causal ? i + 1 : len;

		for (size_t j = 0; rel && j < n; j++)
			s[j] += rel[clip((ptrdiff_t)j - (ptrdiff_t)i, h->radius)];
		top = s[0];
		for (size_t j = 1; j < n; j++)
			top = s[j] > top ? s[j] : top;
		for (size_t j = 0; j < n; j++)
			s[j] -= top;
		for (size_t j = n; j < len; j++)
			s[j] = 0;
	}
	exp_shifted(p, len * len, 0);
	for (size_t i = 0; i < len; i++) {
		real *s = p + i * len, sum = 0, inv;
		size_t n = h->causal ? i + 1 : len;

		for (size_t j = 0; j < n; j++)
			sum += s[j];
		inv = 1 / sum;
		for (size_t j = 0; j < n; j++)
			s[j] *= inv;
		for (size_t j = n; j < len; j++)
			s[j] = 0;
	}
}

/* keys: transposed and padded; row: scratch of padded(len) */
HOT static void head_forward(const struct head *h, const real *q, const real *keys,
	const real *v, const real *rel, real *p, real *o, real *row)
{
	size_t wide = padded(h->len);

	for (size_t i = 0; i < h->len; i++) {
		mix_rows(h->d, wide, wide, q + i * h->q_step, keys, row);
		for (size_t j = 0; j < h->len; j++)
			p[i * h->len + j] = row[j] * h->scale;
	}
	softmax_rows(h, rel, p);
	for (size_t i = 0; i < h->len; i++)
		mix_rows(h->causal ? i + 1 : h->len, h->d, h->k_step, p + i * h->len, v,
			o + i * h->q_step);
}

static struct head head_of(const struct attention_shape *s, size_t b)
{
	struct head h = {s->start[b + 1] - s->start[b], s->d_head, s->heads * s->d_head,
		s->kv_heads * s->d_head, s->radius, s->causal,
		1 / (real)sqrt((double)s->d_head)};

	return h;
}

void attention_forward(const struct attention_shape *s, const real *q, const real *k,
	const real *v, const real *rel, real *p, real *o, real *scratch)
{
	size_t group = s->heads / s->kv_heads, span = 2 * s->radius + 1;

	for (size_t b = 0; b < s->n_seq; b++) {
		struct head h = head_of(s, b);
		size_t at = s->start[b], wide = padded(h.len);

		for (size_t i = 0; i < s->heads; i++, p += h.len * h.len) {
			size_t kv = at * h.k_step + i / group * h.d;
			size_t mine = at * h.q_step + i * h.d;

			if (i % group == 0)
				transpose_head(h.len, h.d, h.k_step, k + kv, scratch);
			head_forward(&h, q + mine, scratch, v + kv,
				rel ? rel + i * span : NULL, p, o + mine,
				scratch + wide * h.d);
		}
	}
}

/* ds = p (dp - sum p dp), in place of dp */
static inline void softmax_backward(size_t n, const real *p, real *dp)
{
	real sum = 0;

	for (size_t j = 0; j < n; j++)
		sum += p[j] * dp[j];
	for (size_t j = 0; j < n; j++)
		dp[j] = p[j] * (dp[j] - sum);
}

/* One query row: dk[j] += ds[j] q, dv[j] += p[j] do for its n keys. */
static inline void spread_row(size_t n, const struct head *h, const real *ds,
	const real *p, const real *q, const real *d_o, real *dk, real *dv)
{
	for (size_t j = 0; j < n; j++) {
		real *restrict a = dk + j * h->k_step, *restrict b = dv + j * h->k_step;
		real f = ds[j], g = p[j];

		for (size_t c = 0; c < h->d; c++) {
			a[c] += f * q[c];
			b[c] += g * d_o[c];
		}
	}
}

/* Pointers of one head. */
struct head_grad {
	const real *q, *k, *p, *d_o;
	real *dq, *dk, *dv, *drel;
};

HOT static void head_backward(
	const struct head *h, const struct head_grad *g, const real *values, real *ds)
{
	size_t wide = padded(h->len);

	for (size_t i = 0; i < h->len; i++) {
		size_t n = h->causal ? i + 1 : h->len, mine = i * h->q_step;
		const real *p = g->p + i * h->len;

		mix_rows(h->d, wide, wide, g->d_o + mine, values, ds);
		softmax_backward(n, p, ds);
		for (size_t j = 0; g->drel && j < n; j++)
			g->drel[clip((ptrdiff_t)j - (ptrdiff_t)i, h->radius)] += ds[j];
		for (size_t j = 0; j < n; j++)
			ds[j] *= h->scale;
		mix_rows(n, h->d, h->k_step, ds, g->k, g->dq + mine);
		spread_row(n, h, ds, p, g->q + mine, g->d_o + mine, g->dk, g->dv);
	}
}

void attention_backward(
	const struct attention_shape *s, const struct attention_grad *g, real *scratch)
{
	size_t group = s->heads / s->kv_heads, span = 2 * s->radius + 1;
	size_t n_kv = s->start[s->n_seq] * s->kv_heads * s->d_head;
	const real *p = g->p;

	memset(g->dk, 0, n_kv * sizeof *g->dk);
	memset(g->dv, 0, n_kv * sizeof *g->dv);
	for (size_t b = 0; b < s->n_seq; b++) {
		struct head h = head_of(s, b);
		size_t at = s->start[b], wide = padded(h.len);

		for (size_t i = 0; i < s->heads; i++, p += h.len * h.len) {
			size_t kv = at * h.k_step + i / group * h.d;
			size_t mine = at * h.q_step + i * h.d;
			struct head_grad hg = {g->q + mine, g->k + kv, p, g->d_o + mine,
				g->dq + mine, g->dk + kv, g->dv + kv,
				g->drel ? g->drel + i * span : NULL};

			if (i % group == 0)
				transpose_head(h.len, h.d, h.k_step, g->v + kv, scratch);
			head_backward(&h, &hg, scratch, scratch + wide * h.d);
		}
	}
}
