/* Pieces of gnuplot scripts and data files. Private to src/report. */
#ifndef HAWSER_REPORT_PLOT_SCRIPT_H
#define HAWSER_REPORT_PLOT_SCRIPT_H

#include "src/base/buf.h"
#include "src/model/objective.h"

/* Colours that stand on white and on black. */
#define BLUE "'#3a7bd5'"
#define ORANGE "'#e07b39'"
#define GREY "'#9a9a9a'"
#define GREEN "'#2f9e6b'"

/* A single-quoted string of gnuplot, which ends up in an SVG: no markup either. */
void script_quoted(struct buf *script, const char *s);
/* The label of axis 'x' or 'y'. */
void script_axis(struct buf *script, char which, const struct objective *o);
/* "plot" for the first clause (*n == 0), a comma for the next; counts. */
const char *script_clause(int *n);

/* Smallest and largest of the positive numbers that were shown to it; zeroed at first. */
struct range {
	double lo, hi;
};
void range_add(struct range *r, double v);
/* A logarithmic axis that ends where the data ends, with tics at 1, 2 and 5. */
void script_log_axis(struct buf *script, char which, const struct range *r);

/* "nan" for what is not finite, with a blank behind. */
void data_number(struct buf *data, double v);
/* gnuplot tells data sets apart by two blank lines. */
void data_end_set(struct buf *data);

#endif
