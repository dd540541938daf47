/* The kernels that generated models call: one contract for ref/ and for every opt/<isa>/.
 *
 * Each kernel is one function in a file of its own name: ref/linear_i8.c is the portable
 * one, opt/<isa>/linear_i8.c replaces it at link time. Which ISA has which is the table
 * in src/codegen/kernel_sets.c. Freestanding C11, no heap, no libm; the compiler may call
 * memcpy and memset.
 *
 * Shapes: n tokens; x [n, in], y [n, out], row-major, without padding. Weights [out, in].
 *   fp32   w is float.
 *   int8   w is int8_t in [-127, 127]; scales: one bf16 a row.
 *   int4   w is packed two a byte, even column in the low nibble, stored as value + 8;
 *          rows start on a byte, a spare last nibble is 8; scales: one bf16 for each
 *          KERNEL_GROUP columns of a row (the last group may be short).
 * Numbers are little endian. Floats and scales are aligned to their size; kernels must
 * not assume more. in <= 65535, so an int8 dot product fits 32 bits.
 *
 * Aliasing: inputs and outputs are apart unless a kernel says otherwise.
 * Errors: none; arguments come from generated code that has checked them.
 * Bounds hold for finite inputs, against exact arithmetic on the same float inputs; eps
 * is 2^-24 and S the sum of |products| (and of |bias|, |add|). Tested in tests/unit/
 * test_infer.c and, for opt, test_infer_opt.c and test_infer_static.c.
 */
#ifndef HAWSER_INFER_KERNELS_H
#define HAWSER_INFER_KERNELS_H

#include <stdint.h>

#define KERNEL_GROUP 32

enum kernel_act { KERNEL_NO_ACT, KERNEL_RELU, KERNEL_GELU, KERNEL_SILU };

/* Ways through one product that give the same bits at different speeds; which one is the
 * fastest depends on machine and shape. A kernel has the first few of them: how many is
 * told by its set's row in the table. */
enum kernel_schedule {
	SCHEDULE_EVEN, /* tiles of rows as high and as even as can be */
	SCHEDULE_FULL, /* full tiles, then the rest */
	SCHEDULE_ROWS, /* a tile of rows by all panels, not a panel by all rows */
	SCHEDULE_LOW,  /* even, lower by a quarter: 6 rows instead of 8 */
	N_SCHEDULES
};

struct linear {
	uint32_t in, out;
	const void *w;		/* see above */
	const uint16_t *scales; /* bf16; 0 for fp32 */
	const float *bias;	/* [out], or 0 */
	/* Only for sets whose row in the table says so; the portable kernels read none. */
	uint8_t panels; /* 1: w, and the scales of int4, lie in the set's panels */
	/* enum kernel_act, applied last; then `add` is 0. Its absolute error is that of
	 * fmath.h, and for GELU after int8 and int4 products at most 1.2e-5 more. */
	uint8_t act;
	uint8_t schedule; /* enum kernel_schedule */
};

/* y = x w^T + bias + add. `add` is [n, out] or 0, and may be y itself (the residual).
 * Error <= (in + 3) eps S. */
void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y);

/* y = (x w^T) x_scale scale + bias + add on quantised tokens: x [n, in], x_scale [n].
 * The integer sum is exact; error <= 4 eps S. */
void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y);

/* The same with a scale a group; error <= (groups + 4) eps S. */
void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y);

/* y = x w for one token: x [out], y [in]. The way back through a factorised embedding,
 * weights dequantised, x in fp32; no bias. Error <= (out + 3) eps S. */
void linear_back_f32(const struct linear *l, const float *x, float *y);
void linear_back_i8(const struct linear *l, const float *x, float *y);
void linear_back_i4(const struct linear *l, const float *x, float *y);

/* One token at a time to int8: scale = max|x| / 127, q = x * (127 / max|x|) rounded half
 * away from zero; a row whose max is below 1e-30 gives q = 0, scale = max / 127.
 * Bit-exact with src/model/quant.h. In place: q may lie on x (row i of q then starts at
 * byte i * d). */
void quant_rows(uint32_t n, uint32_t d, const float *x, int8_t *q, float *scale);

/* With a scale that is known beforehand, 1 / scale as `inverse`: q = x * inverse, at most
 * 127 either way, rounded half away from zero. Bit-exact; in place as above. */
void quant_rows_static(uint32_t n, uint32_t d, float inverse, const float *x, int8_t *q);

/* For sets whose row in the table says so (FUSES_QUANT): quant_rows of what an activation
 * or a norm leaves, bit for bit, except that GELU's absolute error may be 1.1e-4 more.
 * act_quant_rows uses x as scratch, and q may lie on it as above. The norms write their
 * floats to y when it is not 0 (it may be x); q lies apart from x and y. */
void act_quant_rows(
	uint32_t n, uint32_t d, uint8_t act, float *x, int8_t *q, float *scale);
void norm_ln_quant(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, int8_t *q, float *scale);
void norm_rms_quant(uint32_t n, uint32_t d, const float *x, const float *gain, float *y,
	int8_t *q, float *scale);

/* For sets whose row in the table says so (FUSES_STATIC): quant_rows_static of what a norm
 * leaves, and of a product with l->act applied; q [n, out] lies apart from x. All tokens
 * of the product have the one x_scale. Errors before rounding as those of the parts, and
 * GELU's 1.1e-4 more. */
void norm_ln_quant_static(uint32_t n, uint32_t d, const float *x, const float *gain,
	const float *bias, float *y, float inverse, int8_t *q);
void norm_rms_quant_static(uint32_t n, uint32_t d, const float *x, const float *gain,
	float *y, float inverse, int8_t *q);
void linear_i8_quant(const struct linear *l, uint32_t n, const int8_t *x, float x_scale,
	float inverse, int8_t *q);
void linear_i4_quant(const struct linear *l, uint32_t n, const int8_t *x, float x_scale,
	float inverse, int8_t *q);

/* y[t] = dequantised row ids[t] of the table; l->in is the width, l->out the vocabulary.
 * 0 <= id < l->out. Exact for fp32, one rounding otherwise. */
void embed_f32(const struct linear *table, uint32_t n, const int32_t *ids, float *y);
void embed_i8(const struct linear *table, uint32_t n, const int32_t *ids, float *y);
void embed_i4(const struct linear *table, uint32_t n, const int32_t *ids, float *y);

/* y += x over n floats. Exact to one rounding. */
void add(uint32_t n, const float *x, float *y);

/* (x - mean) / sqrt(var + 1e-5) * gain + bias, per row; y may be x. Relative to the row's
 * largest |(x - mean) / sigma * gain| + |bias| the error is at most (d + 16) eps when
 * |mean| is not much larger than sigma. */
void norm_ln(uint32_t n, uint32_t d, const float *x, const float *gain, const float *bias,
	float *y);
/* x / sqrt(mean of x^2 + 1e-5) * gain; y may be x. Relative error <= (d + 8) eps. */
void norm_rms(uint32_t n, uint32_t d, const float *x, const float *gain, float *y);

/* In place, n floats. Absolute errors as in fmath.h. */
void act_relu(uint32_t n, float *x);
void act_gelu(uint32_t n, float *x);
void act_silu(uint32_t n, float *x);

struct conv {
	uint32_t d, width, now; /* tap `now` multiplies the token itself */
	const float *w;		/* [d, width] */
};

/* y[t, c] = sum_j w[c, j] x[t + j - now, c]. `state` is 0 for an encoder (zeros outside
 * the input). For a decoder (now == width - 1) it holds the width - 1 inputs before x,
 * oldest first, [width - 1, d], zeros at first, and is brought up to date. Error <=
 * (width
 * + 1) eps S. */
void conv_depthwise(
	const struct conv *c, uint32_t n, const float *x, float *state, float *y);

struct attention {
	uint32_t n_heads, n_kv_heads, d_head;
	uint32_t causal;     /* 1: token i sees j <= i */
	uint32_t rel_radius; /* clip of j - i */
	const float *rel;    /* [n_heads, 2 * rel_radius + 1], or 0 */
	float scale;	     /* 1 / sqrt(d_head) */
};

/* Keys or values to fp16: y[i] = x[i] rounded to the nearest, ties to even, +-65504 at
 * most. Bit-exact with quant_kv of src/model/quant.h. To int8 they go by quant_rows, a
 * row a token and kv head. */
void kv_store_f16(uint32_t n, const float *x, uint16_t *y);

struct attention_data {
	const float *q;	    /* [n, n_heads * d_head] */
	const float *k, *v; /* [n_past + n, n_kv_heads * d_head], the cached ones first */
	float *row;	    /* scratch, n_past + n floats or what the set's row tells */
	float *out;	    /* [n, n_heads * d_head]; may be q */
	/* Floats from token to token of q, k and v where they lie in one buffer; 0: as
	 * above. Only for sets whose row in the table says so; out is then not q. */
	uint32_t stride;
	/* attention_f16 and attention_i8 read these instead of k and v, and know no
	 * `stride`: fp16 or int8, cached ones first, as k; of int8 a scale a token and kv
	 * head, [n_past + n, n_kv_heads]. */
	const void *kept_k, *kept_v;
	const float *k_scale, *v_scale;
};

/* Scores, softmax and mix, one row of scores at a time. Error of out <= (d_head *
 * max|q||k| * scale + n + 16) * 4 eps * max|v|. */
void attention(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data);

/* The same with int8 products, as src/model/graph.h tells of attn_int8: a scale for each
 * head's q, k and v, weights of the mix as 0..255. n_past is 0. `row` is scratch of
 * attention_dot8_floats() floats, aligned to 64 bytes. Both integer sums are exact; the
 * weights are within 1 of the exact ones, so that the error of out beyond that of fp32 is
 * at most (2 / 255) * max|v| of the head. */
void attention_dot8(
	const struct attention *a, uint32_t n, const struct attention_data *data);

static inline uint32_t attention_dot8_floats(uint32_t n, uint32_t d_head)
{
	uint32_t m = (n + 15) / 16 * 16, d = (d_head + 15) / 16 * 16;

	/* keys and values of a head as int16, or with queries as int8; eight or sixteen
	 * queries, their scores and weights; biases by position */
	return m * d + 4 * d + 22 * m + 32;
}
/* The same on kept keys and values. Error as of attention on the values that they stand
 * for, fp16 exactly; int8 two roundings more: (d_head * max|q||k| * scale + n + 18) * 4
 * eps * max|v|. */
void attention_f16(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data);
void attention_i8(const struct attention *a, uint32_t n, uint32_t n_past,
	const struct attention_data *data);

/* x [n, d] -> y [d]; n >= 1. */
void pool_mean(uint32_t n, uint32_t d, const float *x, float *y);
void pool_max(uint32_t n, uint32_t d, const float *x, float *y);
void pool_first(uint32_t n, uint32_t d, const float *x, float *y);

#endif
