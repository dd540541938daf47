/* Scores, softmax and mix in integers: exp as 2^-z, z = whole + part, by a table. */
#include "src/infer/integer/fixed.h"

#define SCALE_BITS 30
#define WEIGHT_BITS 16	    /* of the largest weight of the mix */
#define LOG2_E 1549082005   /* log2(e) in units of 2^-30 */
#define SCORE_MAX (1 << 30) /* fixed: 16384 */
#define TABLE_BITS 6
#define PART_BITS (FIXED_BITS - TABLE_BITS)
#define RECIPROCAL_BITS 46

/* 2^(-i / 64) in units of 2^-15 */
static const uint16_t power[65] = {
	32768,
	32415,
	32066,
	31720,
	31379,
	31041,
	30706,
	30376,
	30048,
	29725,
	29405,
	29088,
	28774,
	28464,
	28158,
	27855,
	27554,
	27258,
	26964,
	26674,
	26386,
	26102,
	25821,
	25543,
	25268,
	24995,
	24726,
	24460,
	24196,
	23936,
	23678,
	23423,
	23170,
	22921,
	22674,
	22430,
	22188,
	21949,
	21713,
	21479,
	21247,
	21019,
	20792,
	20568,
	20347,
	20127,
	19911,
	19696,
	19484,
	19274,
	19066,
	18861,
	18658,
	18457,
	18258,
	18061,
	17867,
	17674,
	17484,
	17296,
	17109,
	16925,
	16743,
	16562,
	16384,
};

/* exp(-below) in units of 2^-16; below >= 0, fixed. */
static uint32_t weight(uint32_t below)
{
	uint64_t z = ((uint64_t)below * LOG2_E + (1u << 29)) >> 30;
	uint32_t whole = (uint32_t)(z >> FIXED_BITS),
		 part = (uint32_t)z & (FIXED_ONE - 1);
	uint32_t i = part >> PART_BITS, rest = part & ((1u << PART_BITS) - 1), u;

	if (whole > WEIGHT_BITS)
		return 0;
	u = ((uint32_t)power[i] << PART_BITS) - (power[i] - power[i + 1]) * rest;
	/* in units of 2^-(15 + PART_BITS) */
	whole += 15 + PART_BITS - WEIGHT_BITS;
	return (u + (1u << (whole - 1))) >> whole;
}

static int32_t score(const struct int_attention *a, const int32_t *q, const int32_t *k)
{
	int64_t dot = 0;

	for (uint32_t c = 0; c < a->d_head; c++)
		dot += (int64_t)q[c] * k[c];
	dot = fixed_shift(dot < INT64_MAX / 2 ? dot : INT64_MAX / 2, FIXED_BITS);
	dot = dot > INT32_MAX ? INT32_MAX : dot < -INT32_MAX ? -INT32_MAX : dot;
	return (int32_t)fixed_shift(dot * a->scale, SCALE_BITS);
}

static int32_t position_bias(const struct int_attention *a, uint32_t head, int64_t away)
{
	int64_t r = a->rel_radius;

	if (!a->rel)
		return 0;
	away = away < -r ? -r : away > r ? r : away;
	return a->rel[(int64_t)head * (2 * r + 1) + away + r];
}

/* Weights of the mix to `row`; returns their sum. */
static uint32_t softmax(uint32_t n_keys, int32_t *row)
{
	int32_t largest = -INT32_MAX;
	uint32_t sum = 0;

	for (uint32_t j = 0; j < n_keys; j++)
		largest = row[j] > largest ? row[j] : largest;
	for (uint32_t j = 0; j < n_keys; j++) {
		uint32_t u = weight((uint32_t)largest - (uint32_t)row[j]);

		row[j] = (int32_t)u;
		sum += u;
	}
	return sum;
}

static void mix(const struct int_attention *a, uint32_t n_keys, const int32_t *row,
	uint32_t sum, const int32_t *v, int32_t *out)
{
	int64_t reciprocal = (INT64_C(1) << RECIPROCAL_BITS) / sum;
	uint32_t stride = a->n_kv_heads * a->d_head;

	for (uint32_t c = 0; c < a->d_head; c++) {
		int64_t total = 0;

		for (uint32_t j = 0; j < n_keys; j++)
			total += (int64_t)row[j] * v[(uint64_t)j * stride + c];
		total = fixed_shift(total, WEIGHT_BITS) * reciprocal;
		out[c] = fixed_clamp(fixed_shift(total, RECIPROCAL_BITS - WEIGHT_BITS));
	}
}

static void attend(const struct int_attention *a, uint32_t head, uint32_t at,
	uint32_t n_keys, const struct int_attention_data *data)
{
	uint32_t from = head / (a->n_heads / a->n_kv_heads) * a->d_head;
	uint32_t stride = a->n_kv_heads * a->d_head;
	const int32_t *q = data->q, *k = data->k + from;

	for (uint32_t j = 0; j < n_keys; j++) {
		int64_t s = score(a, q, k + (uint64_t)j * stride);

		s += position_bias(a, head, (int64_t)j - at);
		data->row[j] = (int32_t)(s > SCORE_MAX	  ? SCORE_MAX
					 : s < -SCORE_MAX ? -SCORE_MAX
							  : s);
	}
	mix(a, n_keys, data->row, softmax(n_keys, data->row), data->v + from, data->out);
}

void int_attention(const struct int_attention *a, uint32_t n, uint32_t n_past,
	const struct int_attention_data *data)
{
	struct int_attention_data one = *data;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t h = 0; h < a->n_heads; h++) {
			uint64_t at = ((uint64_t)i * a->n_heads + h) * a->d_head;

			one.q = data->q + at;
			one.out = data->out + at;
			attend(a, h, n_past + i, a->causal ? n_past + i + 1 : n_past + n,
				&one);
		}
}
