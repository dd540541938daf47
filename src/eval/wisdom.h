/* What is known of the fastest schedules on one device, for the builds made for it: the
 * store's wisdom, and its growth by tuning.
 *
 * A row is stored before it is used and never changes, so that a build made with it is
 * made again after a kill.
 */
#ifndef HAWSER_EVAL_WISDOM_H
#define HAWSER_EVAL_WISDOM_H

#include <pthread.h>

#include "src/codegen/codegen.h"
#include "src/eval/tune.h"

struct wisdom {
	struct store *store; /* borrowed, as the next three */
	pthread_mutex_t *lock; /* of the store; NULL: nobody else uses it */
	struct device *device;
	const char *results;
	int64_t last; /* only rows up to this number are used; INT64_MAX: all */
	/* The tuner of each level that was asked for, and what it has found. */
	struct wisdom_level {
		int is_open;
		struct artefact tuner;
		struct store_wisdom *rows;
		struct tuned *tuned; /* the same, for codegen_input */
		size_t n;
	} level[N_OPT_LEVELS];
};

void wisdom_init(struct wisdom *w, struct store *store, pthread_mutex_t *lock,
	struct device *device, const char *results, int64_t last);
void wisdom_release(struct wisdom *w); /* a zeroed one is allowed */
/* Loads what the store has for the network's kernels; with `tune` makes a tuner ready for
 * wisdom_tune. Without, a device that was never tuned costs nothing, and one that cannot be
 * is no error. */
enum err wisdom_open(
	struct wisdom *w, const struct genome *g, int tune, struct err_ctx *ctx);
/* How many shapes of `in` are not known; none when it was not made ready. */
enum err wisdom_missing(const struct wisdom *w, const struct codegen_input *in, size_t *n,
	struct err_ctx *ctx);
/* Times those on the device and stores them; *n_timed says how many they were. */
enum err wisdom_tune(struct wisdom *w, const struct codegen_input *in,
	const struct tune_options *o, size_t *n_timed, struct err_ctx *ctx);
/* Gives `in` what was loaded for its network. Safe from several threads at once. */
void wisdom_apply(const struct wisdom *w, struct codegen_input *in);
/* The row of a shape, or NULL. */
const struct store_wisdom *wisdom_find(
	const struct wisdom *w, enum opt_level opt, const struct product *shape);

#endif
