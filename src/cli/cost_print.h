/* Scores of cost models as a table for people and as JSON. */
#ifndef HAWSER_CLI_COST_PRINT_H
#define HAWSER_CLI_COST_PRINT_H

#include <jansson.h>

#include "cost_models/cost_model.h"
#include "src/base/buf.h"

struct cost_result {
	const char *target;	/* "latency_us@local", or a column */
	const char *provenance; /* "measured", "simulated", "emulated", "table" */
	const char *method;	/* "5-fold cross-validation" ... */
	const struct cost_model_kind *used;
	const struct cost_score *scores; /* [cost_model_count()] in the order to print */
};

void cost_print_table(struct buf *out, const struct cost_result *r);
/* A new reference; NULL when out of memory. */
json_t *cost_print_json(const struct cost_result *r);

#endif
