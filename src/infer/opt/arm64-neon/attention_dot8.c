/* A head at a time: queries, keys and values as integers, then a few queries together. A
 * vector of sums is four keys of a query (scores) or four columns (mix); what it takes of
 * the query, or of the query's weights, are four bytes of a lane. Weights are stored less
 * 128, signed as the values are: sums start at 128 times the sum of the values.
 *
 * Scratch, m and d rounded up to sixteen: q [m][d], k [m / 4][d / 4][4][4] (keys, columns),
 * v [m / 4][d][4] (keys); starts [d]; then of ROWS queries scores [m] and weights [m];
 * biases by position. */
#include "src/infer/opt/arm64-neon/vector.h"
#include "src/infer/opt/arm64-neon/written.h"

#define LOG2_E 1.44269504f
#define LOWEST (-1e30f)
#define MAGIC 12582912.0f /* 1.5 * 2^23: added, it leaves whole numbers in the low bits */

#ifdef __aarch64__
#define ROWS 4
#else
#define ROWS 2
#define FOUR_VECTORS(type) type w0, w1, w2, w3
#define LOAD_FOUR(w, step)                                                               \
	(w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32),                 \
		w3 = vld1q_s8(w + 48), w += (step))
#endif

#ifndef __ARM_FEATURE_DOTPROD
/* Pairs of products fit sixteen bits. */
ALWAYS_INLINE int32x4_t dot_four(int32x4_t sum, int8x16_t w, int8x16_t x, int lane)
{
	int32x2_t half = vreinterpret_s32_s8(lane < 2 ? vget_low_s8(x) : vget_high_s8(x));
	int8x8_t four = vreinterpret_s8_s32(
		lane % 2 ? vdup_lane_s32(half, 1) : vdup_lane_s32(half, 0));
	int16x8_t a = vmull_s8(vget_low_s8(w), four), b = vmull_s8(vget_high_s8(w), four);

	return vpadalq_s16(sum, vcombine_s16(vpadd_s16(vget_low_s16(a), vget_high_s16(a)),
					vpadd_s16(vget_low_s16(b), vget_high_s16(b))));
}
#define DOT(sum, w, x, lane) ((sum) = dot_four(sum, w, x, lane))
#else
#define DOT DOT_LANE
#endif

struct head {
	const struct attention *a;
	uint32_t n, m, d, h;
	int8_t *q, *k, *v, *weights;
	int32_t *starts;
	float *scores, *bias; /* bias[m + j - i] of query i and key j, times log2 e */
	float q_scale, k_scale, v_scale;
};

/* A head's slice of q, k or v. */
struct slice {
	const float *x;
	uint32_t stride, n, d;
};

/* Columns c.. to c + 15 of token t, zeros where there are none. */
ALWAYS_INLINE float32x4x4_t columns(const struct slice *s, uint32_t t, uint32_t c)
{
	const float *x = s->x + (uintptr_t)t * s->stride + c;
	float part[16] = {0};

	if (t < s->n && s->d - c >= 16)
		return load16(x);
	for (uint32_t i = 0; t < s->n && i < s->d - c; i++)
		part[i] = x[i];
	return load16(part);
}

static float largest(const struct slice *s)
{
	float32x4_t m0 = vdupq_n_f32(0), m1 = m0;

	for (uint32_t c = 0; c < s->d; c += 16)
		for (uint32_t t = 0; t < s->n; t++) {
			float32x4x4_t v = columns(s, t, c);

			m0 = vmaxq_f32(m0, vabsq_f32(v.val[0]));
			m1 = vmaxq_f32(m1, vabsq_f32(v.val[1]));
			m0 = vmaxq_f32(m0, vabsq_f32(v.val[2]));
			m1 = vmaxq_f32(m1, vabsq_f32(v.val[3]));
		}
	return reduce_max(vmaxq_f32(m0, m1));
}

/* The low bytes of x + MAGIC are the nearest integer, half to even. */
ALWAYS_INLINE int32x4_t nearest(float32x4_t x)
{
	return vreinterpretq_s32_f32(vaddq_f32(x, vdupq_n_f32(MAGIC)));
}

ALWAYS_INLINE int8x16_t integers(
	const struct slice *s, uint32_t t, uint32_t c, float32x4_t by)
{
	float32x4x4_t v = columns(s, t, c);

	return narrow(nearest(vmulq_f32(v.val[0], by)), nearest(vmulq_f32(v.val[1], by)),
		nearest(vmulq_f32(v.val[2], by)), nearest(vmulq_f32(v.val[3], by)));
}

enum form { QUERIES, KEYS, VALUES };

/* All m tokens to `out`; returns the scale. */
ALWAYS_INLINE float take(
	const struct head *hd, const struct slice *s, int8_t *out, enum form form)
{
	float top = largest(s);
	float32x4_t by = vdupq_n_f32(top < 1e-30f ? 0 : 127 / top);

	for (uint32_t t = 0; t < hd->m; t += 4, out += 4 * (uintptr_t)hd->d)
		for (uint32_t c = 0; c < hd->d; c += 16) {
			const int8x16x4_t r = {{integers(s, t, c, by),
				integers(s, t + 1, c, by), integers(s, t + 2, c, by),
				integers(s, t + 3, c, by)}};

			if (form == VALUES)
				vst4q_s8(out + 4 * c, r);
			else if (form == KEYS)
				vst4q_s32((int32_t *)(void *)(out + 4 * c),
					(int32x4x4_t){{vreinterpretq_s32_s8(r.val[0]),
						vreinterpretq_s32_s8(r.val[1]),
						vreinterpretq_s32_s8(r.val[2]),
						vreinterpretq_s32_s8(r.val[3])}});
			else
				for (uint32_t i = 0; i < 4; i++)
					vst1q_s8(out + i * hd->d + c, r.val[i]);
		}
	return top / 127;
}

/* 128 times the sums of the values. */
static void start_columns(const struct head *hd)
{
	const int8x16_t ones = vdupq_n_s8(1);

	for (uint32_t c = 0; c < hd->d; c += 16) {
		const int8_t *w = hd->v + 4 * c;
		int32x4_t sum[4];

		for (int i = 0; i < 4; i++)
			sum[i] = vdupq_n_s32(0);
		for (uint32_t j = 0; j < hd->m; j += 4) {
			FOUR_VECTORS(int8x16_t);
			LOAD_FOUR(w, 4 * hd->d);
			DOT(sum[0], w0, ones, 0);
			DOT(sum[1], w1, ones, 0);
			DOT(sum[2], w2, ones, 0);
			DOT(sum[3], w3, ones, 0);
		}
		for (int i = 0; i < 4; i++)
			vst1q_s32(hd->starts + c + 4 * i, vshlq_n_s32(sum[i], 7));
	}
}

/* Scores of queries t.. with keys j.. to j + 15, in powers of two. */
ALWAYS_INLINE void score(const struct head *hd, uint32_t t, uint32_t j)
{
	const float scale = hd->q_scale * hd->k_scale * hd->a->scale * LOG2_E;
	const int8_t *q = hd->q + (uintptr_t)t * hd->d;
	int32x4_t sum[ROWS * 4];

#pragma GCC unroll 16
	for (int i = 0; i < ROWS * 4; i++)
		sum[i] = vdupq_n_s32(0);
	for (uint32_t c = 0; c < hd->d; c += 16) {
		const int8_t *w = hd->k + (uintptr_t)j * hd->d + 4 * c;
		int8x16_t x[ROWS];

#pragma GCC unroll 4
		for (uint32_t r = 0; r < ROWS; r++)
			x[r] = vld1q_s8(q + r * hd->d + c);
#pragma GCC unroll 4
		for (int v = 0; v < 4; v++) {
			FOUR_VECTORS(int8x16_t);
			LOAD_FOUR(w, 4 * hd->d);
#pragma GCC unroll 4
			for (int r = 0; r < ROWS; r++)
				DOT(sum[r * 4 + v], w0, x[r], 0);
#pragma GCC unroll 4
			for (int r = 0; r < ROWS; r++)
				DOT(sum[r * 4 + v], w1, x[r], 1);
#pragma GCC unroll 4
			for (int r = 0; r < ROWS; r++)
				DOT(sum[r * 4 + v], w2, x[r], 2);
#pragma GCC unroll 4
			for (int r = 0; r < ROWS; r++)
				DOT(sum[r * 4 + v], w3, x[r], 3);
		}
	}
#pragma GCC unroll 4
	for (uint32_t r = 0; r < ROWS; r++)
#pragma GCC unroll 4
		for (uint32_t v = 0; v < 4; v++) {
			float32x4_t s = vmulq_n_f32(vcvtq_f32_s32(sum[r * 4 + v]), scale);

			if (hd->a->rel)
				s = vaddq_f32(s, vld1q_f32(hd->bias + hd->m + j + 4 * v -
							   (t + r)));
			vst1q_f32(hd->scores + r * hd->m + j + 4 * v, s);
		}
}

/* 255 * 2^x, x <= 0, rounded, in the low byte; the polynomial is within 8e-5. */
ALWAYS_INLINE int32x4_t weight(float32x4_t x)
{
	const float32x4_t magic = vdupq_n_f32(MAGIC);
	float32x4_t shifted, r, p;

	x = vmaxq_f32(x, vdupq_n_f32(-100));
	shifted = vaddq_f32(x, magic);
	r = vsubq_f32(x, vsubq_f32(shifted, magic));
	p = vfmaq_f32(
		vdupq_n_f32(255 * 0.242639962f), r, vdupq_n_f32(255 * 0.056005855f));
	p = vfmaq_f32(vdupq_n_f32(255 * 0.693105317f), p, r);
	p = vfmaq_f32(vdupq_n_f32(255 * 0.999924497f), p, r);
	return nearest(vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p),
		vshlq_n_s32(vreinterpretq_s32_f32(shifted), 23))));
}

/* A query's scores of its first `keys` keys to weights less 128; returns their sum. */
static float weigh(const struct head *hd, float *s, uint32_t keys, int8_t *out)
{
	float32x4_t m0 = vdupq_n_f32(LOWEST), m1 = m0, top;
	uint32x4_t sum = vdupq_n_u32(0);

	for (uint32_t j = keys; j < hd->m; j++)
		s[j] = LOWEST;
	for (uint32_t j = 0; j < hd->m; j += 16) {
		float32x4x4_t v = load16(s + j);

		m0 = vmaxq_f32(m0, vmaxq_f32(v.val[0], v.val[1]));
		m1 = vmaxq_f32(m1, vmaxq_f32(v.val[2], v.val[3]));
	}
	top = vdupq_n_f32(reduce_max(vmaxq_f32(m0, m1)));
	for (uint32_t j = 0; j < hd->m; j += 16) {
		float32x4x4_t v = load16(s + j);
		uint8x16_t u =
			vreinterpretq_u8_s8(narrow(weight(vsubq_f32(v.val[0], top)),
				weight(vsubq_f32(v.val[1], top)),
				weight(vsubq_f32(v.val[2], top)),
				weight(vsubq_f32(v.val[3], top))));

		sum = vpadalq_u16(sum, vpaddlq_u8(u));
		vst1q_s8(out + j, vreinterpretq_s8_u8(veorq_u8(u, vdupq_n_u8(128))));
	}
	return reduce_add(vcvtq_f32_u32(sum));
}

/* Four keys, of which each lane of x holds the weights. */
#define MIX_LANE(lane)                                                                   \
	{                                                                                \
		FOUR_VECTORS(int8x16_t);                                                 \
		LOAD_FOUR(w, 4 * hd->d);                                                 \
		_Pragma("GCC unroll 4") for (int r = 0; r < ROWS; r++)                   \
		{                                                                        \
			DOT(sum[r * 4], w0, x[r], lane);                                 \
			DOT(sum[r * 4 + 1], w1, x[r], lane);                             \
			DOT(sum[r * 4 + 2], w2, x[r], lane);                             \
			DOT(sum[r * 4 + 3], w3, x[r], lane);                             \
		}                                                                        \
	}

/* Columns c.. to c + 15 of what queries t.. see. */
ALWAYS_INLINE void mix(
	const struct head *hd, uint32_t t, uint32_t c, const float *scale, float *out)
{
	uint32_t width = hd->a->n_heads * hd->a->d_head, left = hd->a->d_head - c;
	const int8_t *w = hd->v + 4 * c;
	int32x4_t sum[ROWS * 4];

#pragma GCC unroll 4
	for (int v = 0; v < 4; v++) {
		int32x4_t start = vld1q_s32(hd->starts + c + 4 * v);

#pragma GCC unroll 4
		for (int r = 0; r < ROWS; r++)
			sum[r * 4 + v] = start;
	}
	for (uint32_t j = 0; j < hd->m; j += 16) {
		int8x16_t x[ROWS];

#pragma GCC unroll 4
		for (uint32_t r = 0; r < ROWS; r++)
			x[r] = vld1q_s8(hd->weights + r * hd->m + j);
		MIX_LANE(0)
		MIX_LANE(1)
		MIX_LANE(2)
		MIX_LANE(3)
	}
	out += (uintptr_t)t * width + (uintptr_t)hd->h * hd->a->d_head + c;
#pragma GCC unroll 4
	for (uint32_t r = 0; r < ROWS; r++, out += width) {
		float part[16];

		if (t + r == hd->n)
			return;
#pragma GCC unroll 4
		for (uint32_t v = 0; v < 4; v++)
			vst1q_f32((left < 16 ? part : out) + 4 * v,
				vmulq_n_f32(vcvtq_f32_s32(sum[r * 4 + v]), scale[r]));
		for (uint32_t i = 0; left < 16 && i < left; i++)
			out[i] = part[i];
	}
}

static void queries(const struct head *hd, uint32_t t, float *out)
{
	float scale[ROWS];

	for (uint32_t j = 0; j < hd->m; j += 16)
		score(hd, t, j);
	for (uint32_t r = 0; r < ROWS; r++)
		scale[r] = hd->v_scale /
			   weigh(hd, hd->scores + r * hd->m,
				   hd->a->causal && t + r < hd->n ? t + r + 1 : hd->n,
				   hd->weights + r * hd->m);
	for (uint32_t c = 0; c < hd->d; c += 16)
		mix(hd, t, c, scale, out);
}

static void spread_biases(const struct head *hd)
{
	int32_t r = (int32_t)hd->a->rel_radius, m = (int32_t)hd->m;
	const float *rel = hd->a->rel + (uintptr_t)hd->h * (2 * (uint32_t)r + 1);

	for (int32_t at = 0; at < 2 * m; at++) {
		int32_t away = at - m;

		away = away < -r ? -r : away > r ? r : away;
		hd->bias[at] = rel[away + r] * LOG2_E;
	}
}

void attention_dot8(
	const struct attention *a, uint32_t n, const struct attention_data *data)
{
	uint32_t per_kv = a->n_heads / a->n_kv_heads;
	uint32_t m = (n + 15) / 16 * 16, d = (a->d_head + 15) / 16 * 16;
	struct slice q = {data->q, data->stride ? data->stride : a->n_heads * a->d_head,
		n, a->d_head};
	struct slice k = {data->k,
		data->stride ? data->stride : a->n_kv_heads * a->d_head, n, a->d_head};
	struct slice v = {data->v, k.stride, n, a->d_head};
	struct head hd = {.a = a, .n = n, .m = m, .d = d};

	hd.scores = data->row;
	hd.bias = hd.scores + (uintptr_t)ROWS * m;
	hd.starts = (int32_t *)(void *)(hd.bias + 2 * (uintptr_t)m);
	hd.weights = (int8_t *)(hd.starts + d);
	hd.q = hd.weights + (uintptr_t)ROWS * m;
	hd.k = hd.q + (uintptr_t)m * d;
	hd.v = hd.k + (uintptr_t)m * d;
	for (hd.h = 0; hd.h < a->n_heads; hd.h++, q.x += a->d_head) {
		if (hd.h % per_kv == 0) {
			hd.k_scale = take(&hd, &k, hd.k, KEYS);
			hd.v_scale = take(&hd, &v, hd.v, VALUES);
			start_columns(&hd);
			k.x += a->d_head;
			v.x += a->d_head;
		}
		hd.q_scale = take(&hd, &q, hd.q, QUERIES);
		if (a->rel)
			spread_biases(&hd);
		for (uint32_t t = 0; t < n; t += ROWS)
			queries(&hd, t, data->out);
	}
}
