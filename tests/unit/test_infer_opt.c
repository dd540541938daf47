/* Every kernel of every ISA that this processor has, against the portable one: same
 * contract, odd sizes, saturation. The Makefile compiles an ISA's kernels for this test
 * under names of their own: x86_avx2_linear_i8. tests/unit/test_infer_arm.c compiles all
 * this for Arm, with TEST_CROSS. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/codegen/kernel_sets.h"
#include "src/infer/fmath.h"
#include "src/infer/kernels.h"
#include "src/model/quant.h"
#include "tests/unit/infer_fixture.h"
#include "tests/unit/infer_sets.h"
#include "tests/unit/matrix_fixture.h"

#ifndef TEST_STEP
#define TEST_STEP 1 /* of the variants, every which is tried; more where it takes long */
#endif

/* ---- products */

/* Variants below 16 are sums of: 1 extreme values, 2 whole numbers, 4 with `add`, 8
 * without bias; 16 to 19: x and w all at one end each, 1 and 2: at the lower one.
 * The portable kernel's bits where every sum is a whole number, so that neither the order
 * of additions nor fused ones can matter; elsewhere the contract's bound, twice. */
static void compare_integers(
	const struct kernels *k, struct shape s, int bits, int variant)
{
	size_t n_y = (size_t)s.n * s.out;
	int ends = variant >= 16, whole = ends || variant & 2;
	int of_x = ends ? ALL_LARGEST + (variant & 1) : variant & 1;
	int of_w = ends ? ALL_LARGEST + (variant >> 1 & 1) : variant & 1;
	int8_t *x = tokens((size_t)s.n * s.in, of_x);
	float *xs = floats(s.n, 1), *y = floats(n_y, 1), *z = floats(n_y, 1);
	const float *add = variant & 4 ? y : NULL;
	struct matrix m;

	matrix_init(&m, k->isa, s, bits, of_w, whole ? 1 : 0);
	for (size_t i = 0; i < s.n; i++)
		xs[i] = whole ? 1 : fabsf(xs[i]);
	if (whole || variant & 8)
		m.rows.bias = m.panels.bias = NULL;
	if (whole)
		add = NULL;
	memcpy(z, y, n_y * sizeof(*y));
	(bits == 8 ? linear_i8 : linear_i4)(&m.rows, s.n, x, xs, add, y);
	(bits == 8 ? k->i8 : k->i4)(&m.panels, s.n, x, xs, add ? z : NULL, z);
	if (whole)
		assert_memory_equal(y, z, n_y * sizeof(*y));
	for (size_t i = 0; i < n_y; i++) {
		double size =
			127.0 * (bits == 8 ? 127 : 7) * s.in * (double)xs[i / s.out] + 8;

		assert_true(fabs((double)(y[i] - z[i])) <=
			    2 * (quant_groups(s.in) + 4) * EPS * size);
	}
	matrix_release(&m);
	free(x), free(xs), free(y), free(z);
}

static void integer_products_give_the_portable_sums(void **state)
{
	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; i < N_SHAPES; i++)
			for (int v = 0; v < 20; v += TEST_STEP) {
				compare_integers(k, shapes[i], 8, v);
				compare_integers(k, shapes[i], 4, v);
			}
}

/* The contract's longest rows with nothing but the largest products, of both signs: no
 * sum, nor one of weights made unsigned, may leave its 32 bits. */
static void integer_products_hold_the_longest_sums(void **state)
{
	const struct shape s = {2, 65535, 19};
	int8_t *x;

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (int sign = 0; sign < 4; sign++) {
			float xs[2] = {1, 1}, y[2 * 19], z[2 * 19];
			struct matrix m;

			x = tokens((size_t)s.n * s.in, ALL_LARGEST + sign / 2);
			matrix_init(&m, k->isa, s, 8, ALL_LARGEST + sign % 2, 1);
			m.rows.bias = m.panels.bias = NULL;
			linear_i8(&m.rows, s.n, x, xs, NULL, y);
			k->i8(&m.panels, s.n, x, xs, NULL, z);
			assert_memory_equal(y, z, sizeof(y));
			matrix_release(&m);
			free(x);
		}
}

/* A set of this machine's family that is in the table and not here would be untested. */
static void every_kernel_set_of_this_family_is_tested(void **state)
{
	const struct kernel_set *set;

	(void)state;
	for (size_t i = 1; (set = kernel_set_at(i)); i++) {
		size_t k = 0;

		while (all[k].isa && strcmp(all[k].isa, set->isa))
			k++;
#if defined(__x86_64__)
		if (!strncmp(set->isa, "x86-", 4))
			assert_non_null(all[k].isa);
#elif defined(__aarch64__)
		if (!strncmp(set->isa, "arm64-", 6))
			assert_non_null(all[k].isa);
#elif defined(__ARM_FEATURE_MVE)
		if (!strncmp(set->isa, "armv81m-", 8))
			assert_non_null(all[k].isa);
#endif
	}
}

/* Longer than what kernels prepare at once. */
static void integer_products_take_long_rows(void **state)
{
	static const struct shape longs[] = {{7, 4101, 18}, {1, 8192, 9}, {6, 9000, 33}};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]); i++)
			for (int v = 0; v < 20; v += 3 * TEST_STEP) {
				compare_integers(k, longs[i], 8, v);
				compare_integers(k, longs[i], 4, v | 2);
			}
}

/* A decoder that goes on token by token has the bits of one that reads all at once. */
static void one_row_has_the_bits_that_it_has_among_others(void **state)
{
	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; i < N_SHAPES && !strncmp(k->isa, "x86-", 4); i++)
			for (int bits = 8; bits >= 4; bits -= 4) {
				struct shape s = {5, shapes[i].in, shapes[i].out};
				int8_t *x = tokens((size_t)5 * s.in, 0);
				float *xs = floats(5, 1),
				      *y = floats((size_t)5 * s.out, 1);
				float *z = floats(s.out, 1);
				linear_fn *f = bits == 8 ? k->i8 : k->i4;
				struct matrix m;

				matrix_init(&m, k->isa, s, bits, 0, 0);
				f(&m.panels, 5, x, xs, NULL, y);
				f(&m.panels, 1, x + (size_t)3 * s.in, xs + 3, NULL, z);
				assert_memory_equal(
					y + (size_t)3 * s.out, z, s.out * sizeof(*z));
				matrix_release(&m);
				free(x), free(xs), free(y), free(z);
			}
}

static void compare_floats(const struct kernels *k, struct shape s, int with_add)
{
	size_t n_y = (size_t)s.n * s.out;
	float *x = floats((size_t)s.n * s.in, 3), *y = floats(n_y, 2);
	float *add = floats(n_y, 2);
	struct matrix m;

	matrix_init(&m, k->isa, s, 32, 0, 0);
	memcpy(y, add, n_y * sizeof(*y));
	k->f32(&m.panels, s.n, x, with_add ? y : NULL, y);
	for (size_t i = 0; i < n_y; i++) {
		const float *w = (const float *)m.rows.w + i % s.out * s.in;
		double sum = (double)m.rows.bias[i % s.out];
		double size;

		sum += with_add ? (double)add[i] : 0;
		size = fabs((double)m.rows.bias[i % s.out]) +
		       (with_add ? fabs((double)add[i]) : 0);
		for (size_t c = 0; c < s.in; c++) {
			double v = (double)x[i / s.out * s.in + c] * (double)w[c];

			sum += v;
			size += fabs(v);
		}
		assert_true(fabs((double)y[i] - sum) <= (s.in + 3) * EPS * size);
	}
	matrix_release(&m);
	free(x), free(y), free(add);
}

static void float_products_keep_the_contracts_bound(void **state)
{
	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; k->f32 && i < N_SHAPES; i++) {
			compare_floats(k, shapes[i], 0);
			compare_floats(k, shapes[i], 1);
		}
}

static void run_schedule(const struct kernels *k, struct matrix *m, int schedule,
	int bits, struct shape s, const void *x, const float *xs, float *y)
{
	m->panels.schedule = (uint8_t)schedule;
	if (bits == 32)
		k->f32(&m->panels, s.n, x, y, y);
	else
		(bits == 8 ? k->i8 : k->i4)(&m->panels, s.n, x, xs, y, y);
}

static void compare_schedules(
	const struct kernels *k, const struct kernel_set *set, struct shape s, int bits)
{
	size_t n_x = (size_t)s.n * s.in, n_y = (size_t)s.n * s.out;
	void *x = bits == 32 ? (void *)floats(n_x, 1) : (void *)tokens(n_x, 0);
	float *xs = floats(s.n, 1), *add = floats(n_y, 1);
	float *y = floats(n_y, 0), *z = floats(n_y, 0);
	struct matrix m;

	matrix_init(&m, k->isa, s, bits, 0, 0);
	memcpy(y, add, n_y * sizeof(*y));
	run_schedule(k, &m, 0, bits, s, x, xs, y);
	for (int i = 1; i < kernel_set_schedules(set, bits); i++) {
		memcpy(z, add, n_y * sizeof(*z));
		run_schedule(k, &m, i, bits, s, x, xs, z);
		assert_memory_equal(y, z, n_y * sizeof(*y));
	}
	matrix_release(&m);
	free(x), free(xs), free(add), free(y), free(z);
}

static void every_schedule_gives_the_same_bits(void **state)
{
	static const struct shape more[] = {
		{8, 40, 96}, {12, 64, 100}, {13, 33, 17}, {65, 32, 50}, {130, 24, 49}};
	const size_t n_more = sizeof(more) / sizeof(more[0]);

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));) {
		const struct kernel_set *set;

		assert_int_equal(kernel_set_find(k->isa, &set, NULL), 0);
		for (size_t i = 0; i < N_SHAPES + n_more; i++)
			for (int bits = 4; bits <= (k->f32 ? 32 : 8);
				bits += bits == 4 ? 4 : 24)
				compare_schedules(k, set,
					i < n_more ? more[i] : shapes[i - n_more], bits);
	}
}

static void products_apply_the_activation_that_they_are_asked_for(void **state)
{
	static act_fn *const portable[] = {NULL, act_relu, act_gelu, act_silu};
	const struct shape s = {9, 37, 53};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));) {
		const struct kernel_set *set;

		assert_int_equal(kernel_set_find(k->isa, &set, NULL), 0);
		for (int i = k->f32 ? 0 : 3; i < 9; i++) {
			static const int all_bits[] = {32, 8, 4};
			int bits = all_bits[i / 3];
			int ints = !(set->fuses & FUSES_QUANT);
			uint8_t act = (uint8_t)(i % 3 + 1);
			size_t n_y = (size_t)s.n * s.out;
			int8_t *q = tokens((size_t)s.n * s.in, 0);
			float *x = floats((size_t)s.n * s.in, 1), *xs = floats(s.n, 0);
			float *y = floats(n_y, 0), *z = floats(n_y, 0);
			struct matrix m;

			if (!(set->fuses & FUSES_ACT) || (bits != 32 && !ints)) {
				free(q), free(x), free(xs), free(y), free(z);
				continue;
			}
			for (size_t j = 0; j < s.n; j++)
				xs[j] = bits == 8 ? 2e-4f : 2e-3f;
			matrix_init(&m, k->isa, s, bits, 0, 0);
			if (bits == 32)
				k->f32(&m.panels, s.n, x, NULL, y);
			else
				(bits == 8 ? k->i8 : k->i4)(
					&m.panels, s.n, q, xs, NULL, y);
			m.panels.act = act;
			if (bits == 32)
				k->f32(&m.panels, s.n, x, NULL, z);
			else
				(bits == 8 ? k->i8 : k->i4)(
					&m.panels, s.n, q, xs, NULL, z);
			portable[act]((uint32_t)n_y, y);
			for (size_t j = 0; j < n_y; j++)
				assert_true(fabs((double)(y[j] - z[j])) <=
					    (bits == 32 ? 4e-7 : 1.3e-5) *
						    (1 + fabs((double)y[j])));
			matrix_release(&m);
			free(q), free(x), free(xs), free(y), free(z);
		}
	}
}

/* ---- look-ups and ways back */

static void look_ups_read_both_forms(void **state)
{
	static embed_fn *const embeds[] = {embed_f32, embed_i8, embed_i4};
	static back_fn *const backs[] = {linear_back_f32, linear_back_i8, linear_back_i4};
	static const int all_bits[] = {32, 8, 4};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; k->embed[0] && i < 3 * N_SHAPES; i++) {
			struct shape s = shapes[i / 3];
			int bits = all_bits[i % 3];
			int32_t ids[] = {
				0, (int32_t)s.out - 1, (int32_t)rng_below(&rng, s.out)};
			float *x = floats(s.out, 1), *y = floats(3 * (size_t)s.in, 1);
			float *z = floats(3 * (size_t)s.in, 1);
			struct matrix m;

			matrix_init(&m, k->isa, s, bits, 0, 0);
			for (int form = 0; form < 2; form++) {
				const struct linear *l = form ? &m.panels : &m.rows;

				embeds[i % 3](&m.rows, 3, ids, y);
				k->embed[i % 3](l, 3, ids, z);
				assert_memory_equal(y, z, 3 * s.in * sizeof(*y));
				backs[i % 3](&m.rows, x, y);
				k->back[i % 3](l, x, z);
				for (uint32_t c = 0; c < s.in; c++)
					assert_true(fabs((double)(y[c] - z[c])) <=
						    2e-6 * 127 * s.out);
			}
			matrix_release(&m);
			free(x), free(y), free(z);
		}
}

/* ---- the rest */

static void quant_rows_gives_the_portable_bits_also_in_place(void **state)
{
	static const uint32_t widths[] = {1, 5, 8, 15, 16, 17, 31, 64, 100, 333};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0;
			k->quant && i < 200 * sizeof(widths) / sizeof(widths[0]); i++) {
			uint32_t d = widths[i / 200], n = 3;
			float *x = floats((size_t)n * d, i % 200 == 7 ? 1e-36 : 2);
			float scale[3], expected_scale[3];
			int8_t *q = malloc((size_t)n * d);

			/* many values on the edge between two integers */
			for (size_t j = 0; j < (size_t)n * d && i % 2; j++)
				x[j] = ((float)pick(253, 0) + (float)pick(1, 0) * 6e-8f) /
				       2;
			if (i % 200 == 9)
				memset(x, 0, (size_t)n * d * sizeof(*x));
			quant_rows(n, d, x, q, expected_scale);
			k->quant(n, d, x, (int8_t *)x, scale);
			assert_memory_equal(x, q, (size_t)n * d);
			assert_memory_equal(scale, expected_scale, sizeof(scale));
			free(x), free(q);
		}
}

static void quant_rows_static_gives_the_portable_bits_also_in_place(void **state)
{
	static const uint32_t widths[] = {1, 5, 8, 15, 16, 17, 31, 64, 100, 333};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (uint32_t i = 0; k->static_quant && i < 400; i++) {
			uint32_t d = widths[i / 40], n = 1 + i % 3;
			float *x = floats((size_t)n * d, 60);
			int8_t *q = malloc((size_t)n * d);

			/* many values on the edge between two integers, and too large */
			for (size_t j = 0; j < (size_t)n * d && i % 2; j++)
				x[j] = ((float)pick(270, 0) + (float)pick(1, 0) * 6e-8f) /
				       2;
			quant_rows_static(n, d, 1, x, q);
			k->static_quant(n, d, 1, x, (int8_t *)x);
			assert_memory_equal(x, q, (size_t)n * d);
			free(x), free(q);
		}
}

static void norms_keep_the_contracts_bound(void **state)
{
	static const uint32_t widths[] = {1, 3, 15, 16, 33, 64, 100, 384};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
			uint32_t d = widths[i], n = 6;
			float *x = floats((size_t)n * d, 3), *g = floats(d, 1);
			float *b = floats(d, 1), *y = floats((size_t)n * d, 0);
			float *z = floats((size_t)n * d, 0);

			for (int rms = 0; rms < 2; rms++) {
				if (rms ? !k->rms : !k->ln)
					continue;
				if (rms) {
					norm_rms(n, d, x, g, y);
					k->rms(n, d, x, g, z);
				} else {
					norm_ln(n, d, x, g, b, y);
					k->ln(n, d, x, g, b, z);
				}
				for (size_t j = 0; j < (size_t)n * d; j++)
					assert_true(fabs((double)(y[j] - z[j])) <=
						    2 * (d + 16) * EPS * 20);
			}
			free(x), free(g), free(b), free(y), free(z);
		}
}

/* Rows whose floats may differ by the tolerance: their integers then by one more step. */
static void compare_rows(const int8_t *q, const int8_t *r, const float *scale,
	const float *expected, uint32_t n, uint32_t d, double tolerance)
{
	for (uint32_t t = 0; t < n; t++) {
		double a = (double)scale[t], b = (double)expected[t];

		assert_true(fabs(a - b) <= tolerance / 127 + 1e-7 * b);
		for (uint32_t c = t * d; c < (t + 1) * d; c++)
			assert_true(fabs(q[c] * a - r[c] * b) <= 1.01 * b + tolerance);
	}
}

static void fused_quantisation_answers_like_its_parts(void **state)
{
	static act_fn *const acts[] = {NULL, act_relu, act_gelu, act_silu};
	static const uint32_t widths[] = {1, 15, 16, 33, 64, 100, 129, 384};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; k->act_quant && i < 8 * 8; i++) {
			uint32_t d = widths[i / 8], n = (uint32_t)(i % 8);
			size_t size = (size_t)n * d;
			float *x = floats(size, 2), *y = floats(size, 0);
			float *z = floats(size, 0), *g = floats(d, 1), *b = floats(d, 1);
			int8_t *q = malloc(size + 1), *r = malloc(size + 1);
			float scale[8], expected[8];

			for (uint8_t act = KERNEL_RELU; act <= KERNEL_SILU; act++) {
				memcpy(y, x, size * sizeof(*y));
				memcpy(z, x, size * sizeof(*z));
				acts[act]((uint32_t)size, y);
				quant_rows(n, d, y, r, expected);
				k->act_quant(n, d, act, z, (int8_t *)z, scale);
				compare_rows((int8_t *)z, r, scale, expected, n, d, 2e-4);
			}
			for (int form = 0; form < 4; form++) {
				float *to = form & 1 ? z : NULL;

				if (form & 2) {
					norm_ln(n, d, x, g, b, y);
					k->ln_quant(n, d, x, g, b, to, q, scale);
				} else {
					norm_rms(n, d, x, g, y);
					k->rms_quant(n, d, x, g, to, q, scale);
				}
				quant_rows(n, d, y, r, expected);
				compare_rows(q, r, scale, expected, n, d, 1e-3);
				for (size_t j = 0; to && j < size; j++)
					assert_true(fabs((double)(y[j] - z[j])) <=
						    2 * (d + 16) * EPS * 20);
			}
			free(x), free(y), free(z), free(g), free(b), free(q), free(r);
		}
}

static void gelu_keeps_its_bound(void **state)
{
	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (int i = 0; k->gelu && i < 20000; i++) {
			float y[17];

			for (int j = 0; j < 17; j++)
				y[j] = (float)(i - 10000 + j / 17.0) * 1e-3f;
			k->gelu(17, y);
			for (int j = 0; j < 17; j++) {
				float in = (float)(i - 10000 + j / 17.0) * 1e-3f;
				double x = (double)in,
				       truth = x * 0.5 * erfc(-x * M_SQRT1_2);

				assert_true(fabs((double)y[j] - truth) <=
					    2e-7 * (1 + fabs(x)));
			}
		}
}

static void attention_answers_like_the_portable_one(void **state)
{
	static const struct {
		uint32_t heads, kv, d, n, past, causal, radius;
	} cases[] = {{1, 1, 1, 1, 0, 0, 0}, {2, 2, 32, 32, 0, 0, 0},
		{3, 1, 26, 31, 0, 0, 5}, {4, 2, 7, 9, 0, 1, 2}, {2, 1, 48, 1, 40, 1, 0},
		{2, 2, 33, 17, 23, 1, 8}, {1, 1, 65, 40, 0, 0, 0},
		{6, 3, 16, 15, 1, 1, 3}};
	const size_t n_cases = sizeof(cases) / sizeof(cases[0]);

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t e = 0; k->attention && e < 2 * n_cases; e++) {
			size_t i = e / 2;
			double size = e % 2 ? 30 : 1; /* scores beyond 100 too */
			uint32_t m = cases[i].n + cases[i].past, d = cases[i].d;
			uint32_t wide = cases[i].heads * d, kv = cases[i].kv * d;
			float *rel = floats(
				cases[i].heads * (2 * (size_t)cases[i].radius + 1), 1);
			float *q = floats((size_t)cases[i].n * wide, size);
			float *q2 = floats((size_t)cases[i].n * wide, 1);
			float *keys = floats((size_t)m * kv, 1);
			float *values = floats((size_t)m * kv, 1);
			float *row = floats((size_t)(m + 15) / 16 * 16 * (8 + d), 1);
			struct attention a = {cases[i].heads, cases[i].kv, d,
				cases[i].causal, cases[i].radius,
				cases[i].radius ? rel : NULL, 1 / sqrtf((float)d)};

			memcpy(q2, q, (size_t)cases[i].n * wide * sizeof(*q));
			attention(&a, cases[i].n, cases[i].past,
				&(const struct attention_data){.q = q,
					.k = keys,
					.v = values,
					.row = row,
					.out = q});
			k->attention(&a, cases[i].n, cases[i].past,
				&(const struct attention_data){.q = q2,
					.k = keys,
					.v = values,
					.row = row,
					.out = q2});
			for (size_t j = 0; j < (size_t)cases[i].n * wide; j++)
				assert_true(fabs((double)(q[j] - q2[j])) <= 1e-5 * size);
			free(rel), free(q), free(q2), free(keys), free(values), free(row);
		}
}

static void means_have_the_portable_bits(void **state)
{
	static const uint32_t widths[] = {1, 15, 16, 33, 64, 100, 129, 384};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (uint32_t i = 0; k->mean && i < 8 * 9; i++) {
			uint32_t d = widths[i / 9], n = 1 + i % 9;
			float *x = floats((size_t)n * d, 2), *y = floats(d, 0);
			float *z = floats(d + 1, 1), end = z[d];

			pool_mean(n, d, x, y);
			k->mean(n, d, x, z);
			assert_memory_equal(y, z, d * sizeof(*y));
			assert_true(z[d] == end);
			free(x), free(y), free(z);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integer_products_give_the_portable_sums),
		cmocka_unit_test(integer_products_hold_the_longest_sums),
		cmocka_unit_test(every_kernel_set_of_this_family_is_tested),
		cmocka_unit_test(integer_products_take_long_rows),
		cmocka_unit_test(one_row_has_the_bits_that_it_has_among_others),
		cmocka_unit_test(float_products_keep_the_contracts_bound),
		cmocka_unit_test(every_schedule_gives_the_same_bits),
		cmocka_unit_test(products_apply_the_activation_that_they_are_asked_for),
		cmocka_unit_test(look_ups_read_both_forms),
		cmocka_unit_test(quant_rows_gives_the_portable_bits_also_in_place),
		cmocka_unit_test(quant_rows_static_gives_the_portable_bits_also_in_place),
		cmocka_unit_test(norms_keep_the_contracts_bound),
		cmocka_unit_test(gelu_keeps_its_bound),
		cmocka_unit_test(attention_answers_like_the_portable_one),
		cmocka_unit_test(fused_quantisation_answers_like_its_parts),
		cmocka_unit_test(means_have_the_portable_bits),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
