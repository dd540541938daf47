/* Keys and values that are kept in fp16 or int8: rounding, and attention over them. */
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

typedef void store_fn(uint32_t n, const float *x, uint16_t *y);
typedef void attention_fn(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data);

struct kernels {
	const char *isa;
	store_fn *store;
	attention_fn *f16, *i8;
};

#if defined(__x86_64__)
store_fn x86_avx512vnni_kv_store_f16;
attention_fn x86_avx512vnni_attention_f16, x86_avx512vnni_attention_i8;
#elif defined(__ARM_FEATURE_MVE)
attention_fn armv81m_mve_attention_f16, armv81m_mve_attention_i8;
#endif

static const struct kernels all[] = {
	{"", kv_store_f16, attention_f16, attention_i8},
#if defined(__x86_64__)
	{"x86-avx512vnni", x86_avx512vnni_kv_store_f16, x86_avx512vnni_attention_f16,
		x86_avx512vnni_attention_i8},
#elif defined(__ARM_FEATURE_MVE)
	{"armv81m-mve", kv_store_f16, armv81m_mve_attention_f16,
		armv81m_mve_attention_i8},
#endif
};

/* The next set that runs here; starts with NULL. */
static const struct kernels *next_set(const struct kernels *k)
{
	for (k = k ? k + 1 : all; k < all + sizeof(all) / sizeof(all[0]); k++) {
#if defined(__x86_64__)
		if (!*k->isa || (__builtin_cpu_supports("avx512bw") &&
					__builtin_cpu_supports("avx512vl") &&
					__builtin_cpu_supports("avx512dq") &&
					__builtin_cpu_supports("avx512vnni")))
			return k;
#else
		return k;
#endif
		print_message("SKIP: this processor is no %s\n", k->isa);
	}
	return NULL;
}

static void every_half_survives_and_its_edges_round_as_on_the_host(void **state)
{
	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (uint32_t h = 0; h < 0x7c00; h++) {
			float x = fmath_half((uint16_t)h), up, edge[4];
			uint16_t got[4];

			up = h == 0x7bff ? 65536.0f : fmath_half((uint16_t)(h + 1));
			edge[0] = x;
			edge[1] = -x;
			edge[2] = (x + up) / 2; /* a tie */
			edge[3] = -(x + (up - x) * 0.75f);
			k->store(4, edge, got);
			assert_int_equal(got[0], h);
			assert_int_equal(got[1], h | 0x8000);
			for (int i = 0; i < 4; i++) {
				double want = (double)edge[i];

				quant_kv(&want, 1, 16);
				assert_true((double)fmath_half(got[i]) == want);
			}
		}
}

static void halves_hold_at_the_ends_and_in_odd_counts(void **state)
{
	float x[21] = {1e30f, -1e30f, 65520, 65504, 65503, 1e-30f, -1e-9f, 0};
	uint16_t y[22];

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (uint32_t n = 1; n <= 21; n++) {
			y[n] = 0xbeef;
			k->store(n, x, y);
			assert_int_equal(y[n], 0xbeef);
			for (uint32_t i = 0; i < n; i++)
				assert_int_equal(y[i], fmath_to_half(x[i]));
			assert_int_equal(y[0], 0x7bff);
		}
}

/* ---- attention */

struct kept_case {
	uint32_t heads, kv, d, n, past, causal, radius;
};

struct kept {
	uint16_t *half[2];
	int8_t *byte[2];
	float *scale[2], *exact[2][2]; /* [bits 16, 8][k, v]: what is stood for */
};

static void keep(struct kept *k, uint32_t m, uint32_t kv, uint32_t d)
{
	size_t n = (size_t)m * kv * d;

	for (int i = 0; i < 2; i++) {
		float *x = floats(n, 1);

		k->half[i] = malloc((n + 1) * sizeof(*k->half[i]));
		k->byte[i] = malloc(n + 1);
		k->scale[i] = floats((size_t)m * kv, 0);
		k->exact[0][i] = floats(n, 0);
		k->exact[1][i] = floats(n, 0);
		kv_store_f16((uint32_t)n, x, k->half[i]);
		quant_rows(m * kv, d, x, k->byte[i], k->scale[i]);
		for (size_t j = 0; j < n; j++) {
			k->exact[0][i][j] = fmath_half(k->half[i][j]);
			k->exact[1][i][j] = (float)k->byte[i][j] * k->scale[i][j / d];
		}
		free(x);
	}
}

static void drop(struct kept *k)
{
	for (int i = 0; i < 2; i++) {
		free(k->half[i]), free(k->byte[i]), free(k->scale[i]);
		free(k->exact[0][i]), free(k->exact[1][i]);
	}
}

static double largest(const float *x, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = fmax(most, fabs((double)x[i]));
	return most;
}

static void check_attention(const struct kernels *set, const struct kept_case *c)
{
	uint32_t m = c->n + c->past, d = c->d;
	size_t wide = (size_t)c->n * c->heads * d;
	float *rel = floats(c->heads * (2 * (size_t)c->radius + 1), 1);
	float *q = floats(wide, 1), *in_place = floats(wide, 0), *want = floats(wide, 0);
	float *row = floats((size_t)(m + 15) / 16 * 16, 0);
	struct attention a = {c->heads, c->kv, d, c->causal, c->radius,
		c->radius ? rel : NULL, 1 / sqrtf((float)d)};
	struct kept kept;

	keep(&kept, m, c->kv, d);
	for (int bits = 0; bits < 2; bits++) {
		size_t n = (size_t)m * c->kv * d;
		double v = largest(kept.exact[bits][1], n);
		double qk = largest(q, wide) * largest(kept.exact[bits][0], n) * d;
		double bound = (d * qk * (double)a.scale + m + 18) * 4 * EPS * v;

		attention(&a, c->n, c->past,
			&(const struct attention_data){.q = q,
				.k = kept.exact[bits][0],
				.v = kept.exact[bits][1],
				.row = row,
				.out = want});
		memcpy(in_place, q, wide * sizeof(*q));
		(bits ? set->i8 : set->f16)(&a, c->n, c->past,
			&(const struct attention_data){.q = in_place,
				.kept_k =
					bits ? (const void *)kept.byte[0] : kept.half[0],
				.kept_v =
					bits ? (const void *)kept.byte[1] : kept.half[1],
				.k_scale = kept.scale[0],
				.v_scale = kept.scale[1],
				.row = row,
				.out = in_place});
		for (size_t i = 0; i < wide; i++)
			assert_true(fabs((double)want[i] - (double)in_place[i]) <= bound);
	}
	drop(&kept);
	free(rel), free(q), free(in_place), free(want), free(row);
}

static void attention_answers_like_fp32_on_what_was_kept(void **state)
{
	static const struct kept_case cases[] = {{1, 1, 1, 1, 0, 1, 0},
		{2, 2, 32, 32, 0, 1, 0}, {3, 1, 26, 31, 0, 0, 5}, {4, 2, 7, 9, 0, 1, 2},
		{2, 1, 48, 1, 40, 1, 0}, {2, 2, 33, 17, 23, 1, 8}, {1, 1, 65, 3, 0, 0, 0},
		{6, 3, 16, 15, 1, 1, 3}, {6, 6, 48, 1, 128, 1, 0},
		{1, 1, 130, 2, 15, 1, 64}};

	(void)state;
	for (const struct kernels *k = NULL; (k = next_set(k));)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			check_attention(k, &cases[i]);
}

/* A row of zeros has scale 0: its score is 0 and its value adds nothing. */
static void a_token_of_zeros_is_seen(void **state)
{
	static const int8_t k[4] = {0, 0, 127, -127}, v[4] = {127, 0, 0, 0};
	static const float k_scale[2] = {0, 0.5f}, v_scale[2] = {1 / 127.0f, 0};
	float q[2] = {0, 0}, out[2], row[16];
	struct attention a = {1, 1, 2, 1, 0, NULL, 1};

	(void)state;
	for (const struct kernels *set = NULL; (set = next_set(set));) {
		set->i8(&a, 1, 1,
			&(const struct attention_data){.q = q,
				.kept_k = k,
				.kept_v = v,
				.k_scale = k_scale,
				.v_scale = v_scale,
				.row = row,
				.out = out});
		assert_true(fabs((double)out[0] - 0.5) < 1e-6 && out[1] == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_half_survives_and_its_edges_round_as_on_the_host),
		cmocka_unit_test(halves_hold_at_the_ends_and_in_odd_counts),
		cmocka_unit_test(attention_answers_like_fp32_on_what_was_kept),
		cmocka_unit_test(a_token_of_zeros_is_seen),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
