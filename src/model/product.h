/* A matrix product as far as its speed depends on it, and which schedule was found to be
 * the fastest for it on some device: what tuning measures and code generation uses.
 */
#ifndef HAWSER_MODEL_PRODUCT_H
#define HAWSER_MODEL_PRODUCT_H

#include <stdint.h>

#include "src/model/genome.h"

#define PRODUCT_MAX_SCHEDULES 8
#define PRODUCTS_MAX (8 + 8 * GENOME_MAX_LAYERS) /* of one network */

struct product {
	uint8_t bits;	     /* of the weights: 32, 8 or 4 */
	uint32_t n, in, out; /* x [n, in], w [out, in] */
};

struct tuned {
	struct product shape;
	uint8_t schedule; /* enum kernel_schedule of src/infer/kernels.h */
};

static inline int product_equal(const struct product *a, const struct product *b)
{
	return a->bits == b->bits && a->n == b->n && a->in == b->in && a->out == b->out;
}

/* The kernel that does it: "linear_i8". */
static inline const char *product_kernel(const struct product *p)
{
	return p->bits == 32 ? "linear_f32" : p->bits == 8 ? "linear_i8" : "linear_i4";
}

#endif
