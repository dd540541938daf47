/* attention_dot8: the portable kernel against its definition in doubles, and every set's
 * own against the portable one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "src/infer/kernels.h"
#include "tests/unit/infer_fixture.h"

#ifndef TEST_STEP
#define TEST_STEP 1 /* every which shape is tried; more where it takes long */
#endif

typedef void attention_dot8_fn(
	const struct attention *a, uint32_t n, const struct attention_data *data);

struct shape {
	uint32_t heads, kv, d, n, causal, radius;
};
static const struct shape shapes[] = {{1, 1, 1, 1, 0, 0}, {2, 2, 32, 32, 0, 0},
	{3, 1, 26, 31, 0, 5}, {4, 2, 7, 9, 1, 2}, {2, 1, 48, 1, 1, 0},
	{2, 2, 33, 17, 1, 8}, {1, 1, 65, 40, 0, 0}, {6, 3, 16, 15, 1, 3},
	{12, 12, 26, 128, 0, 0}, {2, 2, 5, 33, 0, 64}};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* q, k and v one after another in rows, as FUSES_QKV lays them. */
struct inputs {
	struct attention a;
	struct attention_data data;
	uint32_t stride, wide;
	float *qkv, *rel, *row, *out;
};

static struct inputs make(const struct shape *s, double size)
{
	struct inputs in = {0};
	uint32_t floats_of_row = attention_dot8_floats(s->n, s->d);

	in.wide = s->heads * s->d;
	in.stride = (s->heads + 2 * s->kv) * s->d;
	in.qkv = floats((size_t)s->n * in.stride, size);
	in.rel = floats(s->heads * (2 * (size_t)s->radius + 1), 1);
	in.row = aligned_alloc(64, (floats_of_row + 15) / 16 * 64);
	in.out = floats((size_t)s->n * in.wide, 0);
	assert_non_null(in.row);
	in.a = (struct attention){s->heads, s->kv, s->d, s->causal, s->radius,
		s->radius ? in.rel : NULL, (float)(1 / sqrt(s->d))};
	in.data = (struct attention_data){.q = in.qkv,
		.k = in.qkv + in.wide,
		.v = in.qkv + in.wide + s->kv * s->d,
		.row = in.row,
		.out = in.out,
		.stride = in.stride};
	return in;
}

static void drop(struct inputs *in)
{
	free(in->qkv);
	free(in->rel);
	free(in->row);
	free(in->out);
}

static double largest_of(const float *x, const struct inputs *in, uint32_t n)
{
	double m = 0;

	for (uint32_t t = 0; t < n; t++)
		for (uint32_t c = 0; c < in->a.d_head; c++)
			m = fmax(m, fabs((double)x[(size_t)t * in->stride + c]));
	return m;
}

/* Output of query i, head h, column c. */
static double truth(
	const struct inputs *in, uint32_t n, uint32_t i, uint32_t h, uint32_t c)
{
	const struct attention *a = &in->a;
	uint32_t g = h / (a->n_heads / a->n_kv_heads), keys = a->causal ? i + 1 : n;
	const float *q = in->data.q + h * a->d_head, *k = in->data.k + g * a->d_head,
		    *v = in->data.v + g * a->d_head;
	double qs = largest_of(q, in, n) / 127, ks = largest_of(k, in, n) / 127,
	       vs = largest_of(v, in, n) / 127, s[128], top = -INFINITY, sum = 0, mix = 0;

	for (uint32_t j = 0; j < keys; j++) {
		long away = (long)j - (long)i, r = a->rel_radius;
		double dot = 0;

		for (uint32_t x = 0; x < a->d_head; x++)
			dot += nearbyint((double)q[(size_t)i * in->stride + x] / qs) *
			       nearbyint((double)k[(size_t)j * in->stride + x] / ks);
		away = away < -r ? -r : away > r ? r : away;
		s[j] = dot * qs * ks * (double)a->scale +
		       (a->rel ? (double)a->rel[h * (2 * r + 1) + away + r] : 0);
		top = fmax(top, s[j]);
	}
	for (uint32_t j = 0; j < keys; j++) {
		double u = nearbyint(255 * exp(s[j] - top));

		sum += u;
		mix += u * nearbyint((double)v[(size_t)j * in->stride + c] / vs);
	}
	return mix / sum * vs;
}

static void portable_kernel_keeps_to_the_definition(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SHAPES; i += TEST_STEP) {
		const struct shape *s = &shapes[i];
		struct inputs in = make(s, 2);

		attention_dot8(&in.a, s->n, &in.data);
		for (uint32_t t = 0; t < s->n; t++)
			for (uint32_t h = 0; h < s->heads; h++)
				for (uint32_t c = 0; c < s->d; c += 3) {
					uint32_t at = h / (s->heads / s->kv) * s->d;
					double v = largest_of(in.data.v + at, &in, s->n);
					double d =
						truth(&in, s->n, t, h, c) -
						(double)in
							.out[t * in.wide + h * s->d + c];

					assert_true(fabs(d) <= 2 * v / 255);
				}
		drop(&in);
	}
}

static void zeros_and_huge_scores_give_numbers(void **state)
{
	static const double sizes[] = {0, 1e-36, 1e15};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct shape s = {2, 2, 8, 5, 0, 0};
		struct inputs in = make(&s, sizes[i]);

		attention_dot8(&in.a, s.n, &in.data);
		for (uint32_t t = 0; t < s.n * in.wide; t++)
			assert_true(isfinite(in.out[t]));
		drop(&in);
	}
}

struct own {
	const char *isa;
	attention_dot8_fn *kernel;
	int runs;
};

#if defined(__x86_64__)
attention_dot8_fn x86_avx2_attention_dot8, x86_avx512vnni_attention_dot8;

static size_t own_kernels(struct own *out)
{
	out[0] = (struct own){"x86-avx2", x86_avx2_attention_dot8,
		__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")};
	out[1] = (struct own){"x86-avx512vnni", x86_avx512vnni_attention_dot8,
		__builtin_cpu_supports("avx512bw") &&
			__builtin_cpu_supports("avx512vl") &&
			__builtin_cpu_supports("avx512dq") &&
			__builtin_cpu_supports("avx512vnni")};
	return 2;
}
#elif defined(TEST_CROSS) && defined(__aarch64__)
attention_dot8_fn arm64_neon_attention_dot8, arm64_dotprod_attention_dot8,
	arm64_i8mm_attention_dot8;

static size_t own_kernels(struct own *out)
{
	out[0] = (struct own){"arm64-neon", arm64_neon_attention_dot8, 1};
	out[1] = (struct own){"arm64-dotprod", arm64_dotprod_attention_dot8, 1};
	out[2] = (struct own){"arm64-i8mm", arm64_i8mm_attention_dot8, 1};
	return 3;
}
#elif defined(__ARM_FEATURE_MVE)
attention_dot8_fn armv81m_mve_attention_dot8;

static size_t own_kernels(struct own *out)
{
	out[0] = (struct own){"armv81m-mve", armv81m_mve_attention_dot8, 1};
	return 1;
}
#elif defined(TEST_CROSS) && !defined(TEST_CORTEXM)
attention_dot8_fn armhf_neon_attention_dot8;

static size_t own_kernels(struct own *out)
{
	out[0] = (struct own){"armhf-neon", armhf_neon_attention_dot8, 1};
	return 1;
}
#else
static size_t own_kernels(struct own *out)
{
	(void)out;
	return 0;
}
#endif

/* A weight on the edge may fall on either side. */
static void compare(const struct shape *s, attention_dot8_fn *kernel, double size)
{
	struct inputs in = make(s, size);
	size_t n = (size_t)s->n * in.wide;
	float *mine = floats(n, 0);
	double v = 0;

	attention_dot8(&in.a, s->n, &in.data);
	memcpy(mine, in.out, n * sizeof(*mine));
	memset(in.out, 0, n * sizeof(*mine));
	kernel(&in.a, s->n, &in.data);
	for (uint32_t h = 0; h < s->kv; h++)
		v = fmax(v, largest_of(in.data.v + h * s->d, &in, s->n));
	for (size_t t = 0; t < n; t++)
		assert_true(fabs((double)(mine[t] - in.out[t])) <= 2 * v / 255);
	free(mine);
	drop(&in);
}

static void own_kernels_answer_like_the_portable_one(void **state)
{
	struct own own[4];
	size_t n = own_kernels(own);

	(void)state;
	for (size_t k = 0; k < n; k++) {
		if (!own[k].runs) {
			print_message("SKIP: this processor is no %s\n", own[k].isa);
			continue;
		}
		for (size_t i = 0; i < N_SHAPES; i++) {
			compare(&shapes[i], own[k].kernel, 4);
			compare(&shapes[i], own[k].kernel, 0.2);
			compare(&shapes[i], own[k].kernel, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(portable_kernel_keeps_to_the_definition),
		cmocka_unit_test(zeros_and_huge_scores_give_numbers),
		cmocka_unit_test(own_kernels_answer_like_the_portable_one),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
