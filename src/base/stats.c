#include "src/base/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double stats_mean(const double *x, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += x[i];
	return n ? s / (double)n : NAN;
}

double stats_sd(const double *x, size_t n)
{
	double m = stats_mean(x, n), s = 0;

	if (n < 2)
		return NAN;
	for (size_t i = 0; i < n; i++)
		s += (x[i] - m) * (x[i] - m);
	return sqrt(s / (double)(n - 1));
}

double stats_min(const double *x, size_t n)
{
	double m = n ? x[0] : NAN;

	for (size_t i = 1; i < n; i++)
		m = x[i] < m ? x[i] : m;
	return m;
}

double stats_max(const double *x, size_t n)
{
	double m = n ? x[0] : NAN;

	for (size_t i = 1; i < n; i++)
		m = x[i] > m ? x[i] : m;
	return m;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void stats_sort(double *x, size_t n)
{
	if (n)
		qsort(x, n, sizeof(*x), compare);
}

double stats_quantile_sorted(const double *x, size_t n, double q)
{
	double at;
	size_t i;

	if (!n)
		return NAN;
	at = q * (double)(n - 1);
	i = (size_t)at;
	if (i + 1 >= n)
		return x[n - 1];
	return x[i] + (at - (double)i) * (x[i + 1] - x[i]);
}

double stats_quantile(const double *x, size_t n, double q)
{
	double *copy, result;

	if (!n)
		return NAN;
	copy = malloc(n * sizeof(*copy));
	if (!copy)
		return NAN;
	memcpy(copy, x, n * sizeof(*copy));
	stats_sort(copy, n);
	result = stats_quantile_sorted(copy, n, q);
	free(copy);
	return result;
}

double stats_median(const double *x, size_t n)
{
	return stats_quantile(x, n, 0.5);
}

#define BOOTSTRAP_DRAWS 1000

struct interval stats_median_interval(
	const double *x, size_t n, double confidence, struct rng *rng)
{
	struct interval result = {NAN, NAN};
	double *draw = malloc((n ? n : 1) * sizeof(*draw));
	double *medians = malloc(BOOTSTRAP_DRAWS * sizeof(*medians));

	if (draw && medians && n) {
		for (size_t b = 0; b < BOOTSTRAP_DRAWS; b++) {
			for (size_t i = 0; i < n; i++)
				draw[i] = x[rng_below(rng, n)];
			stats_sort(draw, n);
			medians[b] = stats_quantile_sorted(draw, n, 0.5);
		}
		stats_sort(medians, BOOTSTRAP_DRAWS);
		result.lo = stats_quantile_sorted(
			medians, BOOTSTRAP_DRAWS, (1 - confidence) / 2);
		result.hi = stats_quantile_sorted(
			medians, BOOTSTRAP_DRAWS, (1 + confidence) / 2);
	}
	free(draw);
	free(medians);
	return result;
}

struct interval stats_binomial_interval(double k, double n)
{
	const double z = 1.959963984540054;
	struct interval result = {NAN, NAN};
	double p, centre, half, scale;

	if (!(n > 0))
		return result;
	p = k / n;
	scale = 1 / (1 + z * z / n);
	centre = (p + z * z / (2 * n)) * scale;
	half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) * scale;
	result.lo = centre - half < 0 ? 0 : centre - half;
	result.hi = centre + half > 1 ? 1 : centre + half;
	return result;
}

double stats_kendall_tau(const double *x, const double *y, size_t n)
{
	double concordant = 0, tie_x = 0, tie_y = 0, pairs = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			int a = (x[i] > x[j]) - (x[i] < x[j]);
			int b = (y[i] > y[j]) - (y[i] < y[j]);

			concordant += a * b;
			tie_x += a == 0;
			tie_y += b == 0;
			pairs++;
		}
	}
	if (pairs - tie_x <= 0 || pairs - tie_y <= 0)
		return NAN;
	return concordant / sqrt((pairs - tie_x) * (pairs - tie_y));
}

double stats_mape(const double *predicted, const double *truth, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += fabs(predicted[i] - truth[i]) / fabs(truth[i]);
	return n ? s / (double)n : NAN;
}

double stats_within(const double *predicted, const double *truth, size_t n, double tol)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += fabs(predicted[i] - truth[i]) <= tol * fabs(truth[i]);
	return n ? (double)k / (double)n : NAN;
}
