/* Products and quantised tensors of the portable kernels against double precision, on odd
 * sizes, zeros and extremes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/infer/kernels.h"
#include "src/model/quant.h"
#include "tests/unit/infer_fixture.h"

/* ---- linear */

struct shape {
	uint32_t n, in, out;
};
static const struct shape shapes[] = {{1, 1, 1}, {3, 7, 5}, {2, 8, 4}, {5, 31, 3},
	{1, 33, 9}, {4, 64, 17}, {2, 129, 6}};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void linear_f32_keeps_its_bound_on_odd_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * N_SHAPES; i++) {
		struct shape s = shapes[i / 2];
		float *w = floats((size_t)s.in * s.out, 1), *b = floats(s.out, 1);
		float *x = floats((size_t)s.n * s.in, 3),
		      *r = floats((size_t)s.n * s.out, 2);
		float *y = floats((size_t)s.n * s.out, 0);
		struct linear l = {.in = s.in,
			.out = s.out,
			.w = w,
			.scales = NULL,
			.bias = i % 2 ? b : NULL};

		if (i % 2)
			memcpy(y, r, (size_t)s.n * s.out * sizeof(*y));
		linear_f32(&l, s.n, x, i % 2 ? y : NULL, y); /* residual in place */
		for (uint32_t t = 0; t < s.n; t++)
			for (uint32_t o = 0; o < s.out; o++) {
				double sum =
					i % 2 ? (double)b[o] + (double)r[t * s.out + o]
					      : 0;
				double size = fabs(sum);

				for (uint32_t c = 0; c < s.in; c++) {
					double v = (double)x[t * s.in + c] *
						   (double)w[o * s.in + c];

					sum += v;
					size += fabs(v);
				}
				size += i % 2 ? 2 * fabs((double)b[o]) : 0;
				assert_true(fabs((double)y[t * s.out + o] - sum) <=
					    (s.in + 3) * EPS * size);
			}
		free(w), free(b), free(x), free(r), free(y);
	}
}

struct quantised {
	struct linear l;
	uint8_t *w;
	uint16_t *scales;
	float *b;
	double *real; /* dequantised [out, in] */
};

static void quantised_init(struct quantised *q, struct shape s, int bits, double scale)
{
	uint32_t groups = bits == 4 ? quant_groups(s.in) : 1;
	uint32_t stride = bits == 4 ? (s.in + 1) / 2 : s.in;
	float *row = floats(s.in, scale);
	int8_t *v = malloc(s.in);

	q->w = calloc(s.out, stride);
	q->scales = calloc((size_t)s.out * groups, 2);
	q->b = floats(s.out, 1);
	q->real = calloc((size_t)s.out * s.in, sizeof(*q->real));
	assert_true(v && q->w && q->scales && q->real);
	for (uint32_t o = 0; o < s.out; o++) {
		uint16_t *sc = q->scales + (size_t)o * groups;

		fill(row, s.in, o == 1 ? 0 : scale); /* a row of zeros */
		if (o == 2)
			for (uint32_t c = 0; c < s.in; c++)
				row[c] = c % 2 ? 5.0f : -5.0f; /* all at the limits */
		quant_row(row, s.in, bits, v, sc);
		for (uint32_t c = 0; c < s.in; c++) {
			q->real[o * s.in + c] =
				v[c] * (double)bf16_to_float(
					       sc[bits == 4 ? c / QUANT_GROUP : 0]);
			if (bits == 8)
				q->w[o * stride + c] = (uint8_t)v[c];
			else
				q->w[o * stride + c / 2] |=
					(uint8_t)((v[c] + 8) << (c % 2 ? 4 : 0));
		}
		if (bits == 4 && s.in % 2)
			q->w[o * stride + s.in / 2] |= 0x80;
	}
	q->l = (struct linear){
		.in = s.in, .out = s.out, .w = q->w, .scales = q->scales, .bias = q->b};
	free(row);
	free(v);
}

static void quantised_release(struct quantised *q)
{
	free(q->w), free(q->scales), free(q->b), free(q->real);
}

static void check_quantised(struct shape s, int bits, int extreme)
{
	float *x = floats((size_t)s.n * s.in, 3), *y = floats((size_t)s.n * s.out, 1);
	float *xs = floats(s.n, 0), *add_to = floats((size_t)s.n * s.out, 1);
	int8_t *xq = malloc((size_t)s.n * s.in);
	uint32_t groups = bits == 4 ? quant_groups(s.in) : 1;
	struct quantised q;

	quantised_init(&q, s, bits, 0.7);
	for (size_t i = 0; extreme && i < (size_t)s.n * s.in; i++)
		x[i] = i % 2 ? 1e6f : -1e6f;
	quant_rows(s.n, s.in, x, xq, xs);
	if (bits == 8)
		linear_i8(&q.l, s.n, xq, xs, add_to, y);
	else
		linear_i4(&q.l, s.n, xq, xs, add_to, y);
	for (uint32_t t = 0; t < s.n; t++)
		for (uint32_t o = 0; o < s.out; o++) {
			double sum = 0,
			       base = (double)q.b[o] + (double)add_to[t * s.out + o];
			double size = fabs((double)q.b[o]) * 2 +
				      fabs((double)add_to[t * s.out + o]);

			for (uint32_t c = 0; c < s.in; c++) {
				double v = (double)xs[t] * xq[t * s.in + c] *
					   q.real[o * s.in + c];

				sum += v;
				size += fabs(v);
			}
			assert_true(fabs((double)y[t * s.out + o] - sum - base) <=
				    (groups + 4) * EPS * size);
		}
	quantised_release(&q);
	free(x), free(y), free(xs), free(xq), free(add_to);
}

static void linear_int_keeps_its_bound_on_odd_sizes_and_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SHAPES; i++)
		for (int extreme = 0; extreme < 2; extreme++) {
			check_quantised(shapes[i], 8, extreme);
			check_quantised(shapes[i], 4, extreme);
		}
}

static void linear_i8_does_not_overflow_at_the_widest_input(void **state)
{
	uint32_t in = 65535;
	int8_t *w = malloc(in), *x = malloc(in);
	uint16_t scale = bf16_ceil(1);
	struct linear l = {.in = in, .out = 1, .w = w, .scales = &scale, .bias = NULL};
	float one = 1, y;

	(void)state;
	memset(w, 0x81, in); /* -127 */
	memset(x, 0x81, in);
	linear_i8(&l, 1, x, &one, NULL, &y);
	assert_true(fabs((double)y - 127.0 * 127 * in) <= 127.0 * 127 * in * 2 * EPS);
	free(w);
	free(x);
}

static void embed_and_back_use_the_same_dequantised_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct shape s = shapes[i];
		float *x = floats(s.out, 1), *y = floats(s.in, 0), *e = floats(s.in, 0);
		float *w = floats((size_t)s.in * s.out, 1);
		struct linear f = {
			.in = s.in, .out = s.out, .w = w, .scales = NULL, .bias = NULL};
		int32_t id = (int32_t)s.out - 1;
		struct quantised q8, q4;

		quantised_init(&q8, s, 8, 1);
		quantised_init(&q4, s, 4, 1);
		for (int kind = 0; kind < 3; kind++) {
			if (kind == 0) {
				linear_back_f32(&f, x, y);
				embed_f32(&f, 1, &id, e);
			} else if (kind == 1) {
				linear_back_i8(&q8.l, x, y);
				embed_i8(&q8.l, 1, &id, e);
			} else {
				linear_back_i4(&q4.l, x, y);
				embed_i4(&q4.l, 1, &id, e);
			}
			for (uint32_t c = 0; c < s.in; c++) {
				double sum = 0, size = 0, v, row = 0;

				for (uint32_t o = 0; o < s.out; o++) {
					v = kind == 0	? (double)w[o * s.in + c]
					    : kind == 1 ? q8.real[o * s.in + c]
							: q4.real[o * s.in + c];
					row = v;
					sum += v * (double)x[o];
					size += fabs(v * (double)x[o]);
				}
				assert_true(fabs((double)y[c] - sum) <=
					    (s.out + 3) * EPS * size);
				assert_true(fabs((double)e[c] - row) <= EPS * fabs(row));
			}
		}
		quantised_release(&q8);
		quantised_release(&q4);
		free(x), free(y), free(e), free(w);
	}
}

/* ---- quantising activations */

static void quant_rows_agrees_with_the_host_bit_by_bit(void **state)
{
	float *x = floats(5 * 37, 4), scale[5];
	int8_t q[5 * 37], expected[37];

	(void)state;
	memset(x + 37, 0, 37 * sizeof(*x));
	for (int i = 0; i < 37; i++)
		x[2 * 37 + i] = (float)(i - 18) / 2; /* ties */
	fill(x + 3 * 37, 37, 1e-20);
	quant_rows(5, 37, x, q, scale);
	for (int t = 0; t < 5; t++) {
		assert_true(quant_activation(x + t * 37, 37, expected) == scale[t]);
		assert_memory_equal(q + t * 37, expected, 37);
	}
	free(x);
}

static void quant_rows_works_in_place(void **state)
{
	float *x = floats(9 * 13, 1), scale[9], scale_again[9];
	int8_t q[9 * 13];

	(void)state;
	quant_rows(9, 13, x, q, scale);
	quant_rows(9, 13, x, (int8_t *)x, scale_again);
	assert_memory_equal(q, x, sizeof(q));
	assert_memory_equal(scale, scale_again, sizeof(scale));
	free(x);
}

static void quant_rows_is_calm_on_denormal_rows(void **state)
{
	float x[3] = {1e-40f, -1e-41f, 0}, scale;
	int8_t q[3] = {1, 1, 1};

	(void)state;
	quant_rows(1, 3, x, q, &scale);
	assert_true(!q[0] && !q[1] && !q[2] && isfinite(scale));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_f32_keeps_its_bound_on_odd_sizes),
		cmocka_unit_test(linear_int_keeps_its_bound_on_odd_sizes_and_limits),
		cmocka_unit_test(linear_i8_does_not_overflow_at_the_widest_input),
		cmocka_unit_test(embed_and_back_use_the_same_dequantised_table),
		cmocka_unit_test(quant_rows_agrees_with_the_host_bit_by_bit),
		cmocka_unit_test(quant_rows_works_in_place),
		cmocka_unit_test(quant_rows_is_calm_on_denormal_rows),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
