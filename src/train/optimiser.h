/* AdamW (Loshchilov and Hutter 2019) with betas 0.9 and 0.98, decay on matrices only, gradients
 * clipped by their global norm; warm-up and cosine schedule. */
#ifndef HAWSER_TRAIN_OPTIMISER_H
#define HAWSER_TRAIN_OPTIMISER_H

#include "src/base/err.h"
#include "src/model/weights.h"
#include "src/train/real.h"

struct optimiser {
	size_t n;
	real *m, *v; /* [n] first and second moments; owned */
	uint64_t step; /* updates done */
};

enum err optimiser_init(struct optimiser *o, size_t n, struct err_ctx *ctx);
void optimiser_release(struct optimiser *o);

struct update {
	const struct layout *layout; /* says which floats are matrices */
	real *w, *grad; /* [n]; grad is scaled in place when clipped */
	double lr, weight_decay, clip;
};
/* One update; returns the norm of the gradient before clipping. A gradient that is not
 * finite changes nothing and returns NAN. */
double optimiser_step(struct optimiser *o, const struct update *u);

/* Peak rate times: linear warm-up over the first tenth, then cosine to zero. */
double schedule_rate(double peak, uint64_t step, uint64_t n_steps);

#endif
