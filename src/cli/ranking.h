/* How well inherited weights rank: `hawser train --check-ranking`. */
#ifndef HAWSER_CLI_RANKING_H
#define HAWSER_CLI_RANKING_H

#include "search/space/space.h"
#include "src/train/train.h"

struct ranking_options {
	size_t n_networks;
	unsigned threads;
	struct train_options supernet, alone; /* alone.seed and the next one are used */
	const char *cache_dir;
	struct progress *progress;
};

struct ranked {
	struct genome g;
	double macs;	  /* at the mean length of validation */
	double inherited; /* quality on validation; larger is better */
	double alone[2];  /* two seeds */
};

struct ranking {
	size_t n;
	struct ranked *r; /* by MACs; owned */
	double tau;	  /* inherited against the mean of the seeds */
	double tau_seeds; /* ceiling: one seed against the other */
	double tau_macs;  /* baseline */
	/* pairs more than 1.5 apart alone, and those ordered right */
	size_t n_pairs, n_right;
};

enum err ranking_check(struct ranking *out, struct corpus *c, const struct space *space,
	const struct ranking_options *o, struct err_ctx *ctx);
void ranking_release(struct ranking *r);

#endif
