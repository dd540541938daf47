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

static uint16_t quant_span(const float *w, uint32_t n, int limit, int8_t *q)
{
	float largest = 0, scale;
	uint16_t bits;

	for (uint32_t i = 0; i < n; i++)
		largest = fmaxf(largest, fabsf(w[i]));
	bits = bf16_ceil(largest / (float)limit);
	scale = bf16_to_float(bits);
	for (uint32_t i = 0; i < n; i++) {
		float v = scale > 0 ? roundf(w[i] / scale) : 0;

		q[i] = (int8_t)fmaxf(fminf(v, (float)limit), (float)-limit);
	}
	return bits;
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

		for (uint32_t at = 0; at < cols; at += step) {
			uint32_t n = cols - at < step ? cols - at : step;
			float largest = 0, scale;

			for (uint32_t i = 0; i < n; i++)
				largest = fmaxf(largest, fabsf(row[at + i]));
			scale = bf16_to_float(bf16_ceil(largest / (float)limit));
			for (uint32_t i = 0; i < n; i++) {
				float v = scale > 0 ? roundf(row[at + i] / scale) : 0;

				v = fmaxf(fminf(v, (float)limit), (float)-limit);
				row[at + i] = v * scale;
			}
		}
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
