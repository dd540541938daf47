/* The few dense routines that small models need: Cholesky on row-major matrices of
 * doubles, in place. Written here because Debian's libopenblas need not carry LAPACK, and
 * because a model of 60 features is too small to gain from it.
 */
#ifndef HAWSER_COST_MODELS_LINEAR_ALGEBRA_H
#define HAWSER_COST_MODELS_LINEAR_ALGEBRA_H

#include <stddef.h>

double la_dot(const double *a, const double *b, size_t n);
/* Lower triangle of a [n, n] becomes L with L L^T = a; the upper triangle is neither read
 * nor written. Returns 0 when a is not positive definite. */
int la_cholesky(double *a, size_t n);
/* b := L^-1 b, and b := L^-T b. */
void la_solve_lower(const double *l, size_t n, double *b);
void la_solve_upper(const double *l, size_t n, double *b);
/* log det(L L^T) */
double la_log_det(const double *l, size_t n);

#endif
