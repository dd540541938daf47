/* What a report is made of, gathered once; the plots and the page that are made of it.
 * Private to src/report.
 */
#ifndef HAWSER_REPORT_MATERIAL_H
#define HAWSER_REPORT_MATERIAL_H

#include "src/report/facts.h"

/* The distribution of wall times of one inference, pooled over processes. */
struct spread {
	struct hash candidate;
	double q_us[5]; /* 5, 25, 50, 75, 95 % */
};

/* How well something ranks and predicts a cost. */
struct agreement {
	size_t n;
	double tau;  /* Kendall's, NAN when it cannot be told */
	double mape; /* fraction; NAN for a proxy in other units */
};

#define MATERIAL_SPREADS 24

struct material {
	struct facts f;
	struct front all; /* every candidate with a value, front members marked */
	size_t n_front, n_finalists;
	struct store_generation *generations;
	size_t n_generations;
	struct store_prediction *predictions;
	size_t n_predictions;
	struct store_failure *failures;
	size_t n_failures;
	struct store_device *devices; /* all of the database */
	size_t n_devices;
	struct spread spreads[MATERIAL_SPREADS]; /* of front members, fastest first */
	size_t n_spreads;
	int cost; /* objective of the x axis: the first cost on a device, else any cost;
		     -1 */
	int quality; /* objective of the y axis: the first quality, else a second cost; -1
		      */
};

enum err material_load(
	struct store *s, const char *job, struct material *m, struct err_ctx *ctx);
void material_release(struct material *m);
/* Predictions made before measuring, against what was measured then. */
struct agreement material_predicted(const struct material *m);
/* Multiply-adds alone against the cost. */
struct agreement material_macs(const struct material *m);
/* Of the front's members, how many a front of (macs, quality) has too. */
size_t material_macs_front(const struct material *m, size_t *n_macs_front);

/* ---- plots: a gnuplot script and its data each */
struct plot {
	const char *name; /* of its files: "front" -> front.gp, front.dat, front.svg,
			     front.png */
	const char *title;
	const char *caption;
	/* 0 when there is nothing to draw. The script plots; terminals and output are set
	 * around it. */
	int (*write)(const struct material *m, struct buf *data, struct buf *script);
};
extern const struct plot report_plots[];
extern const size_t n_report_plots;

/* The page; svg[i] is the drawing of report_plots[i], "" without one. */
enum err page_write(const struct material *m, const struct buf *svg, struct buf *out,
	struct err_ctx *ctx);
/* Tables of the page. */
void page_front(const struct material *m, struct buf *out);
void page_finalists(const struct material *m, struct buf *out);
void page_models(const struct material *m, struct buf *out);
void page_failures(const struct material *m, struct buf *out);
void page_devices(const struct material *m, struct buf *out);
void page_notes(const struct material *m, struct buf *out);

#endif
