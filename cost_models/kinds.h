/* What the kinds share among themselves: not for callers. Each kind's file completes
 * `struct cost_model` for itself; nobody else looks inside.
 */
#ifndef HAWSER_COST_MODELS_KINDS_H
#define HAWSER_COST_MODELS_KINDS_H

#include <stdint.h>

#include "cost_models/cost_model.h"

#define COST_MAX_P 1024	   /* features of one model */
#define COST_MAX_N 1000000 /* rows of one fit */

extern const struct cost_model_kind cost_kind_mean, cost_kind_macs, cost_kind_depth,
	cost_kind_ridge, cost_kind_huber, cost_kind_bayes, cost_kind_gp, cost_kind_trees;

/* n >= 1, p in range, x finite, y positive and finite; the message names row and column.
 */
enum err cost_data_check(
	const double *x, const double *y, size_t n, size_t p, struct err_ctx *ctx);

/* The constant c that minimises sum |c - y| / y: the median of y weighted by 1 / y. NAN
 * when out of memory. */
double cost_best_constant(const double *y, size_t n);

/* Makes a linear prediction f positive without losing its order: below half of the
 * smallest y that was seen it bends to a hyperbola that meets the line there with the same
 * slope, so that a line at zero still gives a quarter of the smallest; above 100
 * times the largest it is cut. */
double cost_positive(double f, double y_lo, double y_hi);

/* Relative error of a model that saw n rows can not be known below this. */
double cost_sigma_floor(size_t n);

/* Cross-validation (score.c). The number of folds: k, or n where k folds would be thin. */
size_t cost_n_folds(size_t n, size_t k);
/* The fold of each row: a drawn permutation, dealt out in turn. */
enum err cost_draw_folds(
	size_t n, size_t k, unsigned long seed, uint32_t *fold, struct err_ctx *ctx);
/* Does a predict better than b, by more than two standard errors of the paired
 * difference? */
int cost_beats(const double *a, const double *b, const double *y, size_t n);

#endif
