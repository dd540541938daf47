/* How a sub-network's flat vector lies in the supernet's: runs of consecutive floats. */
#ifndef HAWSER_TRAIN_SLICES_H
#define HAWSER_TRAIN_SLICES_H

#include "src/base/err.h"
#include "src/model/weights.h"
#include "src/train/real.h"

struct slice {
	uint32_t sub, super, n;
};

struct slices {
	struct slice *s;
	size_t n, cap;
	uint32_t *map; /* scratch */
	size_t map_cap;
};

void slices_init(struct slices *s);
void slices_release(struct slices *s);
/* From weights_map; reuses the memory. */
enum err slices_make(struct slices *s, const struct layout *sub, const struct layout *super,
	struct err_ctx *ctx);
/* sub <- super */
void slices_gather(const struct slices *s, const real *super, real *sub);
/* super += sub */
void slices_add(const struct slices *s, const real *sub, real *super);

#endif
