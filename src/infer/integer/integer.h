/* The kernels of the path without floating point, for cores without an FPU: what the
 * generated code calls on the device and what the host's model of it calls, one source.
 * Freestanding C11 on exact-width integers; no result depends on compiler or machine, so
 * host and device agree bit for bit (gene act_scales = integer).
 *
 * Numbers. Values between products are int32 in units of 2^-16 ("fixed"), at most
 * FIXED_MAX either way: what is larger saturates. Products read int8 with a static scale
 * and weights as in kernels.h, int8 or int4 with bf16 scales; their sums are exact, and a
 * sum becomes fixed by one multiplication with 31 bits of both scales' product, one shift
 * and one rounding. Vectors (bias, gain, positions, taps, relative positions), fp32
 * elsewhere, are fixed here. Roundings are to the nearest; halves away from zero to int8,
 * else upwards.
 *
 * Shapes, aliasing and errors as in kernels.h. Bounds on the result, besides saturation,
 * against exact arithmetic on the same integers; unit is 2^-16. Tested in
 * tests/unit/test_infer_integer.c.
 */
#ifndef HAWSER_INFER_INTEGER_INTEGER_H
#define HAWSER_INFER_INTEGER_INTEGER_H

#include <stdint.h>

#define FIXED_BITS 16
#define FIXED_ONE (1 << FIXED_BITS)
#define FIXED_MAX ((1 << 27) - 1) /* 2048, less a unit */

/* mul * 2^exp, mul < 2^24: a float above zero, exactly. */
struct int_factor {
	uint32_t mul;
	int32_t exp;
};

#define INT_ACT_BITS 5

/* An activation as relu(x) - delta[|x|]: delta is even, in units of 2^-17, at every
 * 2^-INT_ACT_BITS from 0, and a parabola between; zero from the n-th on. GELU and
 * SiLU within 2 units, ReLU (n = 0) exact. */
struct int_act {
	const uint16_t *delta; /* [n + 2], the last two 0 */
	uint32_t n;
};

extern const struct int_act int_relu, int_gelu, int_silu;

struct int_linear {
	uint32_t in, out;
	const void *w;
	const uint16_t *scales;	   /* bf16 */
	const int32_t *bias;	   /* [out], or 0 */
	struct int_factor x;	   /* the scale of what the product reads */
	const struct int_act *act; /* applied last, or 0; then `add` is 0 */
	struct int_factor inverse; /* 1 / the scale of q */
};

/* Where a step leaves its results: fixed in y, int8 in q, or 0 where they are not wanted. */
struct int_out {
	int32_t *y;
	int8_t *q;
};

/* (x w^T) scales + bias + add, then act. `add` is [n, out] or 0, and may be out.y. Within
 * 1 unit (int8), 2 (int4; its groups saturate at 512), before act and q. */
void int_linear_i8(const struct int_linear *l, uint32_t n, const int8_t *x,
	const int32_t *add, struct int_out out);
void int_linear_i4(const struct int_linear *l, uint32_t n, const int8_t *x,
	const int32_t *add, struct int_out out);

/* y = x w for one token: x [out], y [in]. Within out / 256 + 1 units. */
void int_back_i8(const struct int_linear *l, const int32_t *x, int32_t *y);
void int_back_i4(const struct int_linear *l, const int32_t *x, int32_t *y);

/* Rows of the table. Within half a unit. */
void int_embed_i8(
	const struct int_linear *table, uint32_t n, const int32_t *ids, int32_t *y);
void int_embed_i4(
	const struct int_linear *table, uint32_t n, const int32_t *ids, int32_t *y);

/* y += x. Exact. */
void int_add(uint32_t n, const int32_t *x, int32_t *y);

/* q = x * inverse, at most 127 either way. Exact but for the rounding to int8. q may lie
 * on x. */
void int_quant(uint32_t n, struct int_factor inverse, const int32_t *x, int8_t *q);

struct int_norm {
	uint32_t d;
	uint32_t rms; /* 1: no mean, no bias */
	const int32_t *gain, *bias;
	struct int_factor inverse;
};

/* As norm_ln and norm_rms, to y (may be x) or to q (apart from x). Within 2 units,
 * 2^-20 of the gain, and what an error of half a unit in each x makes. */
void int_norm(const struct int_norm *l, uint32_t n, const int32_t *x, struct int_out out);

struct int_conv {
	uint32_t d, width, now;
	const int32_t *w; /* [d, width] */
};

/* As conv_depthwise. Within half a unit. */
void int_conv(const struct int_conv *c, uint32_t n, const int32_t *x, int32_t *state,
	int32_t *y);

struct int_attention {
	uint32_t n_heads, n_kv_heads, d_head, causal, rel_radius;
	const int32_t *rel; /* [n_heads, 2 * rel_radius + 1], or 0 */
	int32_t scale;	    /* 1 / sqrt(d_head) in units of 2^-30 */
};

struct int_attention_data {
	const int32_t *q, *k, *v;
	int32_t *row; /* scratch, n_past + n */
	int32_t *out; /* may be q */
};

/* As attention. Weights of the mix within 2^-15 of the largest; so out within 2^-14 *
 * max|v| * n / (sum of the weights), and 2 units. */
void int_attention(const struct int_attention *a, uint32_t n, uint32_t n_past,
	const struct int_attention_data *data);

/* Within a unit; max and first are exact. */
void int_pool_mean(uint32_t n, uint32_t d, const int32_t *x, int32_t *y);
void int_pool_max(uint32_t n, uint32_t d, const int32_t *x, int32_t *y);
void int_pool_first(uint32_t n, uint32_t d, const int32_t *x, int32_t *y);

/* Fixed to floats, put together bit by bit: exact to 24 bits, cut off below. y may lie on
 * x, where one memory has both. Order is kept. */
void int_logits(uint32_t n, const int32_t *x, float *y);

#endif
