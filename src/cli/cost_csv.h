/* A CSV file of numbers as the cost models' rows: for `cost score --csv`, so that
 * published tables can be scored beside our own measurements. A header line, ',' between
 * fields, no quotes; the target may be a sum "a+b". Columns with any cell that is not a
 * finite number cannot be used.
 */
#ifndef HAWSER_CLI_COST_CSV_H
#define HAWSER_CLI_COST_CSV_H

#include <stddef.h>

#include "src/base/err.h"

struct cost_csv {
	size_t n, p;
	double *x;    /* [n, p] owned */
	double *y;    /* [n] owned */
	char **names; /* [p] owned */
};

/* `features`: column names with ',' between; NULL: every usable column that is not part
 * of the target. `products` appends the product of every pair of columns (squares
 * included) after them. */
enum err cost_csv_read(struct cost_csv *t, const char *path, const char *target,
	const char *features, int products, struct err_ctx *ctx);
void cost_csv_release(struct cost_csv *t);

#endif
