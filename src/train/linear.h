/* A sparse linear classifier: one-against-rest support vector machines with squared hinge loss,
 * trained by dual coordinate descent (Hsieh et al. 2008), all classes in one sweep so that
 * inner loops run over classes. Private to the baseline. */
#ifndef HAWSER_TRAIN_LINEAR_H
#define HAWSER_TRAIN_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/base/rng.h"

/* Features are 64-bit hashes of their names; the dictionary numbers those seen twice or more. */
struct dictionary {
	uint64_t *key;	 /* 0: empty */
	uint32_t *count; /* rows with it */
	uint32_t *index; /* UINT32_MAX: too rare */
	size_t cap, used;
	uint32_t n; /* numbered */
};
void dictionary_init(struct dictionary *d);
void dictionary_release(struct dictionary *d);
/* Counts a feature once for a row (the caller removes doubles). */
enum err dictionary_count(struct dictionary *d, uint64_t key, struct err_ctx *ctx);
void dictionary_number(struct dictionary *d, uint32_t least_count);
/* Slot of a key, or SIZE_MAX. */
size_t dictionary_find(const struct dictionary *d, uint64_t key);

struct sparse_rows {
	size_t n, n_items, cap_rows, cap_items;
	size_t *start; /* [n + 1] */
	uint32_t *feature;
	float *value;
};
void sparse_init(struct sparse_rows *r);
void sparse_release(struct sparse_rows *r);
enum err sparse_item(struct sparse_rows *r, uint32_t feature, float value, struct err_ctx *ctx);
/* Ends a row and scales it to length 1. */
enum err sparse_end_row(struct sparse_rows *r, struct err_ctx *ctx);

struct linear_model {
	size_t n_features, n_classes;
	float *w; /* [n_features + 1][n_classes], the last row is the bias */
};
struct linear_options {
	double cost;
	uint32_t sweeps;
};
enum err linear_train(struct linear_model *m, const struct sparse_rows *rows,
	const int16_t *label, const struct linear_options *o, struct rng *rng,
	struct err_ctx *ctx);
void linear_release(struct linear_model *m);
/* scores [n_classes] of row i */
void linear_scores(
	const struct linear_model *m, const struct sparse_rows *rows, size_t i, float *scores);

#endif
