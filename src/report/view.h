/* Everything the store knows about one candidate, for show_text and show_json. Private to
 * src/report.
 */
#ifndef HAWSER_REPORT_VIEW_H
#define HAWSER_REPORT_VIEW_H

#include "src/model/graph.h"
#include "src/report/facts.h"

struct view {
	struct facts f;
	struct store_failure *failures; /* of the whole job */
	size_t n_failures;
	uint32_t c; /* the candidate among the facts */
	const struct store_candidate *candidate;
	struct genome g;
	struct graph *graph; /* NULL when the task is not known */
	struct graph_cost cost;
	uint32_t n_tokens; /* that the costs are for */
};

enum err view_load(struct store *s, const char *job, const struct hash *candidate,
	struct view *v, struct err_ctx *ctx);
void view_release(struct view *v);
/* Multiply-adds of one op; they add up to cost.macs. */
double view_op_macs(const struct view *v, const struct op *op);
int view_is_mine(const struct view *v, const struct store_failure *x);

#endif
