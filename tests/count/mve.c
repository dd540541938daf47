/* `make bench-mve`: instructions of the kernels for Cortex-M55, beside the portable ones
 * compiled for it. Runs on the emulated board, where with -icount each instruction takes
 * 64 ns of the clock. Counts, never times. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/infer/kernels.h"

#define GOAL_INT8 0.2 /* instructions a multiply-add, without activation */
#define TOKENS 16
#define MOST 256 /* columns in, or out */

void portable_linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y);
void portable_linear_i8(const struct linear *l, uint32_t n, const int8_t *x,
	const float *x_scale, const float *add, float *y);
void portable_linear_i4(const struct linear *l, uint32_t n, const int8_t *x,
	const float *x_scale, const float *add, float *y);
void portable_norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y);
void portable_norm_rms(
	uint32_t n, uint32_t d, const float *x, const float *gain, float *y);
void portable_act_gelu(uint32_t n, float *x);
void portable_quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale);
void portable_attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data);

void portable_attention_dot8(
	const struct attention *a, uint32_t n, const struct attention_data *data);

static int8_t q[TOKENS * MOST], weights[64 * MOST * 4] __attribute__((aligned(64)));
static uint16_t scales[64 * MOST / KERNEL_GROUP * 4];
static float x[TOKENS * MOST], y[TOKENS * MOST], x_scale[TOKENS], bias[MOST];
static float row[1024] __attribute__((aligned(64)));

/* ---- SysTick, which counts down from 2^24 at the processor's 32 MHz */

#define SYSTICK ((volatile uint32_t *)0xe000e010u)
#define TICKS_OF_ONE (64 * 32 / 1000.0)

static uint32_t start_at;

static void start(void)
{
	SYSTICK[1] = 0xffffff;
	SYSTICK[0] = 5;
	SYSTICK[2] = 0;
	while (!SYSTICK[2])
		;
	start_at = SYSTICK[2];
}

static double instructions(void)
{
	return ((start_at - SYSTICK[2]) & 0xffffff) / TICKS_OF_ONE;
}

/* ---- what is counted */

static struct linear matrix(uint32_t in, uint32_t out, uint8_t panels, uint8_t act)
{
	return (struct linear){in, out, weights, scales, bias, panels, act, 0};
}

struct case_of {
	const char *name;
	int bits; /* of a product; 0: another kernel */
	uint32_t in, out;
	uint8_t act;
};
static const struct case_of cases[] = {{"int8", 8, 64, 256, 0}, {"int8", 8, 256, 64, 0},
	{"int8 and GELU", 8, 64, 256, KERNEL_GELU}, {"int4", 4, 64, 256, 0},
	{"int4", 4, 256, 64, 0}, {"fp32", 32, 64, 256, 0}, {"fp32", 32, 256, 64, 0}};

static double product(const struct case_of *c, uint32_t n, int portable)
{
	struct linear l = matrix(c->in, c->out, !portable, portable ? 0 : c->act);

	start();
	if (c->bits == 32)
		(portable ? portable_linear_f32 : linear_f32)(&l, n, x, 0, y);
	else if (c->bits == 8)
		(portable ? portable_linear_i8 : linear_i8)(&l, n, q, x_scale, 0, y);
	else
		(portable ? portable_linear_i4 : linear_i4)(&l, n, q, x_scale, 0, y);
	if (portable && c->act)
		portable_act_gelu(n * c->out, y);
	return instructions() / ((double)n * c->in * c->out);
}

static int products(void)
{
	int n_missed = 0;

	printf("instructions a multiply-add            in  out  %2d tokens  one token  "
	       "portable\n",
		TOKENS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct case_of *c = &cases[i];
		double many = product(c, TOKENS, 0);

		printf("  %-34s  %3u  %3u %10.4f %10.4f %9.4f\n", c->name,
			(unsigned)c->in, (unsigned)c->out, many, product(c, 1, 0),
			product(c, TOKENS, 1));
		if (c->bits == 8 && !c->act && many > GOAL_INT8) {
			printf("  NOT MET: at most %.4g is wanted\n", GOAL_INT8);
			n_missed++;
		}
	}
	return n_missed;
}

static const struct attention heads = {4, 4, 16, 0, 0, 0, 0.25f};
static const struct attention_data data = {
	.q = x, .k = x + 1024, .v = x + 2048, .row = row, .out = y};

static double other(int which, int portable)
{
	start();
	switch (which) {
	case 0:
		(portable ? portable_quant_rows : quant_rows)(TOKENS, 64, x, q, x_scale);
		return instructions() / (TOKENS * 64);
	case 1:
		(portable ? portable_norm_ln : norm_ln)(TOKENS, 64, x, bias, bias, y);
		return instructions() / (TOKENS * 64);
	case 2:
		(portable ? portable_norm_rms : norm_rms)(TOKENS, 64, x, bias, y);
		return instructions() / (TOKENS * 64);
	case 3:
		(portable ? portable_act_gelu : act_gelu)(TOKENS * 64, y);
		return instructions() / (TOKENS * 64);
	case 4:
		(portable ? portable_attention : attention)(&heads, TOKENS, 0, &data);
		return instructions() / (2.0 * TOKENS * TOKENS * 64);
	}
	(portable ? portable_attention_dot8 : attention_dot8)(&heads, TOKENS, &data);
	return instructions() / (2.0 * TOKENS * TOKENS * 64);
}

static void others(void)
{
	static const char *const names[] = {"quantisation of rows", "LayerNorm",
		"RMSNorm", "GELU", "attention, 4 heads of 16, a multiply-add",
		"attention in int8, the same"};

	printf("instructions a number, 16 x 64                           portable\n");
	for (int i = 0; i < 6; i++)
		printf("  %-42s %9.3f %9.3f\n", names[i], other(i, 0), other(i, 1));
}

int main(void)
{
	for (size_t i = 0; i < sizeof(weights); i++)
		weights[i] = (int8_t)(rand() >> 8);
	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
		scales[i] = 0x3c00;
	for (size_t i = 0; i < TOKENS * MOST; i++) {
		x[i] = (float)(rand() % 2001 - 1000) / 1000;
		q[i] = (int8_t)(rand() >> 8);
	}
	for (int i = 0; i < MOST; i++)
		bias[i] = 1;
	for (int i = 0; i < TOKENS; i++)
		x_scale[i] = 0.01f;
	others();
	return products() != 0;
}
