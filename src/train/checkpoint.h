/* A supernet on disk: half-way, with all that resuming needs, or finished.
 *
 * Batches, dropout and sub-networks are functions of (seed, step), so weights, moments and the
 * step are the whole state; the order of random numbers is not stored. */
#ifndef HAWSER_TRAIN_CHECKPOINT_H
#define HAWSER_TRAIN_CHECKPOINT_H

#include "src/base/hash.h"
#include "src/train/optimiser.h"

enum err checkpoint_save(const char *path, const struct hash *key, const real *w,
	const struct optimiser *opt, struct err_ctx *ctx);
/* Fills w and opt (sized already). ERR_NOTFOUND: none; ERR_CORRUPT: unusable. */
enum err checkpoint_load(const char *path, const struct hash *key, real *w,
	struct optimiser *opt, struct err_ctx *ctx);

enum err finished_save(const char *path, const struct hash *key, const float *w, size_t n,
	struct err_ctx *ctx);
enum err finished_load(const char *path, const struct hash *key, float *w, size_t n,
	struct err_ctx *ctx);

#endif
