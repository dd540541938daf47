/* Every kernel of every ISA that this processor has, against the portable one: same
 * contract, odd sizes, saturation. Kernel files are included under another name. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/rng.h"
#include "src/infer/kernels.h"
#include "src/model/quant.h"

#if defined(__x86_64__)
void avx2_linear_i8(const struct linear *l, uint32_t n, const int8_t *x,
	const float *x_scale, const float *add, float *y);
void avx2_linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y);

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define sum8 sum8_i32
#define dot4 dot4_i8
#define dot1 dot1_i8
#define linear_i8 avx2_linear_i8
#include "src/infer/opt/x86-avx2/linear_i8.c"
#undef sum8
#undef dot4
#undef dot1
#undef linear_i8
#define linear_f32 avx2_linear_f32
#include "src/infer/opt/x86-avx2/linear_f32.c"
#undef linear_f32
#pragma GCC pop_options
#endif

struct shape {
	uint32_t n, in, out;
};
static const struct shape shapes[] = {{1, 1, 1}, {3, 7, 5}, {2, 8, 4}, {5, 31, 3},
	{1, 33, 9}, {4, 64, 17}, {2, 129, 6}, {7, 100, 64}, {1, 16, 2}};

static void skip_unless_avx2(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return;
#endif
	print_message("SKIP: this processor has no AVX2\n");
	skip();
}

static void avx2_linear_i8_gives_the_portable_kernels_bits(void **state)
{
	struct rng rng;

	(void)state;
	skip_unless_avx2();
	rng_init(&rng, 5);
#if defined(__x86_64__)
	for (size_t i = 0; i < 2 * sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct shape s = shapes[i / 2];
		size_t n_x = (size_t)s.n * s.in, n_w = (size_t)s.in * s.out;
		size_t n_y = (size_t)s.n * s.out;
		int8_t *x = malloc(n_x), *w = malloc(n_w);
		uint16_t *scales = malloc(2 * s.out);
		float *xs = malloc(s.n * sizeof(*xs)), *b = malloc(s.out * sizeof(*b));
		float *y = malloc(n_y * sizeof(*y)), *z = malloc(n_y * sizeof(*z));
		struct linear l = {.in = s.in,
			.out = s.out,
			.w = w,
			.scales = scales,
			.bias = i % 2 ? b : NULL};

		for (size_t j = 0; j < n_x; j++)
			x[j] = (int8_t)(i % 2 ? -127 : (int)rng_below(&rng, 255) - 127);
		for (size_t j = 0; j < n_w; j++)
			w[j] = (int8_t)(i % 2 ? -127 : (int)rng_below(&rng, 255) - 127);
		for (size_t j = 0; j < s.out; j++) {
			scales[j] = bf16_ceil((float)rng_unit(&rng));
			b[j] = (float)rng_normal(&rng);
		}
		for (size_t j = 0; j < s.n; j++)
			xs[j] = (float)rng_unit(&rng);
		for (size_t j = 0; j < n_y; j++)
			y[j] = z[j] = (float)rng_normal(&rng);
		linear_i8(&l, s.n, x, xs, i % 2 ? y : NULL, y);
		avx2_linear_i8(&l, s.n, x, xs, i % 2 ? z : NULL, z);
		assert_memory_equal(y, z, n_y * sizeof(*y));
		free(x), free(w), free(scales), free(xs), free(b), free(y), free(z);
	}
#endif
}

static void avx2_linear_f32_keeps_the_contracts_bound(void **state)
{
	struct rng rng;

	(void)state;
	skip_unless_avx2();
	rng_init(&rng, 6);
#if defined(__x86_64__)
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct shape s = shapes[i];
		size_t n_x = (size_t)s.n * s.in, n_w = (size_t)s.in * s.out;
		size_t n_y = (size_t)s.n * s.out;
		float *x = malloc(n_x * sizeof(*x)), *w = malloc(n_w * sizeof(*w));
		float *b = malloc(s.out * sizeof(*b)), *y = malloc(n_y * sizeof(*y));
		struct linear l = {
			.in = s.in, .out = s.out, .w = w, .scales = NULL, .bias = b};

		for (size_t j = 0; j < n_x; j++)
			x[j] = (float)rng_normal(&rng);
		for (size_t j = 0; j < n_w; j++)
			w[j] = (float)rng_normal(&rng);
		for (size_t j = 0; j < s.out; j++)
			b[j] = (float)rng_normal(&rng);
		avx2_linear_f32(&l, s.n, x, NULL, y);
		for (size_t j = 0; j < n_y; j++) {
			double sum = (double)b[j % s.out], size = 2 * fabs(sum);

			for (size_t c = 0; c < s.in; c++) {
				double v = (double)x[j / s.out * s.in + c] *
					   (double)w[j % s.out * s.in + c];

				sum += v;
				size += fabs(v);
			}
			assert_true(fabs((double)y[j] - sum) <= (s.in + 3) * size * 6e-8);
		}
		free(x), free(w), free(b), free(y);
	}
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(avx2_linear_i8_gives_the_portable_kernels_bits),
		cmocka_unit_test(avx2_linear_f32_keeps_the_contracts_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
