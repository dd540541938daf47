/* Kernels of static activation scales: the portable one by hand, those of the sets that
 * this processor has against their parts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/matrix_fixture.h"

typedef void act_fn(uint32_t n, float *x);
typedef void static_quant_fn(
	uint32_t n, uint32_t d, float inverse, const float *x, int8_t *q);
typedef void ln_static_fn(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, float inverse, int8_t *q);
typedef void rms_static_fn(uint32_t n, uint32_t d, const float *x, const float *gain,
	float *y, float inverse, int8_t *q);
typedef void linear_quant_fn(const struct linear *l, uint32_t n, const int8_t *x,
	float x_scale, float inverse, int8_t *q);

/* Of a set with FUSES_STATIC. */
struct kernel_row {
	const char *isa;
	static_quant_fn *static_quant;
	ln_static_fn *ln_static;
	rms_static_fn *rms_static;
	linear_quant_fn *i8_quant, *i4_quant;
};

#if defined(__x86_64__)
static_quant_fn x86_avx512vnni_quant_rows_static;
ln_static_fn x86_avx512vnni_norm_ln_quant_static;
rms_static_fn x86_avx512vnni_norm_rms_quant_static;
linear_quant_fn x86_avx512vnni_linear_i8_quant, x86_avx512vnni_linear_i4_quant;

static const struct kernel_row all[] = {
	{"x86-avx512vnni", x86_avx512vnni_quant_rows_static,
		x86_avx512vnni_norm_ln_quant_static, x86_avx512vnni_norm_rms_quant_static,
		x86_avx512vnni_linear_i8_quant, x86_avx512vnni_linear_i4_quant},
	{.isa = NULL},
};

static int runs_here(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
#else
static const struct kernel_row all[] = {{.isa = NULL}};

static int runs_here(void)
{
	return 0;
}
#endif

/* The next set that runs here; prints what is skipped. Starts with NULL. */
static const struct kernel_row *next_row(const struct kernel_row *k)
{
	for (k = k ? k + 1 : all; k->isa; k++) {
		if (runs_here())
			return k;
		print_message("SKIP: this processor is no %s\n", k->isa);
	}
	return NULL;
}

static void every_set_with_static_scales_is_tested(void **state)
{
	size_t n = 0, n_rows = 0;

	(void)state;
	for (size_t i = 0; kernel_set_at(i); i++)
		n += (kernel_set_at(i)->fuses & FUSES_STATIC) != 0;
	while (all[n_rows].isa)
		n_rows++;
#if defined(__x86_64__)
	assert_int_equal(n, n_rows);
#endif
}

/* Values on edges, far outside, and in between; also in place. */
static void quant_rows_static_rounds_and_saturates_to_the_bit(void **state)
{
	static const float edges[][2] = {{0.5f, 1}, {-0.5f, -1}, {0.49999997f, 0},
		{2.4999998f, 2}, {-2.5f, -3}, {126.49999f, 126}, {126.5f, 127},
		{127, 127}, {127.4f, 127}, {128, 127}, {-127.6f, -127}, {-128, -127},
		{3e9f, 127}, {-3e30f, -127}, {0, 0}, {-1e-30f, 0}};
	float few[16];
	int8_t q[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		few[i] = edges[i][0] * 4;
	quant_rows_static(2, 8, 0.25f, few, q);
	for (int i = 0; i < 16; i++)
		assert_int_equal(q[i], (int)edges[i][1]);
	for (const struct kernel_row *k = NULL; (k = next_row(k));)
		for (uint32_t i = 0; i < 400; i++) {
			uint32_t d = 1 + i % 67, n = 1 + i % 3, size = n * d;
			float *x = floats(size, i % 5 ? 60 : 1);
			int8_t *r = malloc(size);

			for (uint32_t j = 0; j < size; j++)
				if (i % 5 == 0)
					x[j] = edges[(i + j) % 16][0];
				else if (j % 3 == 0)
					x[j] = ((float)pick(253, 0) +
						       (float)pick(1, 0) * 6e-8f) /
					       2;
			quant_rows_static(n, d, 1, x, r);
			k->static_quant(n, d, 1, x, (int8_t *)x);
			assert_memory_equal(x, r, size);
			free(x), free(r);
		}
}

/* At most one apart, where floats may differ a little. */
static void compare_static(const int8_t *q, const int8_t *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(abs(q[i] - r[i]) <= 1 && q[i] != -128);
}

static void norms_with_static_scales_answer_like_their_parts(void **state)
{
	static const uint32_t widths[] = {1, 15, 16, 33, 64, 100, 129, 384};

	(void)state;
	for (const struct kernel_row *k = NULL; (k = next_row(k));)
		for (size_t i = 0; i < 8 * 8 * 4; i++) {
			uint32_t d = widths[i / 32], n = (uint32_t)(i % 8);
			size_t size = (size_t)n * d;
			float *x = floats(size, 2), *y = floats(size, 0);
			float *z = floats(size, 0), *g = floats(d, 1), *b = floats(d, 1);
			float *to = i & 8 ? z : NULL;
			int8_t *q = malloc(size + 1), *r = malloc(size + 1);

			q[size] = 99;
			if (i & 16) {
				norm_ln(n, d, x, g, b, y);
				k->ln_static(n, d, x, g, b, to, 60, q);
			} else {
				norm_rms(n, d, x, g, y);
				k->rms_static(n, d, x, g, to, 60, q);
			}
			quant_rows_static(n, d, 60, y, r);
			compare_static(q, r, size);
			assert_int_equal(q[size], 99);
			for (size_t j = 0; to && j < size; j++)
				assert_true(fabs((double)(y[j] - z[j])) <=
					    2 * (d + 16) * EPS * 20);
			free(x), free(y), free(z), free(g), free(b), free(q), free(r);
		}
}

/* `inverse` large enough that many saturate, or so small that all are zero. */
static void compare_static_product(
	const struct kernel_row *k, struct shape s, int bits, uint8_t act, float inverse)
{
	static act_fn *const acts[] = {NULL, act_relu, act_gelu, act_silu};
	size_t n_y = (size_t)s.n * s.out;
	int8_t *x = tokens((size_t)s.n * s.in, 0);
	int8_t *q = malloc(n_y + 1), *r = malloc(n_y + 1);
	float *xs = floats(s.n, 0), *y = floats(n_y, 0);
	struct matrix m;

	for (uint32_t t = 0; t < s.n; t++)
		xs[t] = bits == 8 ? 2e-4f : 2e-3f;
	matrix_init(&m, k->isa, s, bits, 0, 0);
	(bits == 8 ? linear_i8 : linear_i4)(&m.rows, s.n, x, xs, NULL, y);
	if (act)
		acts[act]((uint32_t)n_y, y);
	quant_rows_static(s.n, s.out, inverse, y, r);
	m.panels.act = act;
	q[n_y] = 99;
	(bits == 8 ? k->i8_quant : k->i4_quant)(&m.panels, s.n, x, xs[0], inverse, q);
	compare_static(q, r, n_y);
	assert_int_equal(q[n_y], 99);
	matrix_release(&m);
	free(x), free(q), free(r), free(xs), free(y);
}

static void products_with_static_scales_answer_like_their_parts(void **state)
{
	static const float inverses[] = {1e-6f, 30, 1e3f};

	(void)state;
	for (const struct kernel_row *k = NULL; (k = next_row(k));)
		for (size_t i = 0; i < N_SHAPES * 12; i++) {
			uint8_t act = (uint8_t)(i % 4);
			float inverse = inverses[i / 4 % 3];

			compare_static_product(k, shapes[i / 12], 8, act, inverse);
			compare_static_product(k, shapes[i / 12], 4, act, inverse);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set_with_static_scales_is_tested),
		cmocka_unit_test(quant_rows_static_rounds_and_saturates_to_the_bit),
		cmocka_unit_test(norms_with_static_scales_answer_like_their_parts),
		cmocka_unit_test(products_with_static_scales_answer_like_their_parts),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
