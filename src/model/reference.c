#include "src/model/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/model/quant.h"

#define NORM_EPSILON 1e-5

static enum err read_flat(
	void *self, const struct tensor *t, float *w, struct err_ctx *ctx)
{
	const struct flat_weights *f = self;

	(void)ctx;
	memcpy(w, f->w + t->offset, (size_t)t->rows * t->cols * sizeof(*w));
	return ERR_OK;
}

struct tensor_source tensor_source_flat(struct flat_weights *flat)
{
	struct tensor_source s = {read_flat, flat};

	return s;
}

static enum err read_random(
	void *self, const struct tensor *t, float *w, struct err_ctx *ctx)
{
	const struct random_weights *r = self;

	(void)ctx;
	weights_init_tensor(t, r->seed, w);
	return ERR_OK;
}

struct tensor_source tensor_source_random(struct random_weights *random)
{
	struct tensor_source s = {read_random, random};

	return s;
}

/* One pass over one input: x is the residual stream, y and z scratch. */
struct pass {
	const struct genome *g;
	const struct tensor_source *source;
	const struct reference_input *in;
	struct layout *layout;
	size_t n, width; /* width: of the widest row */
	double *x, *u, *q, *k, *v, *o, *f, *scores;
	struct err_ctx *ctx;
	enum err err; /* sticky */
};

/* The tensor before quantisation; NULL when absent or after an error. */
static float *fetch_floats(
	struct pass *p, enum tensor_kind kind, int layer, const struct tensor **t)
{
	float *w;

	*t = layout_find(p->layout, p->g, kind, layer);
	if (p->err || !*t)
		return NULL;
	w = malloc((size_t)(*t)->rows * (*t)->cols * sizeof(*w));
	if (!w) {
		p->err = err_set(p->ctx, ERR_NOMEM, "out of memory for tensor '%s'",
			tensor_names[kind]);
		return NULL;
	}
	p->err = p->source->read(p->source->self, *t, w, p->ctx);
	if (p->err) {
		free(w);
		return NULL;
	}
	return w;
}

/* The tensor as the device holds it: dequantised. */
static float *fetch(
	struct pass *p, enum tensor_kind kind, int layer, const struct tensor **t)
{
	float *w = fetch_floats(p, kind, layer, t);

	if (w)
		quant_fake(w, (*t)->rows, (*t)->cols, (*t)->bits);
	return w;
}

/* The int8 values that the device multiplies, as doubles times the scale. */
static void quantise_row(const double *x, size_t n, double *out)
{
	double largest = 0, inverse, scale;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(x[i]));
	inverse = largest > 0 ? 127 / largest : 0;
	scale = largest / 127;
	for (size_t i = 0; i < n; i++)
		out[i] = round(x[i] * inverse) * scale;
}

static void quantise_static(const double *x, size_t n, float scale, double *out)
{
	double inverse = (double)(1 / scale);

	for (size_t i = 0; i < n; i++)
		out[i] = fmax(fmin(round(x[i] * inverse), 127), -127) * (double)scale;
}

/* What a product with the matrix `t` reads of a row, of which `layer` is the reader. */
static void take_row(const struct pass *p, const struct tensor *t, int layer,
	const double *x, double *row)
{
	const struct reference_input *in = p->in;
	enum quant_point point = quant_point_of((enum tensor_kind)t->kind);

	if (t->bits == 32) {
		memcpy(row, x, t->cols * sizeof(*row));
		return;
	}
	if (in->watch && t->kind != T_WK && t->kind != T_WV)
		in->watch->see(in->watch->self, layer, point, x, t->cols);
	if (in->scales)
		quantise_static(x, t->cols, act_scale(in->scales, layer, point), row);
	else
		quantise_row(x, t->cols, row);
}

#define BLOCK 8 /* rows side by side, so that a weight is read once for all of them */

/* The next rows of x, at most BLOCK, quantised when the device does: [cols, BLOCK]. */
static size_t take_rows(const struct pass *p, const struct tensor *t, int layer,
	const double *x, size_t rows, double *block)
{
	double *row = block + t->cols * BLOCK;
	size_t n = rows < BLOCK ? rows : BLOCK;

	memset(block, 0, t->cols * BLOCK * sizeof(*block));
	for (size_t j = 0; j < n; j++) {
		take_row(p, t, layer, x + j * t->cols, row);
		for (size_t c = 0; c < t->cols; c++)
			block[c * BLOCK + j] = row[c];
	}
	return n;
}

/* Each sum in the order of the columns: the answer does not depend on BLOCK. */
static void add_products(const double *block, const float *w, size_t cols, double *sum)
{
	double s[BLOCK];

	memcpy(s, sum, sizeof(s));
	for (size_t c = 0; c < cols; c++)
		for (size_t j = 0; j < BLOCK; j++)
			s[j] += block[c * BLOCK + j] * w[c];
	memcpy(sum, s, sizeof(s));
}

/* y[rows, out] = x[rows, in] w^T + b; y must not overlap x. */
static void linear(struct pass *p, enum tensor_kind weight, enum tensor_kind bias,
	int layer, const double *x, size_t rows, double *y)
{
	const struct tensor *t, *tb = NULL;
	float *w = fetch(p, weight, layer, &t);
	float *b = w && bias != N_TENSOR_KINDS ? fetch(p, bias, layer, &tb) : NULL;
	double *block = w ? malloc(t->cols * (1 + BLOCK) * sizeof(*block)) : NULL;
	size_t n;

	for (size_t i = 0; block && i < rows; i += n) {
		n = take_rows(p, t, layer, x + i * t->cols, rows - i, block);
		for (size_t o = 0; o < t->rows; o++) {
			double sum[BLOCK];

			for (size_t j = 0; j < BLOCK; j++)
				sum[j] = b ? b[o] : 0;
			add_products(block, w + o * t->cols, t->cols, sum);
			for (size_t j = 0; j < n; j++)
				y[(i + j) * t->rows + o] = sum[j];
		}
	}
	if (w && !block && !p->err)
		p->err = err_set(p->ctx, ERR_NOMEM, "out of memory");
	free(block);
	free(w);
	free(b);
}

static void norm(struct pass *p, enum tensor_kind gain, enum tensor_kind bias, int layer,
	const double *x, double *y)
{
	const struct tensor *t;
	float *g = fetch(p, gain, layer, &t), *b = fetch(p, bias, layer, &t);
	size_t d = p->g->d_model;

	for (size_t i = 0; g && i < p->n; i++) {
		const double *xi = x + i * d;
		double mean = 0, square = 0, scale;

		for (size_t c = 0; c < d; c++)
			mean += xi[c] / (double)d;
		if (p->g->norm == NORM_RMS)
			mean = 0;
		for (size_t c = 0; c < d; c++)
			square += (xi[c] - mean) * (xi[c] - mean) / (double)d;
		scale = 1 / sqrt(square + NORM_EPSILON);
		for (size_t c = 0; c < d; c++)
			y[i * d + c] = (xi[c] - mean) * scale * g[c] + (b ? b[c] : 0);
	}
	free(g);
	free(b);
}

static void conv(struct pass *p, int layer, const double *x, double *y)
{
	const struct tensor *t;
	float *w = fetch(p, T_CONV, layer, &t);
	long d = p->g->d_model, n = (long)p->n;

	for (long i = 0; w && i < n; i++) {
		for (long c = 0; c < d; c++) {
			double sum = 0;

			for (long j = 0; j < t->cols; j++) {
				long at = i + j - t->col_zero;

				if (at >= 0 && at < n)
					sum += w[c * t->cols + j] * x[at * d + c];
			}
			y[i * d + c] = sum;
		}
	}
	free(w);
}

/* attn_int8: each head's values over all tokens become integers times one scale. */
static void quantise_heads(const struct pass *p, double *x, size_t n_heads, size_t dh)
{
	size_t stride = n_heads * dh;

	for (double *head = x; head < x + stride; head += dh) {
		double largest = 0, scale;

		for (size_t i = 0; i < p->n; i++)
			for (size_t c = 0; c < dh; c++)
				largest = fmax(largest, fabs(head[i * stride + c]));
		scale = largest / 127;
		for (size_t i = 0; i < p->n && largest > 0; i++)
			for (size_t c = 0; c < dh; c++)
				head[i * stride + c] =
					nearbyint(head[i * stride + c] / scale) * scale;
	}
}

/* Scores of query i of one head against every key, softmaxed; returns how many keys. */
static size_t attend(const struct pass *p, const struct layer_genes *l, const float *rel,
	size_t head, size_t i, double *s)
{
	size_t keys = p->g->arch == ARCH_DECODER ? i + 1 : p->n, dh = l->d_head;
	size_t kv = head / (l->n_heads / l->n_kv_heads);
	long radius = p->g->rel_radius;
	double largest = -INFINITY, sum = 0;

	for (size_t j = 0; j < keys; j++) {
		double dot = 0;

		for (size_t c = 0; c < dh; c++)
			dot += p->q[(i * l->n_heads + head) * dh + c] *
			       p->k[(j * l->n_kv_heads + kv) * dh + c];
		s[j] = dot / sqrt((double)dh);
		if (rel) {
			long away = (long)j - (long)i;

			away = away < -radius ? -radius : away > radius ? radius : away;
			s[j] += rel[(long)head * (2 * radius + 1) + away + radius];
		}
		largest = fmax(largest, s[j]);
	}
	for (size_t j = 0; j < keys; j++) {
		s[j] = exp(s[j] - largest);
		if (p->g->attn_int8)
			s[j] = nearbyint(255 * s[j]);
		sum += s[j];
	}
	for (size_t j = 0; j < keys; j++)
		s[j] /= sum;
	return keys;
}

static void attention(struct pass *p, int layer, const double *u, double *y)
{
	const struct layer_genes *l = &p->g->layer[layer];
	const struct tensor *t;
	size_t dh = l->d_head;
	float *rel;

	linear(p, T_WQ, T_BQ, layer, u, p->n, p->q);
	linear(p, T_WK, T_BK, layer, u, p->n, p->k);
	linear(p, T_WV, T_BV, layer, u, p->n, p->v);
	for (size_t i = 0; i < p->n * l->n_kv_heads; i++) {
		quant_kv(p->k + i * dh, l->d_head, p->g->kv);
		quant_kv(p->v + i * dh, l->d_head, p->g->kv);
	}
	rel = fetch(p, T_REL, layer, &t);
	if (p->g->attn_int8) {
		quantise_heads(p, p->q, l->n_heads, dh);
		quantise_heads(p, p->k, l->n_kv_heads, dh);
		quantise_heads(p, p->v, l->n_kv_heads, dh);
	}
	for (size_t h = 0; h < l->n_heads && !p->err; h++) {
		size_t kv = h / (l->n_heads / l->n_kv_heads);

		for (size_t i = 0; i < p->n; i++) {
			size_t keys = attend(p, l, rel, h, i, p->scores);

			for (size_t c = 0; c < dh; c++) {
				double sum = 0;

				for (size_t j = 0; j < keys; j++)
					sum += p->scores[j] *
					       p->v[(j * l->n_kv_heads + kv) * dh + c];
				p->o[(i * l->n_heads + h) * dh + c] = sum;
			}
		}
	}
	linear(p, T_WO, T_BO, layer, p->o, p->n, y);
	free(rel);
}

static double activate(enum act act, double x)
{
	switch (act) {
	case ACT_RELU:
		return x > 0 ? x : 0;
	case ACT_GELU:
		return 0.5 * x * (1 + erf(x / sqrt(2)));
	default:
		return x / (1 + exp(-x));
	}
}

static void ffn(struct pass *p, int layer, const double *u, double *y)
{
	const struct layer_genes *l = &p->g->layer[layer];
	int thin = l->ffn_rank > 0;

	if (thin) {
		linear(p, T_W1_IN, N_TENSOR_KINDS, layer, u, p->n, p->o);
		linear(p, T_W1_OUT, T_B1, layer, p->o, p->n, p->f);
	} else {
		linear(p, T_W1, T_B1, layer, u, p->n, p->f);
	}
	for (size_t i = 0; i < p->n * l->d_ff; i++)
		p->f[i] = activate((enum act)p->g->act, p->f[i]);
	if (thin) {
		linear(p, T_W2_IN, N_TENSOR_KINDS, layer, p->f, p->n, p->o);
		linear(p, T_W2_OUT, T_B2, layer, p->o, p->n, y);
	} else {
		linear(p, T_W2, T_B2, layer, p->f, p->n, y);
	}
}

static void add(struct pass *p, const double *y)
{
	for (size_t i = 0; i < p->n * p->g->d_model; i++)
		p->x[i] += y[i];
}

static void run_layer(struct pass *p, int layer)
{
	int post = p->g->norm_place == NORM_POST;
	const double *u = p->x;

	if (!post) {
		norm(p, T_NORM1_G, T_NORM1_B, layer, u, p->u);
		u = p->u;
	}
	if (p->g->conv) {
		conv(p, layer, u, p->f);
		memcpy(p->u, p->f, p->n * p->g->d_model * sizeof(*p->u));
		u = p->u;
	}
	attention(p, layer, u, p->f);
	add(p, p->f);
	if (post)
		norm(p, T_NORM1_G, T_NORM1_B, layer, p->x, p->x);
	else
		norm(p, T_NORM2_G, T_NORM2_B, layer, p->x, p->u);
	ffn(p, layer, post ? p->x : p->u, p->q);
	add(p, p->q);
	if (post)
		norm(p, T_NORM2_G, T_NORM2_B, layer, p->x, p->x);
}

/* Of a table of tens of thousands of rows only those that are looked up are quantised. */
static void embed(struct pass *p, const int32_t *ids)
{
	const struct tensor *t, *tp;
	float *table = fetch_floats(p, T_EMBED, -1, &t), *pos = fetch(p, T_POS, -1, &tp);
	int thin = p->g->d_embed < p->g->d_model;
	double *to = thin ? p->u : p->x;
	float *row = table ? malloc(t->cols * sizeof(*row)) : NULL;

	for (size_t i = 0; row && i < p->n; i++) {
		memcpy(row, table + (size_t)ids[i] * t->cols, t->cols * sizeof(*row));
		quant_fake(row, 1, t->cols, t->bits);
		for (size_t c = 0; c < t->cols; c++)
			to[i * t->cols + c] =
				(double)row[c] + (pos ? pos[i * t->cols + c] : 0);
	}
	if (table && !row && !p->err)
		p->err = err_set(p->ctx, ERR_NOMEM, "out of memory");
	free(table);
	free(pos);
	free(row);
	if (thin)
		linear(p, T_PROJ, N_TENSOR_KINDS, -1, p->u, p->n, p->x);
	if (p->g->norm_place == NORM_POST)
		norm(p, T_NORM0_G, T_NORM0_B, -1, p->x, p->x);
}

static void pool(const struct pass *p, double *y)
{
	size_t d = p->g->d_model;

	memcpy(y, p->x, d * sizeof(*y));
	for (size_t i = 1; i < p->n && p->g->pool != POOL_FIRST; i++)
		for (size_t c = 0; c < d; c++)
			y[c] = p->g->pool == POOL_MAX ? fmax(y[c], p->x[i * d + c])
						      : y[c] + p->x[i * d + c];
	for (size_t c = 0; c < d && p->g->pool == POOL_MEAN; c++)
		y[c] /= (double)p->n;
}

/* Last position against the embedding table. */
static void language_head(struct pass *p, double *out)
{
	const struct tensor *t;
	const double *last = p->x + (p->n - 1) * p->g->d_model;
	float *proj = fetch(p, T_PROJ, -1, &t);

	if (proj) {
		for (size_t c = 0; c < t->cols; c++) {
			p->u[c] = 0;
			for (size_t r = 0; r < t->rows; r++)
				p->u[c] += last[r] * proj[r * t->cols + c];
		}
		last = p->u;
	}
	free(proj);
	linear(p, T_EMBED, N_TENSOR_KINDS, -1, last, 1, out);
}

static size_t widest(const struct genome *g)
{
	size_t w = g->d_model;

	for (int i = 0; i < g->n_layers; i++) {
		size_t heads = (size_t)g->layer[i].n_heads * g->layer[i].d_head;

		w = heads > w ? heads : w;
		w = g->layer[i].d_ff > w ? g->layer[i].d_ff : w;
		w = g->layer[i].ffn_rank > w ? g->layer[i].ffn_rank : w;
	}
	return w;
}

static void run(struct pass *p, const struct task_shape *task, const int32_t *ids,
	const struct reference_output *out)
{
	embed(p, ids);
	for (int i = 0; i < p->g->n_layers && !p->err; i++)
		run_layer(p, i);
	if (p->g->norm_place == NORM_PRE)
		norm(p, T_NORMF_G, T_NORMF_B, -1, p->x, p->x);
	if (task->kind == TASK_LM) {
		language_head(p, out->lm);
		return;
	}
	if (task->kind == TASK_INTENT_SLOTS)
		linear(p, T_TAG_W, T_TAG_B, -1, p->x, p->n, out->tags);
	pool(p, p->u);
	linear(p, T_INTENT_W, T_INTENT_B, -1, p->u, 1, out->intent);
}

enum err reference_run(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const int32_t *ids, uint32_t n,
	const struct reference_output *out, struct err_ctx *ctx)
{
	struct reference_input in = {ids, n, NULL, NULL};

	return reference_run_on(g, task, weights, &in, out, ctx);
}

enum err reference_run_on(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const struct reference_input *in,
	const struct reference_output *out, struct err_ctx *ctx)
{
	const int32_t *ids = in->ids;
	uint32_t n = in->n;
	struct pass p = {.g = g,
		.source = weights,
		.in = in,
		.n = n,
		.width = widest(g),
		.ctx = ctx};
	double *memory;

	if (n < 1 || n > g->seq_len)
		return err_set(ctx, ERR_INVALID,
			"input of %u tokens, allowed are 1 to %u", (unsigned)n,
			g->seq_len);
	for (uint32_t i = 0; i < n; i++)
		if (ids[i] < 0 || (uint32_t)ids[i] >= g->vocab_size)
			return err_set(ctx, ERR_INVALID,
				"token id %d at position %u, the vocabulary has %u",
				ids[i], (unsigned)i, (unsigned)g->vocab_size);
	p.layout = malloc(sizeof(*p.layout));
	memory = calloc(7 * p.width * n + n, sizeof(*memory));
	if (!p.layout || !memory) {
		p.err = err_set(ctx, ERR_NOMEM, "out of memory");
	} else {
		size_t step = p.width * n;

		p.x = memory;
		p.u = p.x + step;
		p.q = p.u + step;
		p.k = p.q + step;
		p.v = p.k + step;
		p.o = p.v + step;
		p.f = p.o + step;
		p.scores = p.f + step;
		layout_init(p.layout, g, task);
		run(&p, task, ids, out);
	}
	free(p.layout);
	free(memory);
	return p.err;
}

/* Of the vectors that products read. */
static unsigned narrowest(const struct genome *g)
{
	unsigned width = g->d_model < g->d_embed ? g->d_model : g->d_embed;

	for (int i = 0; i < g->n_layers; i++) {
		const struct layer_genes *l = &g->layer[i];
		unsigned of_layer[] = {(unsigned)l->n_heads * l->d_head, l->d_ff,
			l->ffn_rank ? l->ffn_rank : l->d_ff};

		for (int k = 0; k < 3; k++)
			width = of_layer[k] < width ? of_layer[k] : width;
	}
	return width;
}

double reference_tolerance(const struct genome *g)
{
	unsigned width = narrowest(g);

	int quantised = g->embed_bits != 32 || g->attn_int8 || g->kv == 8;

	for (int i = 0; i < g->n_layers; i++)
		quantised |= g->layer[i].bits != 32;
	/* fp32: rounding only. Quantised: an activation on the edge between two integers may
	 * fall on the other side, which moves every later one a little and some of them over
	 * their edges: in a deep network the two then differ by quantisation noise (0.06 was
	 * seen as the largest of 10^6 logits of 6 layers; none at all in most networks). One
	 * of m integers moves a vector by 1 / (127 sqrt m) of its length: the more, the
	 * narrower the network is anywhere. */
	if (quantised)
		return 0.015 * (1 + g->n_layers) * (width < 16 ? sqrt(16. / width) : 1);
	/* fp16 keys and values on an edge: half a unit of 2^-11. */
	return 0.001 + (g->kv == 16 ? 0.0007 : 0.0002) * g->n_layers;
}
