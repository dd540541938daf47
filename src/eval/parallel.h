/* Runs independent items on a few threads. Items are claimed in order; results must not
 * depend on which thread takes which. The first error (by item) is returned.
 */
#ifndef HAWSER_EVAL_PARALLEL_H
#define HAWSER_EVAL_PARALLEL_H

#include <stddef.h>

#include "src/base/err.h"

typedef enum err (*parallel_item)(void *self, size_t i, struct err_ctx *ctx);
/* None is begun after one has failed. */
enum err parallel_for(size_t n, unsigned threads, parallel_item item, void *self,
	struct err_ctx *ctx);
/* A thread each, as far as there are threads, for items that wait more than they work; all to
 * their end, also when one fails. */
enum err parallel_all(size_t n, parallel_item item, void *self, struct err_ctx *ctx);
/* Processors this process may run on, at least 1. */
unsigned parallel_processors(void);

#endif
