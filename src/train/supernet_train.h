/* Training of a supernet's weights, apart from keeping and serving them. Private. */
#ifndef HAWSER_TRAIN_SUPERNET_TRAIN_H
#define HAWSER_TRAIN_SUPERNET_TRAIN_H

#include "src/train/train.h"

struct supernet {
	struct layout *layout;
	struct task_shape task;
	struct hash hash;
	float *w; /* [layout->n_floats] */
};

/* Trains s->w from the start or from the checkpoint, which is left behind when cancelled and
 * is the caller's to remove at the end. */
enum err supernet_train(struct supernet *s, struct corpus *c, const struct sampler *sampler,
	const struct train_options *o, const char *checkpoint, struct err_ctx *ctx);

#endif
