/* Attention forward and backward in plain loops: sequences are about ten tokens long, where
 * a product per head costs more in calls than in arithmetic. Inner loops run along keys
 * (scores) or along d_head (mixes), so they vectorise without gathers. */
#include <math.h>
#include <string.h>

#include "src/train/ops.h"

#include "src/train/hot.h"

size_t attention_scratch(size_t longest, size_t d_head)
{
	return longest * d_head + longest;
}

/* out [d, len] = in [len, d] with rows `stride` apart */
HOT static void transpose_head(size_t len, size_t d, size_t stride, const real *in, real *out)
{
	for (size_t t = 0; t < len; t++)
		for (size_t c = 0; c < d; c++)
			out[c * len + t] = in[t * stride + c];
}

/* out[j] = sum_c x[c] rows[c][j], j < n */
HOT static void mix_rows(
	size_t d, size_t n, size_t stride, const real *x, const real *rows, real *out)
{
	for (size_t j = 0; j < n; j++)
		out[j] = x[0] * rows[j];
	for (size_t c = 1; c < d; c++) {
		const real *row = rows + c * stride;
		real f = x[c];

		for (size_t j = 0; j < n; j++)
			out[j] += f * row[j];
	}
}

static size_t clip(ptrdiff_t distance, size_t radius)
{
	ptrdiff_t r = (ptrdiff_t)radius;

	return (size_t)((distance < -r ? -r : distance > r ? r : distance) + r);
}

HOT static void softmax_scores(real *s, size_t n, real scale, const real *rel, size_t i,
	size_t radius)
{
	real top, sum = 0, inv;

	for (size_t j = 0; j < n; j++)
		s[j] *= scale;
	if (rel)
		for (size_t j = 0; j < n; j++)
			s[j] += rel[clip((ptrdiff_t)j - (ptrdiff_t)i, radius)];
	top = s[0];
	for (size_t j = 1; j < n; j++)
		top = s[j] > top ? s[j] : top;
	exp_shifted(s, n, top);
	for (size_t j = 0; j < n; j++)
		sum += s[j];
	inv = 1 / sum;
	for (size_t j = 0; j < n; j++)
		s[j] *= inv;
}

void attention_forward(const struct attention_shape *s, const real *q, const real *k,
	const real *v, const real *rel, real *p, real *o, real *scratch)
{
	size_t dh = s->d_head, dq = s->heads * dh, dk = s->kv_heads * dh;
	size_t group = s->heads / s->kv_heads, span = 2 * s->radius + 1;
	real scale = 1 / (real)sqrt((double)dh);

	for (size_t b = 0; b < s->n_seq; b++) {
		size_t at = s->start[b], len = s->start[b + 1] - at;

		for (size_t h = 0; h < s->heads; h++, p += len * len) {
			size_t kv = h / group;

			if (h % group == 0)
				transpose_head(len, dh, dk, k + at * dk + kv * dh, scratch);
			for (size_t i = 0; i < len; i++) {
				size_t n = s->causal ? i + 1 : len;
				real *row = p + i * len;

				mix_rows(dh, n, len, q + (at + i) * dq + h * dh, scratch, row);
				softmax_scores(row, n, scale, rel ? rel + h * span : NULL, i,
					s->radius);
				memset(row + n, 0, (len - n) * sizeof *row);
				mix_rows(n, dh, dk, row, v + at * dk + kv * dh,
					o + (at + i) * dq + h * dh);
			}
		}
	}
}

/* ds = p (dp - sum p dp), in place of dp */
HOT static void softmax_backward(size_t n, const real *p, real *dp)
{
	real sum = 0;

	for (size_t j = 0; j < n; j++)
		sum += p[j] * dp[j];
	for (size_t j = 0; j < n; j++)
		dp[j] = p[j] * (dp[j] - sum);
}

/* One query row: dk[j] += ds[j] q, dv[j] += p[j] do for its n keys. */
HOT static void spread_row(size_t n, size_t dh, size_t stride, const real *ds, const real *p,
	const real *q, const real *d_o, real *dk, real *dv)
{
	for (size_t j = 0; j < n; j++) {
		real *a = dk + j * stride, *b = dv + j * stride;
		real f = ds[j], g = p[j];

		for (size_t c = 0; c < dh; c++) {
			a[c] += f * q[c];
			b[c] += g * d_o[c];
		}
	}
}

void attention_backward(
	const struct attention_shape *s, const struct attention_grad *g, real *scratch)
{
	size_t dh = s->d_head, dq = s->heads * dh, dk = s->kv_heads * dh;
	size_t group = s->heads / s->kv_heads, span = 2 * s->radius + 1;
	size_t n_tok = s->start[s->n_seq];
	real scale = 1 / (real)sqrt((double)dh);
	const real *p = g->p;

	memset(g->dk, 0, n_tok * dk * sizeof *g->dk);
	memset(g->dv, 0, n_tok * dk * sizeof *g->dv);
	for (size_t b = 0; b < s->n_seq; b++) {
		size_t at = s->start[b], len = s->start[b + 1] - at;
		real *ds = scratch + len * dh;

		for (size_t h = 0; h < s->heads; h++, p += len * len) {
			size_t kv = at * dk + h / group * dh;

			if (h % group == 0)
				transpose_head(len, dh, dk, g->v + kv, scratch);
			for (size_t i = 0; i < len; i++) {
				size_t n = s->causal ? i + 1 : len;
				size_t mine = (at + i) * dq + h * dh;
				const real *row = p + i * len;

				mix_rows(dh, n, len, g->d_o + mine, scratch, ds);
				softmax_backward(n, row, ds);
				for (size_t j = 0; g->drel && j < n; j++)
					g->drel[h * span + clip((ptrdiff_t)j - (ptrdiff_t)i,
						s->radius)] += ds[j];
				for (size_t j = 0; j < n; j++)
					ds[j] *= scale;
				mix_rows(n, dh, dk, ds, g->k + kv, g->dq + mine);
				spread_row(n, dh, dk, ds, row, g->q + mine, g->d_o + mine,
					g->dk + kv, g->dv + kv);
			}
		}
	}
}
