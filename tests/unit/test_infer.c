/* fmath and the portable kernels but products (test_infer_linear.c) against double
 * precision, on odd sizes, zeros and extremes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"
#include "src/model/quant.h"
#include "tests/unit/infer_fixture.h"

/* ---- fmath */

static double worst_relative(
	float (*f)(float), double (*truth)(double), double lo, double hi)
{
	double worst = 0;

	for (int i = 0; i <= 200000; i++) {
		float x = (float)(lo + (hi - lo) * i / 200000);
		double t = truth((double)x);

		worst = fmax(worst, fabs((double)f(x) - t) / fabs(t));
	}
	return worst;
}

static float own_exp(float x)
{
	return fmath_exp(x);
}

static void exp_keeps_its_bound_over_its_range(void **state)
{
	(void)state;
	assert_true(worst_relative(own_exp, exp, -87, 88) <= 2.5e-7);
	assert_true(worst_relative(own_exp, exp, -1, 1) <= 2.5e-7);
	assert_true(fmath_exp(0) == 1.0f);
	assert_true(fmath_exp(-1000) >= 0 && fmath_exp(-1000) <= 1.7e-38f);
	assert_true(isfinite(fmath_exp(1000)) && fmath_exp(1000) > 1e38f);
}

static float own_rsqrt(float x)
{
	return fmath_rsqrt(x);
}

static double true_rsqrt(double x)
{
	return 1 / sqrt(x);
}

static void rsqrt_keeps_its_bound_over_sixty_decades(void **state)
{
	(void)state;
	for (int e = -30; e < 30; e++)
		assert_true(worst_relative(own_rsqrt, true_rsqrt, pow(10, e),
				    pow(10, e + 1)) <= 3e-7);
}

static void erf_gelu_and_sigmoid_keep_their_bounds(void **state)
{
	double erf_worst = 0, gelu_worst = 0, sigmoid_worst = 0;

	(void)state;
	for (int i = -300000; i <= 300000; i++) {
		float x = (float)i / 15000;
		double d = (double)x;

		erf_worst = fmax(erf_worst, fabs((double)fmath_erf(x) - erf(d)));
		gelu_worst = fmax(gelu_worst,
			fabs((double)fmath_gelu(x) - 0.5 * d * (1 + erf(d / sqrt(2)))) /
				(1 + fabs(d)));
		sigmoid_worst = fmax(sigmoid_worst,
			fabs((double)fmath_sigmoid(x) - 1 / (1 + exp(-d))));
	}
	assert_true(erf_worst <= 6e-7);
	assert_true(gelu_worst <= 2e-7);
	assert_true(sigmoid_worst <= 2e-7);
	assert_true(fmath_gelu(0) == 0 && fmath_gelu(100) == 100);
}

static void bf16_agrees_with_the_host(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < 0x7f80; b++)
		assert_true(fmath_bf16((uint16_t)b) == bf16_to_float((uint16_t)b));
}

/* ---- norms, activations, convolution */

static void norms_keep_their_bounds(void **state)
{
	static const uint32_t widths[] = {1, 2, 7, 33, 64, 301};

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		uint32_t d = widths[i];
		float *x = floats(3u * d, 2), *g = floats(d, 1), *b = floats(d, 1);
		float *y = floats(3u * d, 0), *z = floats(3u * d, 0);

		memset(x + 2 * d, 0, d * sizeof(*x)); /* a row of zeros */
		norm_ln(3, d, x, g, b, y);
		norm_rms(3, d, x, g, z);
		for (uint32_t t = 0; t < 3; t++) {
			double mean = 0, var = 0, ms = 0, largest = 0;

			for (uint32_t c = 0; c < d; c++)
				mean += (double)x[t * d + c] / d;
			for (uint32_t c = 0; c < d; c++) {
				double v = (double)x[t * d + c];

				var += (v - mean) * (v - mean) / d;
				ms += v * v / d;
			}
			for (uint32_t c = 0; c < d; c++)
				largest =
					fmax(largest, fabs(((double)x[t * d + c] - mean) *
							      (double)g[c]) /
								      sqrt(var + 1e-5) +
							      fabs((double)b[c]));
			for (uint32_t c = 0; c < d; c++) {
				double v = (double)x[t * d + c];
				double ln = (v - mean) / sqrt(var + 1e-5) * (double)g[c] +
					    (double)b[c];
				double rms = v / sqrt(ms + 1e-5) * (double)g[c];

				/* one wide: x - mean is rounding, times up to 316 */
				double slack = d == 1 ? 1e-4 : (d + 16) * EPS;

				assert_true(fabs((double)y[t * d + c] - ln) <=
					    slack * largest);
				assert_true(fabs((double)z[t * d + c] - rms) <=
					    (d + 8) * EPS * fabs(rms));
			}
		}
		norm_ln(3, d, x, g, b, x); /* in place */
		assert_memory_equal(x, y, 3 * d * sizeof(*x));
		free(x), free(g), free(b), free(y), free(z);
	}
}

static void activations_and_add_are_elementwise(void **state)
{
	float x[7] = {-20, -3, -0.5f, 0, 0.5f, 3, 20}, y[7];

	(void)state;
	memcpy(y, x, sizeof(y));
	act_relu(7, y);
	for (int i = 0; i < 7; i++)
		assert_true(y[i] == (x[i] > 0 ? x[i] : 0));
	memcpy(y, x, sizeof(y));
	act_gelu(7, y);
	for (int i = 0; i < 7; i++)
		assert_true(y[i] == fmath_gelu(x[i]));
	memcpy(y, x, sizeof(y));
	act_silu(7, y);
	for (int i = 0; i < 7; i++)
		assert_true(
			fabs((double)y[i] - (double)x[i] / (1 + exp(-(double)x[i]))) <=
			2e-7 * (1 + fabs((double)x[i])));
	memcpy(y, x, sizeof(y));
	add(7, x, y);
	for (int i = 0; i < 7; i++)
		assert_true(y[i] == 2 * x[i]);
}

static void pools_agree_with_their_names(void **state)
{
	float x[6] = {1, -5, 3, -1, 2, -3}, y[2];

	(void)state;
	pool_mean(3, 2, x, y);
	assert_true(fabs((double)y[0] - 2) < 1e-6 && fabs((double)y[1] + 3) < 1e-6);
	pool_max(3, 2, x, y);
	assert_true(y[0] == 3 && y[1] == -1);
	pool_first(3, 2, x, y);
	assert_true(y[0] == 1 && y[1] == -5);
	pool_max(1, 2, x, y);
	assert_true(y[0] == 1 && y[1] == -5);
}

static void check_conv(uint32_t n, uint32_t d, uint32_t width, uint32_t now)
{
	float *x = floats((size_t)n * d, 1), *w = floats((size_t)d * width, 1);
	float *y = floats((size_t)n * d, 0);
	struct conv c = {d, width, now, w};

	conv_depthwise(&c, n, x, NULL, y);
	for (long t = 0; t < n; t++)
		for (uint32_t k = 0; k < d; k++) {
			double sum = 0, size = 0;

			for (long j = 0; j < width; j++) {
				long at = t + j - now;
				double v = at < 0 || at >= n
						   ? 0
						   : (double)x[at * d + k] *
							     (double)w[k * width +
								       (uint32_t)j];

				sum += v;
				size += fabs(v);
			}
			assert_true(fabs((double)y[t * d + k] - sum) <=
				    (width + 1) * EPS * size);
		}
	free(x), free(w), free(y);
}

static void conv_keeps_its_bound_at_every_edge(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 10; n += 2)
		for (uint32_t width = 1; width <= 7; width += 2) {
			check_conv(n, 3, width, width / 2);
			check_conv(n, 5, width, width - 1);
		}
}

/* However a sequence is cut into pieces, a decoder's convolution gives the same bits. */
static void conv_state_makes_pieces_equal_to_the_whole(void **state)
{
	static const uint32_t cuts[][4] = {
		{1, 1, 1, 8}, {5, 1, 4, 1}, {2, 7, 1, 1}, {11, 0, 0, 0}};
	enum { D = 3, N = 11, WIDTH = 5 };
	float *x = floats(N * D, 1), *w = floats(D * WIDTH, 1), whole[N * D],
	      parts[N * D];
	struct conv c = {D, WIDTH, WIDTH - 1, w};

	(void)state;
	conv_depthwise(&c, N, x, NULL, whole);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		float past[(WIDTH - 1) * D] = {0};
		uint32_t at = 0;

		for (int j = 0; j < 4 && cuts[i][j]; j++) {
			conv_depthwise(&c, cuts[i][j], x + at * D, past, parts + at * D);
			at += cuts[i][j];
		}
		assert_int_equal(at, N);
		assert_memory_equal(whole, parts, sizeof(whole));
	}
	free(x), free(w);
}

/* ---- attention */

struct attention_case {
	struct attention a;
	uint32_t n, n_past;
};

static double true_out(const struct attention_case *c, const struct attention_data *d,
	uint32_t t, uint32_t h, uint32_t k, double *largest_score)
{
	const struct attention *a = &c->a;
	uint32_t m = a->causal ? c->n_past + t + 1 : c->n_past + c->n, dh = a->d_head;
	uint32_t kv = h / (a->n_heads / a->n_kv_heads), stride = a->n_kv_heads * dh;
	double sum = 0, out = 0, top = -1e300, s[64];

	for (uint32_t j = 0; j < m; j++) {
		long away = (long)j - (long)(c->n_past + t), r = (long)a->rel_radius;

		s[j] = 0;
		for (uint32_t i = 0; i < dh; i++)
			s[j] += (double)d->q[(t * a->n_heads + h) * dh + i] *
				(double)d->k[j * stride + kv * dh + i];
		s[j] *= (double)a->scale;
		away = away < -r ? -r : away > r ? r : away;
		if (a->rel)
			s[j] += (double)a->rel[(long)h * (2 * r + 1) + away + r];
		top = fmax(top, s[j]);
		*largest_score = fmax(*largest_score, fabs(s[j]));
	}
	for (uint32_t j = 0; j < m; j++) {
		double p = exp(s[j] - top);

		sum += p;
		out += p * (double)d->v[j * stride + kv * dh + k];
	}
	return out / sum;
}

static void check_attention(const struct attention_case *c)
{
	const struct attention *a = &c->a;
	uint32_t qw = a->n_heads * a->d_head, kvw = a->n_kv_heads * a->d_head;
	uint32_t m = c->n + c->n_past;
	float *q = floats((size_t)c->n * qw, 2), *k = floats((size_t)m * kvw, 2);
	float *v = floats((size_t)m * kvw, 1), *row = floats(m, 0);
	float *out = floats((size_t)c->n * qw, 0);
	struct attention_data d = {
		.q = q, .k = k, .v = v, .row = row, .out = out};

	attention(a, c->n, c->n_past, &d);
	for (uint32_t t = 0; t < c->n; t++)
		for (uint32_t i = 0; i < qw; i++) {
			double largest = 0;
			double truth = true_out(
				c, &d, t, i / a->d_head, i % a->d_head, &largest);

			assert_true(fabs((double)out[t * qw + i] - truth) <=
				    ((a->d_head + 4) * largest + m + 16) * 4 * EPS * 5);
		}
	d.out = q; /* in place */
	attention(a, c->n, c->n_past, &d);
	assert_memory_equal(q, out, (size_t)c->n * qw * sizeof(*q));
	free(q), free(k), free(v), free(row), free(out);
}

static void attention_keeps_its_bound_for_every_option(void **state)
{
	float *rel = floats(6 * 11, 1);
	const struct attention_case cases[] = {
		{{1, 1, 1, 0, 0, NULL, 1.0f}, 1, 0},
		{{2, 2, 5, 0, 0, NULL, 0.4f}, 7, 0},
		{{6, 2, 8, 0, 3, rel, 0.35f}, 9, 0},
		{{6, 1, 3, 1, 5, rel, 0.5f}, 11, 0},
		{{4, 2, 7, 1, 0, NULL, 0.4f}, 1, 13},
		{{4, 4, 9, 1, 2, rel, 0.3f}, 5, 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_attention(&cases[i]);
	free(rel);
}

static void attention_survives_huge_scores(void **state)
{
	float q[2] = {1e4f, 0}, k[4] = {1e4f, 0, -1e4f, 0}, v[4] = {1, 2, 3, 4}, row[2],
	      out[2];
	struct attention a = {1, 1, 2, 0, 0, NULL, 1.0f};
	struct attention_data d = {
		.q = q, .k = k, .v = v, .row = row, .out = out};

	(void)state;
	attention(&a, 1, 1, &d);
	assert_true(fabs((double)out[0] - 1) < 1e-6 && fabs((double)out[1] - 2) < 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exp_keeps_its_bound_over_its_range),
		cmocka_unit_test(rsqrt_keeps_its_bound_over_sixty_decades),
		cmocka_unit_test(erf_gelu_and_sigmoid_keep_their_bounds),
		cmocka_unit_test(bf16_agrees_with_the_host),
		cmocka_unit_test(norms_keep_their_bounds),
		cmocka_unit_test(activations_and_add_are_elementwise),
		cmocka_unit_test(pools_agree_with_their_names),
		cmocka_unit_test(conv_keeps_its_bound_at_every_edge),
		cmocka_unit_test(conv_state_makes_pieces_equal_to_the_whole),
		cmocka_unit_test(attention_keeps_its_bound_for_every_option),
		cmocka_unit_test(attention_survives_huge_scores),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
