/* The number type of training, its BLAS products and the switch for hot loops.
 *
 * `real` is float; a build with -DTRAIN_DOUBLE makes it double, so that gradients can be
 * checked against finite differences to 1e-6. Everything public stays float and is
 * converted at the edge (real_from_floats, real_to_floats).
 *
 * A file with hot loops includes "src/train/hot.h" after this one.
 */
#ifndef HAWSER_TRAIN_REAL_H
#define HAWSER_TRAIN_REAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef TRAIN_DOUBLE
typedef double real;
#else
typedef float real;
#endif

void real_from_floats(real *out, const float *in, size_t n);
void real_to_floats(float *out, const real *in, size_t n);

/* y[n, out] = x[n, in] w[out, in]^T + b[out]; b may be NULL. */
void linear_forward(size_t n, size_t in, size_t out, const real *x, const real *w,
	const real *b, real *y);

struct linear_grad {
	const real *x, *w, *dy;
	real *dx; /* NULL: not wanted */
	int add;  /* 1: dx is added to, 0: overwritten */
	real *dw, *db; /* always added to; db may be NULL */
};
void linear_backward(size_t n, size_t in, size_t out, const struct linear_grad *g);

/* x[i] = exp(x[i] - shift); returns nothing, vectorises. */
void exp_shifted(real *x, size_t n, real shift);
real erf_of(real x); /* absolute error < 2e-7 in fp32 */

/* One BLAS thread per worker; idempotent. Called by everything that trains or evaluates. */
void blas_init(void);

#endif
