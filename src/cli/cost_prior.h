/* `hawser cost score --prior`: what a model of one device is worth on another. */
#ifndef HAWSER_CLI_COST_PRIOR_H
#define HAWSER_CLI_COST_PRIOR_H

#include <jansson.h>

#include "src/base/buf.h"
#include "src/store/store.h"

/* Learning curves for each measured quantity of the job (NULL: the newest) on each device,
 * with the prior that a search on it would begin with if it had never been measured
 * (src/eval/cost_priors.h), or with that of `device` ("auto": any). Into `json` (an array)
 * unless NULL, else into `text`. ERR_NOTFOUND when there is nothing to start from, or
 * nothing to score. */
enum err cost_prior_score(struct store *s, const char *job, const char *device,
	json_t *json, struct buf *text, struct err_ctx *ctx);

#endif
