#include "src/model/quant.h"

#include <math.h>
#include <string.h>

uint16_t bf16_ceil(float x)
{
	uint32_t u;

	memcpy(&u, &x, sizeof(u));
	return (uint16_t)((u >> 16) + ((u & 0xffff) != 0));
}

float bf16_to_float(uint16_t b)
{
	uint32_t u = (uint32_t)b << 16;
	float x;

	memcpy(&x, &u, sizeof(x));
	return x;
}

/* Largest magnitude, not-a-numbers aside. In lanes, since one maximum after the other takes
 * longer than all the rest. */
static float largest_of(const float *w, uint32_t n)
{
	float lane[8] = {0}, largest = 0;
	uint32_t i = 0;

	for (; i + 8 <= n; i += 8)
		for (uint32_t j = 0; j < 8; j++) {
			float x = fabsf(w[i + j]);

			lane[j] = x > lane[j] ? x : lane[j];
		}
	for (; i < n; i++) {
		float x = fabsf(w[i]);

		lane[0] = x > lane[0] ? x : lane[0];
	}
	for (uint32_t j = 0; j < 8; j++)
		largest = lane[j] > largest ? lane[j] : largest;
	return largest;
}

/* The nearest integer, halves away from zero, of |x| < 2^22. One half less a bit, since
 * the largest float below 0.5 plus 0.5 would be 1. */
static int nearest(float x)
{
	return (int)(x + copysignf(0x1.fffffep-2f, x));
}

/* A weight over its scale as an integer within the limit, to which nothing comparable
 * goes too. */
static int step_of(float x, float limit)
{
	x = x > -limit ? x : -limit;
	return nearest(x < limit ? x : limit);
}

static uint16_t scale_of(const float *w, uint32_t n, int limit)
{
	return bf16_ceil(largest_of(w, n) / (float)limit);
}

static uint16_t quant_span(const float *w, uint32_t n, int limit, int8_t *q)
{
	uint16_t bits = scale_of(w, n, limit);
	float scale = bf16_to_float(bits), top = (float)limit;

	if (!(scale > 0)) {
		memset(q, 0, n);
		return bits;
	}
	for (uint32_t i = 0; i < n; i++)
		q[i] = (int8_t)step_of(w[i] / scale, top);
	return bits;
}

static void fake_span(float *w, uint32_t n, int limit)
{
	float scale = bf16_to_float(scale_of(w, n, limit)), top = (float)limit;

	if (!(scale > 0)) {
		memset(w, 0, n * sizeof(*w));
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		w[i] = (float)step_of(w[i] / scale, top) * scale;
}

void quant_row(const float *w, uint32_t cols, int bits, int8_t *q, uint16_t *scales)
{
	if (bits == 8) {
		scales[0] = quant_span(w, cols, 127, q);
		return;
	}
	for (uint32_t g = 0; g < quant_groups(cols); g++) {
		uint32_t at = g * QUANT_GROUP;
		uint32_t n = cols - at < QUANT_GROUP ? cols - at : QUANT_GROUP;

		scales[g] = quant_span(w + at, n, 7, q + at);
	}
}

void quant_fake(float *w, uint32_t rows, uint32_t cols, int bits)
{
	uint32_t step = bits == 4 ? QUANT_GROUP : cols;
	int limit = bits == 4 ? 7 : 127;

	if (bits == 32)
		return;
	for (uint32_t r = 0; r < rows; r++) {
		float *row = w + (size_t)r * cols;

		for (uint32_t at = 0; at < cols; at += step)
			fake_span(row + at, cols - at < step ? cols - at : step, limit);
	}
}

size_t quant_bytes(uint32_t rows, uint32_t cols, int bits)
{
	size_t r = rows, c = cols;

	if (bits == 32)
		return r * c * 4;
	if (bits == 8)
		return r * (c + 2);
	return r * ((c + 1) / 2 + 2 * (size_t)quant_groups(cols));
}

/* Eleven bits of mantissa, exponents of at least -14. */
static double round_half(double x)
{
	double quantum;
	int exponent;

	x = fmax(fmin(x, 65504), -65504);
	frexp(x, &exponent);
	quantum = ldexp(1, (exponent - 1 > -14 ? exponent - 1 : -14) - 10);
	return rint(x / quantum) * quantum;
}

void quant_kv(double *x, uint32_t d_head, int bits)
{
	double largest = 0, inverse;

	if (bits == 16)
		for (uint32_t i = 0; i < d_head; i++)
			x[i] = round_half(x[i]);
	if (bits != 8)
		return;
	for (uint32_t i = 0; i < d_head; i++)
		largest = fmax(largest, fabs(x[i]));
	inverse = largest > 0 ? 127 / largest : 0;
	for (uint32_t i = 0; i < d_head; i++)
		x[i] = round(x[i] * inverse) * (largest / 127);
}

float quant_activation(const float *x, uint32_t n, int8_t *q)
{
	float largest = 0, inverse;

	for (uint32_t i = 0; i < n; i++)
		largest = fmaxf(largest, fabsf(x[i]));
	inverse = largest > 0 ? 127 / largest : 0;
	for (uint32_t i = 0; i < n; i++)
		q[i] = (int8_t)roundf(x[i] * inverse);
	return largest / 127;
}
