/* Small statistics on arrays of doubles. Inputs are borrowed and not changed unless the
 * name says so. Functions on empty input return NAN.
 */
#ifndef HAWSER_BASE_STATS_H
#define HAWSER_BASE_STATS_H

#include <stddef.h>

#include "src/base/rng.h"

struct interval {
	double lo, hi;
};

double stats_mean(const double *x, size_t n);
double stats_sd(const double *x, size_t n); /* n - 1 in the denominator */
double stats_min(const double *x, size_t n);
double stats_max(const double *x, size_t n);
void stats_sort(double *x, size_t n);
/* Linear interpolation between order statistics (type 7); x must be sorted. */
double stats_quantile_sorted(const double *x, size_t n, double q);
double stats_quantile(const double *x, size_t n, double q);
double stats_median(const double *x, size_t n);
/* Percentile bootstrap interval of the median; deterministic for one generator. */
struct interval stats_median_interval(
	const double *x, size_t n, double confidence, struct rng *rng);
/* Wilson score interval of k successes in n, at 95 %. */
struct interval stats_binomial_interval(double k, double n);
/* Kendall's tau-b, O(n^2); NAN when a side is constant. */
double stats_kendall_tau(const double *x, const double *y, size_t n);
/* Mean of |p - t| / |t|, as a fraction. */
double stats_mape(const double *predicted, const double *truth, size_t n);
/* Share of predictions with |p - t| <= tol * |t|. */
double stats_within(const double *predicted, const double *truth, size_t n, double tol);

#endif
