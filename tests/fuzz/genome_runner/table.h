/* The models of a batch as their runner sees them: each was compiled with its entry points
 * renamed, and the batch's generated table.c lists them. */
#ifndef HAWSER_TESTS_FUZZ_GENOME_RUNNER_TABLE_H
#define HAWSER_TESTS_FUZZ_GENOME_RUNNER_TABLE_H

#include "src/infer/model_api.h"

#define MODEL_REDZONE 64 /* bytes behind the weights that belong to nobody */

struct model {
	uint32_t index; /* of the genome */
	const struct model_info *info;
	const struct model_golden *golden;
	const uint32_t *n_golden;
	const float *tolerance;
	const uint8_t *weights_end; /* 0: what lies behind them is not watched */
	int (*run)(const int32_t *ids, uint32_t n, struct model_output *out);
	void (*reset)(void);
};

extern const struct model models[];
extern const uint32_t n_models;

#endif
