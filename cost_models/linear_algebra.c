#include "cost_models/linear_algebra.h"

#include <math.h>

/* Four sums keep the adders busy; the order is fixed, so results repeat. */
double la_dot(const double *a, const double *b, size_t n)
{
	double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
	size_t i = 0;

	for (; i + 4 <= n; i += 4) {
		s0 += a[i] * b[i];
		s1 += a[i + 1] * b[i + 1];
		s2 += a[i + 2] * b[i + 2];
		s3 += a[i + 3] * b[i + 3];
	}
	for (; i < n; i++)
		s0 += a[i] * b[i];
	return (s0 + s1) + (s2 + s3);
}

int la_cholesky(double *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double *row = a + i * n, d;

		for (size_t j = 0; j < i; j++)
			row[j] = (row[j] - la_dot(row, a + j * n, j)) / a[j * n + j];
		d = row[i] - la_dot(row, row, i);
		if (!(d > 0) || !isfinite(d))
			return 0;
		row[i] = sqrt(d);
	}
	return 1;
}

void la_solve_lower(const double *l, size_t n, double *b)
{
	for (size_t i = 0; i < n; i++)
		b[i] = (b[i] - la_dot(l + i * n, b, i)) / l[i * n + i];
}

void la_solve_upper(const double *l, size_t n, double *b)
{
	for (size_t i = n; i-- > 0;) {
		b[i] /= l[i * n + i];
		for (size_t j = 0; j < i; j++)
			b[j] -= l[i * n + j] * b[i];
	}
}

double la_log_det(const double *l, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += log(l[i * n + i]);
	return 2 * s;
}
