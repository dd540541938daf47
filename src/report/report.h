/* From the store to what people and programs read: tables, CSV, JSON, plots, HTML.
 *
 * Reads facts through src/store; writes text to a buffer or files to a folder. Numbers
 * keep their provenance: measured, simulated, inherited, trained, predicted.
 */
#ifndef HAWSER_REPORT_REPORT_H
#define HAWSER_REPORT_REPORT_H

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/model/objective.h"
#include "src/store/store.h"

/* One candidate with everything the store knows, collected for a job. */
struct front_point {
	struct hash candidate, build, device; /* build, device: of the last measurement */
	/* Of the first board that was measured: all of its RAM, and the stack in it; else 0. */
	char board[96];
	uint64_t ram_bytes;
	uint32_t stack_bytes;
	int emulated; /* that board was */
	char text[GENOME_TEXT_MAX];
	int finalist;
	struct value v[OBJECTIVES_MAX]; /* in the job's order; quality: trained where it
					   is, else inherited; latency: last look */
	struct value test[OBJECTIVES_MAX]; /* quality on the test split (finalists) */
	int n_seeds;			   /* behind the test values */
	int on_front;			   /* not dominated, by value */
	/* Another front member costs no more and its quality interval overlaps this
	 * one's: what this one costs more buys no quality that can be told apart. */
	int tied;
	struct hash tied_with; /* the cheapest such; zero unless tied */
};
struct front {
	char job[128];
	struct objective objectives[OBJECTIVES_MAX];
	size_t n_objectives;
	struct front_point *points; /* owned; sorted by the first cost objective */
	size_t n;
	/* "(linear, TF-IDF): slot_f1 86.98 (test 86.78), ..." of the baseline, and "slot_f1
	 * 0.41, ..." of Kendall's tau of multiply-adds alone; "" while the job has not got
	 * there. */
	char baseline[256], macs_tau[160];
};
struct front_query {
	const char *job;		    /* NULL: the newest */
	const struct objective *objectives; /* n 0: the job's own */
	size_t n_objectives;
	const struct limit *where;
	size_t n_where;
	int all;	    /* every evaluated candidate, not only the front */
	int finalists_only; /* those with trained weights and a test score */
	const char *best;   /* only the best point: a metric ("latency_us@local", "macs"),
			       an objective's metric without its device, or "accuracy" for
			       the first quality objective; NULL: all */
};
/* The job's own objectives, as stored. ERR_INVALID when it has none. */
enum err front_objectives(struct store *s, const char *job,
	struct objective out[OBJECTIVES_MAX], size_t *n, struct err_ctx *ctx);
enum err front_collect(struct store *s, const struct front_query *q, struct front *out,
	struct err_ctx *ctx);
void front_release(struct front *f);
enum err front_table(
	const struct front *f, int colour, struct buf *out, struct err_ctx *ctx);
enum err front_csv(const struct front *f, struct buf *out, struct err_ctx *ctx);
enum err front_json(const struct front *f, struct buf *out, struct err_ctx *ctx);

/* Everything about one candidate: genome, shapes, costs by op, builds, measurements and
 * accuracy. */
enum err show_text(struct store *s, const char *job, const struct hash *candidate,
	struct buf *out, struct err_ctx *ctx);
enum err show_json(struct store *s, const char *job, const struct hash *candidate,
	struct buf *out, struct err_ctx *ctx);
/* One screen about a job: state, generation, measured, failures, hypervolume, last
 * events. */
enum err status_text(struct store *s, const char *job, int colour, struct buf *out,
	struct err_ctx *ctx);
enum err status_json(
	struct store *s, const char *job, struct buf *out, struct err_ctx *ctx);

/* Writes front.csv, front.svg, front.png, hypervolume.*, predicted.*, latency.*,
 * index.html (self-contained) to `dir`. Plots are drawn by gnuplot through `run` (argv,
 * folder); when it is missing the page is still written, without plots, and ERR_TOOL says
 * so. */
struct report_tools {
	enum err (*run)(const char *const argv[], const char *cwd, unsigned timeout_s,
		struct buf *out, struct buf *err_out, struct err_ctx *ctx);
};
enum err report_write(struct store *s, const char *job, const char *dir,
	const struct report_tools *tools, struct err_ctx *ctx);

#endif
