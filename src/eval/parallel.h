/* Runs independent items on a few threads. Items are claimed in order; results must not
 * depend on which thread takes which. The first error (by item) is returned.
 */
#ifndef HAWSER_EVAL_PARALLEL_H
#define HAWSER_EVAL_PARALLEL_H

#include <stddef.h>

#include "src/base/err.h"

enum err parallel_for(size_t n, unsigned threads,
	enum err (*item)(void *self, size_t i, struct err_ctx *ctx), void *self,
	struct err_ctx *ctx);
/* Processors this process may run on, at least 1. */
unsigned parallel_processors(void);

#endif
