/* The kernels without floating point against exact arithmetic on the same integers, at usual
 * values and at the ends of every range. Under the sanitisers: nothing overflows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/rng.h"
#include "src/codegen/integer.h"
#include "src/infer/integer/fixed.h"
#include "src/model/quant.h"

#define UNIT (1.0 / FIXED_ONE)

static double clamped(double units)
{
	return fmax(fmin(units, FIXED_MAX), -FIXED_MAX);
}

static void fill(int32_t *x, size_t n, double sd, uint64_t seed)
{
	struct rng r;

	rng_init(&r, seed);
	for (size_t i = 0; i < n; i++)
		x[i] = (int32_t)clamped(rng_normal(&r) * sd * FIXED_ONE);
}

static double to_double(struct int_factor f)
{
	return ldexp((double)f.mul, f.exp);
}

/* ---- numbers */

static void factor_is_the_float_exactly(void **state)
{
	static const float values[] = {1, 0.1f, 3e-30f, 7.7e30f, 0x1.fffffep+3f, 1e-38f};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct int_factor f = integer_factor(values[i]);

		assert_true(f.mul < 1u << 24);
		assert_true(to_double(f) == (double)values[i]);
	}
}

static void quant_rounds_half_away_and_saturates(void **state)
{
	static const int32_t ends[] = {
		0, 1, -1, 32768, -32768, FIXED_MAX, -FIXED_MAX, 65536 * 3 + 32768};
	static const float inverses[] = {
		1, 0.5f, 42.3f, 1e-30f, 1e30f, 65536, 127.0f / 2048, 0x1p-7f, 300};

	(void)state;
	for (size_t k = 0; k < sizeof(inverses) / sizeof(inverses[0]); k++) {
		int32_t x[1000];
		int8_t q[1000];

		fill(x, 1000, 2 / fmin((double)inverses[k], 1), k);
		memcpy(x, ends, sizeof(ends));
		int_quant(1000, integer_factor(inverses[k]), x, q);
		for (int i = 0; i < 1000; i++) {
			double want = round(x[i] * UNIT * (double)inverses[k]);

			assert_int_equal(q[i], (int)fmax(fmin(want, 127), -127));
		}
		int_quant(1000, integer_factor(inverses[k]), x, (int8_t *)x);
		assert_memory_equal(x, q, sizeof(q));
	}
}

static double gelu(double x)
{
	return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double silu(double x)
{
	return x / (1 + exp(-x));
}

static double relu(double x)
{
	return x > 0 ? x : 0;
}

static void activations_are_within_two_units(void **state)
{
	static const struct {
		const struct int_act *act;
		double (*exact)(double);
		double bound;
	} acts[] = {{&int_gelu, gelu, 2}, {&int_silu, silu, 2}, {&int_relu, relu, 0}};

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		for (int32_t x = -20 * FIXED_ONE; x <= 20 * FIXED_ONE; x += 7) {
			double want = acts[k].exact(x * UNIT) * FIXED_ONE;

			if (fabs(fixed_act(acts[k].act, x) - want) > acts[k].bound)
				fail_msg("act %zu at %d: %d, not %g", k, (int)x,
					(int)fixed_act(acts[k].act, x), want);
		}
		assert_int_equal(fixed_act(acts[k].act, FIXED_MAX), FIXED_MAX);
		assert_int_equal(fixed_act(acts[k].act, -FIXED_MAX), 0);
	}
}

static void logits_are_the_same_numbers(void **state)
{
	static const int32_t x[] = {0, 1, -1, 3, 65536, -65537, (1 << 24) - 1, -(1 << 24),
		(1 << 24) + 1, FIXED_MAX, -FIXED_MAX};
	float y[11];

	(void)state;
	int_logits(11, x, y);
	for (size_t i = 0; i < 8; i++)
		assert_true((double)y[i] == x[i] * UNIT);
	assert_true((double)y[8] == (1 << 24) * UNIT); /* cut off */
	for (size_t i = 8; i < 11; i++)
		assert_true(
			fabs((double)y[i] - x[i] * UNIT) <= fabs(x[i] * UNIT) * 1.2e-7);
}

/* ---- products */

#define MAX_IN 80
#define MAX_OUT 9
#define N_ROWS 3

struct matrix {
	int8_t q[MAX_OUT * MAX_IN];
	uint8_t packed[MAX_OUT * MAX_IN];
	uint16_t scales[MAX_OUT * 3];
	int32_t bias[MAX_OUT], add[N_ROWS * MAX_OUT];
	int8_t x[N_ROWS * MAX_IN];
	struct int_linear l;
};

static void make_product(struct matrix *p, uint32_t in, int bits, float x_scale)
{
	uint32_t groups = bits == 4 ? quant_groups(in) : 1;
	struct rng r;

	rng_init(&r, in);
	memset(p, 0, sizeof(*p));
	fill(p->bias, MAX_OUT, 1, 5);
	fill(p->add, N_ROWS * MAX_OUT, 1, 6);
	for (uint32_t i = 0; i < N_ROWS * in; i++)
		p->x[i] = (int8_t)((int)rng_below(&r, 255) - 127);
	for (uint32_t o = 0; o < MAX_OUT; o++) {
		float w[MAX_IN];

		for (uint32_t i = 0; i < in; i++)
			w[i] = o == 1 ? 0 : (float)rng_normal(&r);
		quant_row(w, in, bits, p->q + o * in, p->scales + o * groups);
		for (uint32_t i = 0; bits == 4 && i < in; i += 2) {
			int high = i + 1 < in ? p->q[o * in + i + 1] + 8 : 8;

			p->packed[o * ((in + 1) / 2) + i / 2] =
				(uint8_t)((p->q[o * in + i] + 8) | high << 4);
		}
	}
	p->l = (struct int_linear){in, MAX_OUT, bits == 8 ? (void *)p->q : p->packed,
		p->scales, p->bias, integer_factor(x_scale), NULL, {0, 0}};
}

/* Without bias and add, in units. */
static double exact(const struct matrix *p, int bits, uint32_t t, uint32_t o)
{
	uint32_t in = p->l.in, groups = bits == 4 ? quant_groups(in) : 1;
	double sum = 0;

	for (uint32_t i = 0; i < in; i++) {
		uint32_t g = bits == 4 ? i / QUANT_GROUP : 0;

		sum += p->q[o * in + i] * p->x[t * in + i] *
		       (double)bf16_to_float(p->scales[o * groups + g]);
	}
	return sum * to_double(p->l.x) * FIXED_ONE;
}

static void run_product(
	const struct matrix *p, int bits, const int32_t *add, int32_t *y, int8_t *q)
{
	struct int_out out = {y, q};

	(bits == 8 ? int_linear_i8 : int_linear_i4)(&p->l, N_ROWS, p->x, add, out);
}

static void products_are_exact_but_for_their_rounding(void **state)
{
	static const uint32_t ins[] = {1, 2, 7, 31, 32, 33, 64, 79};
	static const float x_scales[] = {0.02f, 1e-6f, 1e4f, 1e-30f, 1e30f};

	(void)state;
	for (size_t k = 0; k < 8 * 5 * 2; k++) {
		int bits = k % 2 ? 4 : 8;
		int32_t y[N_ROWS * MAX_OUT];
		struct matrix p;

		make_product(&p, ins[k / 2 % 8], bits, x_scales[k / 16]);
		run_product(&p, bits, p.add, y, NULL);
		for (uint32_t i = 0; i < N_ROWS * MAX_OUT; i++) {
			uint32_t o = i % MAX_OUT;
			double want = exact(&p, bits, i / MAX_OUT, o);

			want = clamped(want + p.bias[o] + p.add[i]);
			/* groups that saturate one by one no longer cancel */
			if (bits == 4 && p.l.x.exp > -20)
				continue;
			if (fabs(y[i] - want) > (bits == 8 ? 1 : 2))
				fail_msg("%d bits, %u in, scale %g: %d, not %g", bits,
					(unsigned)p.l.in, (double)x_scales[k / 16],
					(int)y[i], want);
		}
	}
}

static void products_act_and_quantise_what_they_leave(void **state)
{
	(void)state;
	for (int bits = 4; bits <= 8; bits += 4) {
		int32_t y[N_ROWS * MAX_OUT], z[N_ROWS * MAX_OUT];
		int8_t q[N_ROWS * MAX_OUT];
		struct fixed_ratio inverse;
		struct matrix p;

		make_product(&p, 33, bits, 0.01f);
		run_product(&p, bits, NULL, y, NULL);
		p.l.act = &int_gelu;
		p.l.inverse = integer_factor(20);
		inverse = fixed_inverse(p.l.inverse);
		run_product(&p, bits, NULL, z, q);
		for (size_t i = 0; i < N_ROWS * MAX_OUT; i++) {
			assert_int_equal(z[i], fixed_act(&int_gelu, y[i]));
			assert_int_equal(q[i], fixed_to_int8(z[i], &inverse));
		}
	}
}

static void way_back_is_the_transpose(void **state)
{
	(void)state;
	for (int bits = 4; bits <= 8; bits += 4) {
		int32_t x[MAX_OUT], y[MAX_IN];
		struct matrix p;

		make_product(&p, 35, bits, 1);
		fill(x, MAX_OUT, 20, 3);
		(bits == 8 ? int_back_i8 : int_back_i4)(&p.l, x, y);
		for (uint32_t c = 0; c < 35; c++) {
			double want = 0;

			for (uint32_t o = 0; o < MAX_OUT; o++) {
				uint32_t at = bits == 8 ? o : o * 2 + c / QUANT_GROUP;

				want += p.q[o * 35 + c] * (double)x[o] *
					(double)bf16_to_float(p.scales[at]);
			}
			assert_true(fabs(y[c] - want) <= 127 * MAX_OUT / 128.0 + 1);
		}
	}
}

static void look_ups_are_the_rows(void **state)
{
	static const int32_t ids[] = {8, 0, 1};

	(void)state;
	for (int bits = 4; bits <= 8; bits += 4) {
		int32_t y[3 * MAX_IN];
		struct matrix p;

		make_product(&p, 35, bits, 1);
		(bits == 8 ? int_embed_i8 : int_embed_i4)(&p.l, 3, ids, y);
		for (uint32_t i = 0; i < 3 * 35; i++) {
			uint32_t o = (uint32_t)ids[i / 35], c = i % 35;
			uint32_t at = bits == 8 ? o : o * 2 + c / QUANT_GROUP;
			double want = p.q[o * 35 + c] *
				      (double)bf16_to_float(p.scales[at]) * FIXED_ONE;

			assert_true(fabs(y[i] - want) <= 0.5);
		}
	}
}

/* ---- rows */

static void norms_are_within_their_bound(void **state)
{
	static const double sds[] = {1e-5, 0.003, 0.1, 1, 50, 3000, 0};
	static const uint32_t widths[] = {1, 3, 64, 97, 8192};

	(void)state;
	for (size_t k = 0; k < 7 * 5 * 2; k++) {
		uint32_t d = widths[k % 5], rms = k >= 35;
		int32_t *x = malloc(d * sizeof(*x)), *gain = malloc(d * sizeof(*gain));
		int32_t *y = malloc(d * sizeof(*y));
		struct int_norm l = {d, rms, gain, NULL, {0, 0}};
		double mean = 0, square = 0, sigma;

		assert_true(x && gain && y);
		fill(x, d, sds[k / 5 % 7], k);
		for (uint32_t c = 0; c < d; c++) {
			gain[c] = FIXED_ONE + (int32_t)(c % 7) * 1000;
			mean += rms ? 0 : x[c] * UNIT / d;
		}
		for (uint32_t c = 0; c < d; c++)
			square += pow(x[c] * UNIT - mean, 2) / d;
		sigma = sqrt(square + 1e-5);
		int_norm(&l, 1, x, (struct int_out){y, NULL});
		for (uint32_t c = 0; c < d; c++) {
			double unit = (x[c] * UNIT - mean) / sigma;
			double want = unit * gain[c];
			double bound = 2 + fabs(want) * 0x1p-19 + 1.5 / sigma;

			if (fabs(y[c] - want) > bound)
				fail_msg("d %u sd %g: %d, not %g", (unsigned)d,
					sds[k / 5 % 7], (int)y[c], want);
		}
		free(x);
		free(gain);
		free(y);
	}
}

static void norm_saturates_and_keeps_both_results(void **state)
{
	int32_t x[4] = {FIXED_MAX, -FIXED_MAX, FIXED_MAX, -FIXED_MAX}, y[4];
	int32_t gain[4] = {FIXED_MAX, FIXED_ONE, FIXED_ONE, FIXED_MAX};
	int32_t bias[4] = {FIXED_MAX, 0, FIXED_ONE / 2, 0};
	struct int_norm l = {4, 0, gain, bias, integer_factor(10)};
	int8_t q[4];

	(void)state;
	int_norm(&l, 1, x, (struct int_out){y, q});
	assert_int_equal(y[0], FIXED_MAX);
	assert_in_range(y[1], -FIXED_ONE - 1, -FIXED_ONE + 1);
	assert_in_range(y[2], FIXED_ONE * 3 / 2 - 1, FIXED_ONE * 3 / 2 + 1);
	assert_int_equal(q[0], 127);
	assert_int_equal(q[1], -10);
	assert_int_equal(q[2], 15);
	int_add(4, bias, y);
	assert_int_equal(y[0], FIXED_MAX);
}

static void pools_are_means_and_largest(void **state)
{
	int32_t x[6] = {-3, FIXED_MAX, 4, FIXED_MAX, -2, -FIXED_MAX}, y[2];

	(void)state;
	int_pool_mean(3, 2, x, y);
	assert_int_equal(y[0], 0); /* -1 / 3 */
	assert_int_equal(y[1], (FIXED_MAX + 1) / 3);
	int_pool_max(3, 2, x, y);
	assert_int_equal(y[0], 4);
	int_pool_first(3, 2, x, y);
	assert_int_equal(y[0], -3);
}

static void convolution_goes_on_where_it_stopped(void **state)
{
	enum { D = 5, W = 3, N = 9 };
	int32_t w[D * W], x[N * D], y[N * D], z[N * D], past[(W - 1) * D] = {0};
	struct int_conv c = {D, W, W - 1, w};

	(void)state;
	fill(w, D * W, 1, 1);
	fill(x, N * D, 2, 2);
	int_conv(&c, N, x, NULL, y);
	for (int t = 0; t < N; t++)
		for (int ch = 0; ch < D; ch++) {
			double want = 0;

			for (int j = 0; j < W; j++)
				if (t + j >= W - 1)
					want += (double)w[ch * W + j] * UNIT *
						x[(t + j - W + 1) * D + ch];
			assert_true(fabs(y[t * D + ch] - want) <= 0.5 + 1e-6);
		}
	int_conv(&c, 1, x, past, z);
	int_conv(&c, 4, x + D, past, z + D);
	int_conv(&c, N - 5, x + 5 * D, past, z + 5 * D);
	assert_memory_equal(y, z, sizeof(y));
}

/* ---- attention */

enum { HEADS = 4, KV = 2, DH = 7, N = 11 };

struct scene {
	int32_t q[N * HEADS * DH], k[N * KV * DH], v[N * KV * DH], rel[HEADS * 7];
	int32_t row[N], out[N * HEADS * DH];
};

static double attend(const struct scene *s, int causal, int i, int h, int c)
{
	int kv = h / (HEADS / KV), keys = causal ? i + 1 : N;
	double score[N], largest = -INFINITY, sum = 0, mix = 0;

	for (int j = 0; j < keys; j++) {
		int away = j - i < -3 ? -3 : j - i > 3 ? 3 : j - i;

		score[j] = s->rel[h * 7 + away + 3] * UNIT;
		for (int e = 0; e < DH; e++)
			score[j] += s->q[(i * HEADS + h) * DH + e] * UNIT *
				    s->k[(j * KV + kv) * DH + e] * UNIT / sqrt(DH);
		largest = fmax(largest, score[j]);
	}
	for (int j = 0; j < keys; j++) {
		score[j] = exp(score[j] - largest);
		sum += score[j];
		mix += score[j] * s->v[(j * KV + kv) * DH + c];
	}
	return mix / sum;
}

static void attention_is_within_its_bound(void **state)
{
	static const double sds[] = {0.01, 0.5, 2};

	(void)state;
	for (int k = 0; k < 6; k++) {
		int causal = k / 3;
		struct int_attention a = {HEADS, KV, DH, (uint32_t)causal, 3, NULL,
			integer_attention_scale(DH)};
		struct scene s;
		struct int_attention_data data = {s.q, s.k, s.v, s.row, s.out};

		fill(s.q, N * HEADS * DH, sds[k % 3], 1);
		fill(s.k, N * KV * DH, sds[k % 3], 2);
		fill(s.v, N * KV * DH, 1, 3);
		fill(s.rel, HEADS * 7, 0.5, 4);
		a.rel = s.rel;
		int_attention(&a, N, 0, &data);
		for (int i = 0; i < N * HEADS * DH; i++) {
			double want = attend(
				&s, causal, i / (HEADS * DH), i / DH % HEADS, i % DH);

			/* max |v| is below 4, and the weights' sum above 1 */
			assert_true(fabs(s.out[i] - want) <= 4 * N * 4 + 2);
		}
		data.out = s.q; /* in place */
		int_attention(&a, N, 0, &data);
		assert_memory_equal(s.q, s.out, sizeof(s.out));
	}
}

/* Tokens one by one after cached ones, as a decoder runs. */
static void attention_goes_on_after_the_past(void **state)
{
	struct int_attention a = {HEADS, KV, DH, 1, 0, NULL, integer_attention_scale(DH)};
	struct scene s;
	struct int_attention_data data = {s.q, s.k, s.v, s.row, s.out};
	int32_t step[HEADS * DH];

	(void)state;
	fill(s.q, N * HEADS * DH, 1, 1);
	fill(s.k, N * KV * DH, 1, 2);
	fill(s.v, N * KV * DH, 1, 3);
	int_attention(&a, N, 0, &data);
	for (uint32_t t = 0; t < N; t++) {
		struct int_attention_data one = {
			s.q + t * HEADS * DH, s.k, s.v, s.row, step};

		int_attention(&a, 1, t, &one);
		assert_memory_equal(step, s.out + t * HEADS * DH, sizeof(step));
	}
}

static void attention_bears_the_largest_numbers(void **state)
{
	enum { WIDE = 512 };
	static int32_t q[WIDE], k[2 * WIDE], v[2 * WIDE], row[2], out[WIDE];
	struct int_attention a = {1, 1, WIDE, 0, 0, NULL, integer_attention_scale(WIDE)};
	struct int_attention_data data = {q, k, v, row, out};

	(void)state;
	for (int i = 0; i < WIDE; i++) {
		q[i] = k[i] = v[i] = FIXED_MAX;
		k[WIDE + i] = v[WIDE + i] = -FIXED_MAX;
	}
	int_attention(&a, 1, 1, &data); /* the first key has all the weight */
	assert_in_range(out[0], FIXED_MAX - 2, FIXED_MAX);
	assert_in_range(out[WIDE - 1], FIXED_MAX - 2, FIXED_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(factor_is_the_float_exactly),
		cmocka_unit_test(quant_rounds_half_away_and_saturates),
		cmocka_unit_test(activations_are_within_two_units),
		cmocka_unit_test(logits_are_the_same_numbers),
		cmocka_unit_test(products_are_exact_but_for_their_rounding),
		cmocka_unit_test(products_act_and_quantise_what_they_leave),
		cmocka_unit_test(way_back_is_the_transpose),
		cmocka_unit_test(look_ups_are_the_rows),
		cmocka_unit_test(norms_are_within_their_bound),
		cmocka_unit_test(norm_saturates_and_keeps_both_results),
		cmocka_unit_test(pools_are_means_and_largest),
		cmocka_unit_test(convolution_goes_on_where_it_stopped),
		cmocka_unit_test(attention_is_within_its_bound),
		cmocka_unit_test(attention_goes_on_after_the_past),
		cmocka_unit_test(attention_bears_the_largest_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
