#include "src/train/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/hot.h"

void dictionary_init(struct dictionary *d)
{
	memset(d, 0, sizeof(*d));
}

void dictionary_release(struct dictionary *d)
{
	free(d->key);
	free(d->count);
	free(d->index);
	dictionary_init(d);
}

static size_t slot_of(const struct dictionary *d, uint64_t key)
{
	size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (d->cap - 1);

	while (d->key[at] && d->key[at] != key)
		at = (at + 1) & (d->cap - 1);
	return at;
}

static enum err enlarge(struct dictionary *d, struct err_ctx *ctx)
{
	struct dictionary old = *d;

	d->cap = old.cap ? 2 * old.cap : 1 << 14;
	d->key = calloc(d->cap, sizeof(*d->key));
	d->count = calloc(d->cap, sizeof(*d->count));
	d->index = calloc(d->cap, sizeof(*d->index));
	if (!d->key || !d->count || !d->index) {
		dictionary_release(d);
		*d = old;
		return err_set(ctx, ERR_NOMEM, "out of memory for features");
	}
	for (size_t i = 0; i < old.cap; i++)
		if (old.key[i]) {
			size_t at = slot_of(d, old.key[i]);

			d->key[at] = old.key[i];
			d->count[at] = old.count[i];
		}
	free(old.key);
	free(old.count);
	free(old.index);
	return ERR_OK;
}

enum err dictionary_count(struct dictionary *d, uint64_t key, struct err_ctx *ctx)
{
	enum err err = 2 * (d->used + 1) > d->cap ? enlarge(d, ctx) : ERR_OK;
	size_t at;

	if (err)
		return err;
	at = slot_of(d, key ? key : 1);
	if (!d->key[at]) {
		d->key[at] = key ? key : 1;
		d->used++;
	}
	d->count[at]++;
	return ERR_OK;
}

void dictionary_number(struct dictionary *d, uint32_t least_count)
{
	d->n = 0;
	for (size_t i = 0; i < d->cap; i++)
		d->index[i] = d->count[i] >= least_count ? d->n++ : UINT32_MAX;
}

size_t dictionary_find(const struct dictionary *d, uint64_t key)
{
	size_t at;

	if (!d->cap)
		return SIZE_MAX;
	at = slot_of(d, key ? key : 1);
	return d->key[at] ? at : SIZE_MAX;
}

void sparse_init(struct sparse_rows *r)
{
	memset(r, 0, sizeof(*r));
}

void sparse_release(struct sparse_rows *r)
{
	free(r->start);
	free(r->feature);
	free(r->value);
	sparse_init(r);
}

enum err sparse_item(
	struct sparse_rows *r, uint32_t feature, float value, struct err_ctx *ctx)
{
	if (r->n_items == r->cap_items) {
		size_t cap = r->cap_items ? 2 * r->cap_items : 4096;
		uint32_t *f = realloc(r->feature, cap * sizeof(*f));
		float *v;

		if (f)
			r->feature = f;
		v = f ? realloc(r->value, cap * sizeof(*v)) : NULL;
		if (!v)
			return err_set(ctx, ERR_NOMEM, "out of memory for features");
		r->value = v;
		r->cap_items = cap;
	}
	r->feature[r->n_items] = feature;
	r->value[r->n_items++] = value;
	return ERR_OK;
}

enum err sparse_end_row(struct sparse_rows *r, struct err_ctx *ctx)
{
	double norm = 0;

	if (r->n + 2 > r->cap_rows) {
		size_t cap = r->cap_rows ? 2 * r->cap_rows : 1024;
		size_t *s = realloc(r->start, cap * sizeof(*s));

		if (!s)
			return err_set(ctx, ERR_NOMEM, "out of memory for features");
		if (!r->cap_rows)
			s[0] = 0;
		r->start = s;
		r->cap_rows = cap;
	}
	for (size_t i = r->start[r->n]; i < r->n_items; i++)
		norm += (double)r->value[i] * (double)r->value[i];
	for (size_t i = r->start[r->n]; i < r->n_items && norm > 0; i++)
		r->value[i] = (float)((double)r->value[i] / sqrt(norm));
	r->start[++r->n] = r->n_items;
	return ERR_OK;
}

void linear_release(struct linear_model *m)
{
	free(m->w);
	m->w = NULL;
}

HOT static void add_row(float *scores, const float *w, float x, size_t n)
{
	for (size_t c = 0; c < n; c++)
		scores[c] += x * w[c];
}

void linear_scores(const struct linear_model *m, const struct sparse_rows *rows, size_t i,
	float *scores)
{
	size_t n = m->n_classes;

	memcpy(scores, m->w + m->n_features * n, n * sizeof(*scores));
	for (size_t k = rows->start[i]; k < rows->start[i + 1]; k++)
		add_row(scores, m->w + rows->feature[k] * n, rows->value[k], n);
}

/* One example against all classes: moves its dual variables, then the weights. */
static void visit(struct linear_model *m, const struct sparse_rows *rows, size_t i,
	int16_t label, float *alpha, float *scores, double cost)
{
	size_t n = m->n_classes, n_moved = 0;
	double diagonal = 1 / (2 * cost), q = diagonal + 1;

	for (size_t k = rows->start[i]; k < rows->start[i + 1]; k++)
		q += (double)rows->value[k] * (double)rows->value[k];
	linear_scores(m, rows, i, scores);
	for (size_t c = 0; c < n; c++) {
		double y = (int)c == label ? 1 : -1, a = (double)alpha[c];
		double slope = y * (double)scores[c] - 1 + diagonal * a, next;

		next = a - slope / q;
		next = next > 0 ? next : 0;
		alpha[c] = (float)next;
		scores[c] = (float)((next - a) * y);
		n_moved += fabs(next - a) > 1e-9;
	}
	if (!n_moved)
		return;
	add_row(m->w + m->n_features * n, scores, 1, n);
	for (size_t k = rows->start[i]; k < rows->start[i + 1]; k++)
		add_row(m->w + rows->feature[k] * n, scores, rows->value[k], n);
}

enum err linear_train(struct linear_model *m, const struct sparse_rows *rows,
	const int16_t *label, const struct linear_options *o, struct rng *rng,
	struct err_ctx *ctx)
{
	float *alpha = calloc(rows->n * m->n_classes + 1, sizeof(*alpha));
	float *scores = malloc((m->n_classes + 1) * sizeof(*scores));
	uint32_t *order = malloc((rows->n + 1) * sizeof(*order));
	enum err err = ERR_OK;

	m->w = calloc((m->n_features + 1) * m->n_classes + 1, sizeof(*m->w));
	if (!m->w || !alpha || !scores || !order)
		err = err_set(ctx, ERR_NOMEM, "out of memory for a linear classifier");
	for (size_t i = 0; i < rows->n && !err; i++)
		order[i] = (uint32_t)i;
	for (uint32_t sweep = 0; sweep < o->sweeps && !err; sweep++) {
		rng_shuffle(rng, order, rows->n);
		for (size_t i = 0; i < rows->n; i++)
			visit(m, rows, order[i], label[order[i]],
				alpha + order[i] * m->n_classes, scores, o->cost);
	}
	free(alpha);
	free(scores);
	free(order);
	return err;
}
