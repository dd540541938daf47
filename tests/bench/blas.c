#include "tests/bench/blas.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

struct blas_work {
	const struct shape *shape;
	float *weights, *x, *y; /* x, y: [seq, the widest] */
};

static size_t layer_weights(const struct shape *s)
{
	return (size_t)s->d_model * (4u * s->d_model + 2u * s->d_ff);
}

struct blas_work *blas_work_new(const struct shape *s)
{
	size_t n = layer_weights(s) * s->n_layers;
	size_t wide = 3u * s->d_model > s->d_ff ? 3u * s->d_model : s->d_ff;
	struct blas_work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	openblas_set_num_threads(1);
	w->shape = s;
	w->weights = malloc(n * sizeof(float));
	w->x = calloc(s->seq_len * wide, sizeof(float));
	w->y = calloc(s->seq_len * wide, sizeof(float));
	if (!w->weights || !w->x || !w->y) {
		blas_work_free(w);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		w->weights[i] = (float)(i % 17) * 0.01f;
	return w;
}

void blas_work_free(struct blas_work *w)
{
	if (!w)
		return;
	free(w->weights);
	free(w->x);
	free(w->y);
	free(w);
}

static const float *product(
	const struct blas_work *w, const float *weights, int in, int out)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, w->shape->seq_len, out, in,
		1, w->x, in, weights, in, 0, w->y, out);
	return weights + (size_t)in * (size_t)out;
}

void blas_work_run(void *self)
{
	const struct blas_work *w = self;
	const float *at = w->weights;
	int d = w->shape->d_model, ff = w->shape->d_ff;

	for (int i = 0; i < w->shape->n_layers; i++) {
		at = product(w, at, d, 3 * d);
		at = product(w, at, d, d);
		at = product(w, at, d, ff);
		at = product(w, at, ff, d);
	}
}

double blas_work_macs(const struct shape *s)
{
	return (double)layer_weights(s) * s->n_layers * s->seq_len;
}

void blas_core_name(char *out, size_t cap)
{
	snprintf(out, cap, "%s", openblas_get_corename());
}
