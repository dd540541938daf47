/* What a training run has in common, alone or as a supernet: lengths and its live line. */
#ifndef HAWSER_TRAIN_RUN_H
#define HAWSER_TRAIN_RUN_H

#include "src/train/net.h"
#include "src/train/train.h"

/* Updates for n_train sequences; at least 1. */
uint64_t train_steps(const struct train_options *o, size_t n_train);
/* The first update with fake-quantised weights. */
uint64_t train_qat_from(const struct train_options *o, uint64_t n_steps);
/* Ranges of all options, for structs filled without train_options_set. */
enum err train_options_check(const struct train_options *o, struct err_ctx *ctx);

struct report {
	struct progress *progress;
	double loss; /* running mean */
	uint64_t last_eval_ns, eval_ns;
	char brief[64];
};
/* Redraws the line; now and then evaluates the weights on the validation split. Changes
 * nothing that training depends on. */
void report_step(struct report *r, struct corpus *c, const struct net *net, const real *w,
	double loss, uint64_t done);

#endif
