/* The products of a shape by OpenBLAS in fp32, nothing around them: a reference for how
 * much of the machine a general library's products reach at these sizes. */
#ifndef HAWSER_TESTS_BENCH_BLAS_H
#define HAWSER_TESTS_BENCH_BLAS_H

#include <stddef.h>

#include "tests/bench/shapes.h"

struct blas_work;
struct blas_work *blas_work_new(const struct shape *s); /* NULL: no memory */
void blas_work_free(struct blas_work *w);
/* Each layer's products with its own weights, one thread. */
void blas_work_run(void *w);
double blas_work_macs(const struct shape *s);
/* The kernels that OpenBLAS chose for this machine, and its version. */
void blas_core_name(char *out, size_t cap);

#endif
