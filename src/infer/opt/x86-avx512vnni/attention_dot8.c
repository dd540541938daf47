/* Sixteen queries stand in the lanes, so that softmax needs no sum across a vector: a
 * score is a lane of q (dwords of four columns, signed) by a broadcast of k (unsigned, k +
 * 128). The offset adds 128 * sum of q to every score of a query alike, which softmax does
 * not see. Weights of four keys share a dword, unsigned, by a broadcast of v.
 *
 * Scratch of a head, m and d rounded up to sixteen: q [m / 16][d / 4][16][4], k [m][d], v
 * [m / 4][d][4]; then scores [m][16], weights [m / 4][16][4], biases by position. */
#include "src/infer/opt/x86-avx512vnni/transpose.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

#define LANES 16
#define LOG2_E 1.44269504f
#define LOWEST (-3e38f)

/* Any four bytes. */
struct __attribute__((packed, may_alias)) four {
	int32_t v;
};

struct head {
	const struct attention *a;
	uint32_t n, m, d; /* tokens, rounded up; d_head rounded up */
	uint32_t h;
	uint8_t *q, *k, *v;
	float *scores, *bias; /* bias[i - j + m] of query i and key j, times log2 e */
	uint32_t *weights;
	float q_scale, k_scale, v_scale;
};

/* A head's slice of q, k or v. */
struct slice {
	const float *x;
	uint32_t stride, n, d;
};

ALWAYS_INLINE __m512 load_row(const struct slice *s, uint32_t t, uint32_t c)
{
	const float *row = s->x + (uintptr_t)t * s->stride + c;

	return c + LANES <= s->d ? _mm512_loadu_ps(row)
				 : _mm512_maskz_loadu_ps(lanes_left(s->d, c), row);
}

/* Largest |x|. */
static float largest(const struct slice *s)
{
	__m512 m0 = _mm512_setzero_ps(), m1 = m0;
	uint32_t t;

	for (uint32_t c = 0; c < s->d; c += LANES) {
		for (t = 0; t + 2 <= s->n; t += 2) {
			m0 = _mm512_range_ps(m0, load_row(s, t, c), ABS_MAX);
			m1 = _mm512_range_ps(m1, load_row(s, t + 1, c), ABS_MAX);
		}
		if (t < s->n)
			m0 = _mm512_range_ps(m0, load_row(s, t, c), ABS_MAX);
	}
	return _mm512_reduce_max_ps(_mm512_range_ps(m0, m1, ABS_MAX));
}

/* Sixteen integers from columns c.. of token t; none beyond the last token. */
ALWAYS_INLINE __m128i integers(
	const struct slice *s, uint32_t t, uint32_t c, __m512 inverse)
{
	if (t >= s->n)
		return _mm_setzero_si128();
	return _mm512_cvtepi32_epi8(
		_mm512_cvtps_epi32(_mm512_mul_ps(load_row(s, t, c), inverse)));
}

ALWAYS_INLINE __m512 inverse_of(float largest, float *scale)
{
	*scale = largest / 127;
	return _mm512_set1_ps(largest < 1e-30f ? 0 : 127 / largest);
}

/* Four dwords of sixteen tokens each from four columns of dwords. */
ALWAYS_INLINE void put_queries(const __m128i *row, uint8_t *out)
{
	const __m512i in_lanes =
		_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
	__m512i g[4], a, b, c, d;

#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) { /* tokens 4i.. + 3, lane c: dword c of each */
		g[i] = _mm512_castsi128_si512(row[4 * i]);
		g[i] = _mm512_inserti32x4(g[i], row[4 * i + 1], 1);
		g[i] = _mm512_inserti32x4(g[i], row[4 * i + 2], 2);
		g[i] = _mm512_inserti32x4(g[i], row[4 * i + 3], 3);
		g[i] = _mm512_permutexvar_epi32(in_lanes, g[i]);
	}
	a = _mm512_shuffle_i32x4(g[0], g[1], 0x44);
	b = _mm512_shuffle_i32x4(g[0], g[1], 0xee);
	c = _mm512_shuffle_i32x4(g[2], g[3], 0x44);
	d = _mm512_shuffle_i32x4(g[2], g[3], 0xee);
	_mm512_storeu_si512(out, _mm512_shuffle_i32x4(a, c, 0x88));
	_mm512_storeu_si512(out + 64, _mm512_shuffle_i32x4(a, c, 0xdd));
	_mm512_storeu_si512(out + 128, _mm512_shuffle_i32x4(b, d, 0x88));
	_mm512_storeu_si512(out + 192, _mm512_shuffle_i32x4(b, d, 0xdd));
}

static void take_queries(struct head *hd, const struct slice *s)
{
	__m512 inverse = inverse_of(largest(s), &hd->q_scale);
	uint8_t *out = hd->q;

	for (uint32_t t = 0; t < hd->n; t += LANES)
		for (uint32_t c = 0; c < s->d; c += LANES, out += LANES * LANES) {
			__m128i row[LANES];

#pragma GCC unroll 16
			for (uint32_t i = 0; i < LANES; i++)
				row[i] = integers(s, t + i, c, inverse);
			put_queries(row, out);
		}
}

static void take_keys(struct head *hd, const struct slice *s)
{
	const __m128i flip = _mm_set1_epi8((char)0x80);
	__m512 inverse = inverse_of(largest(s), &hd->k_scale);

	for (uint32_t t = 0; t < s->n; t++)
		for (uint32_t c = 0; c < s->d; c += LANES)
			_mm_storeu_si128((void *)(hd->k + (uintptr_t)t * hd->d + c),
				_mm_xor_si128(integers(s, t, c, inverse), flip));
}

static void take_values(struct head *hd, const struct slice *s)
{
	__m512 inverse = inverse_of(largest(s), &hd->v_scale);

	for (uint32_t t = 0; t < s->n; t += 4)
		for (uint32_t c = 0; c < s->d; c += LANES) {
			__m128i r0 = integers(s, t, c, inverse);
			__m128i r1 = integers(s, t + 1, c, inverse);
			__m128i r2 = integers(s, t + 2, c, inverse);
			__m128i r3 = integers(s, t + 3, c, inverse);
			__m128i lo = _mm_unpacklo_epi8(r0, r1), lo2;
			__m128i hi = _mm_unpackhi_epi8(r0, r1), hi2;
			__m128i *out =
				(void *)(hd->v + (uintptr_t)t * hd->d + 4 * (uintptr_t)c);

			lo2 = _mm_unpacklo_epi8(r2, r3);
			hi2 = _mm_unpackhi_epi8(r2, r3);
			_mm_storeu_si128(out, _mm_unpacklo_epi16(lo, lo2));
			_mm_storeu_si128(out + 1, _mm_unpackhi_epi16(lo, lo2));
			_mm_storeu_si128(out + 2, _mm_unpacklo_epi16(hi, hi2));
			_mm_storeu_si128(out + 3, _mm_unpackhi_epi16(hi, hi2));
		}
}

/* sum[j] += q by k_j, sixteen keys. */
ALWAYS_INLINE void dot_keys(__m512i *sum, __m512i q, const uint8_t *k, uintptr_t stride)
{
#pragma GCC unroll 16
	for (uintptr_t j = 0; j < LANES; j++) {
		const struct four *four = (const void *)(k + j * stride);
		__m512i kv;

		__asm__("vpbroadcastd %2, %1\n\tvpdpbusd %3, %1, %0"
			: "+v"(sum[j]), "=&v"(kv)
			: "m"(*four), "v"(q));
	}
}

/* Query t + lane sees key j. */
ALWAYS_INLINE __mmask16 sees(uint32_t t, uint32_t j)
{
	const __m512i lanes =
		_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

	return _mm512_cmpge_epi32_mask(lanes, _mm512_set1_epi32((int32_t)j - (int32_t)t));
}

/* Scores of queries t.. with keys j.. in powers of two; returns the largest so far. Keys
 * past the last are computed and not looked at. */
ALWAYS_INLINE __m512 score_keys(
	const struct head *hd, uint32_t t, uint32_t j, __m512 top, const int plain)
{
	const __m512 scale =
		_mm512_set1_ps(hd->q_scale * hd->k_scale * hd->a->scale * LOG2_E);
	const uint8_t *q = hd->q + (uintptr_t)t * hd->d;
	const uint8_t *k = hd->k + (uintptr_t)j * hd->d;
	float *out = hd->scores + (uintptr_t)j * LANES;
	__m512i sum[LANES];

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		sum[i] = _mm512_setzero_si512();
	for (uint32_t c = 0; c < hd->a->d_head; c += 4, k += 4, q += 64)
		dot_keys(sum, _mm512_loadu_si512(q), k, hd->d);
#pragma GCC unroll 16
	for (uint32_t i = 0; i < LANES; i++) {
		__m512 s = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[i]), scale);

		if (!plain && hd->a->rel)
			s = _mm512_add_ps(
				s, _mm512_loadu_ps(hd->bias + hd->m + t - (j + i)));
		if (!plain && hd->a->causal)
			s = _mm512_mask_mov_ps(_mm512_set1_ps(LOWEST), sees(t, j + i), s);
		_mm512_storeu_ps(out + i * LANES, s);
		if (plain || j + i < hd->n)
			top = _mm512_max_ps(top, s);
	}
	return top;
}

static __m512 score_plain(const struct head *hd, uint32_t t, uint32_t j, __m512 top)
{
	return score_keys(hd, t, j, top, 1);
}

static __m512 score_any(const struct head *hd, uint32_t t, uint32_t j, __m512 top)
{
	return score_keys(hd, t, j, top, 0);
}

/* 255 * 2^x, x <= 0, to the nearest whole number. On the fraction, which vreduceps leaves,
 * a polynomial within 1e-4; vscalefps takes the floor. */
ALWAYS_INLINE __m512i weight(__m512 x)
{
	__m512 r = _mm512_reduce_ps(x, 1);
	__m512 p = _mm512_set1_ps(255 * 0.07944154f);

	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(255 * 0.22449434f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(255 * 0.69606564f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(255 * 0.99992522f));
	return _mm512_cvtps_epi32(_mm512_scalef_ps(p, x));
}

ALWAYS_INLINE __m512i weight_of(const struct head *hd, uint32_t j, __m512 top)
{
	if (j >= hd->n)
		return _mm512_setzero_si512();
	return weight(
		_mm512_sub_ps(_mm512_loadu_ps(hd->scores + (uintptr_t)j * LANES), top));
}

/* Scores to weights; returns their sums. */
static __m512i weigh(const struct head *hd, __m512 top, uint32_t n_keys)
{
	__m512i sum = _mm512_setzero_si512();

	for (uint32_t j = 0; j < n_keys; j += 4) {
		__m512i w = weight_of(hd, j, top);

		w = _mm512_or_si512(w, _mm512_slli_epi32(weight_of(hd, j + 1, top), 8));
		w = _mm512_or_si512(w, _mm512_slli_epi32(weight_of(hd, j + 2, top), 16));
		w = _mm512_or_si512(w, _mm512_slli_epi32(weight_of(hd, j + 3, top), 24));
		_mm512_storeu_si512(hd->weights + (uintptr_t)j * (LANES / 4), w);
		sum = _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi8(1));
	}
	return sum;
}

/* Columns c.. of what queries t.. see. */
static void mix(const struct head *hd, uint32_t t, uint32_t c, __m512 scale,
	uint32_t n_keys, float *out)
{
	uint32_t width = hd->a->n_heads * hd->a->d_head;
	uint32_t last = hd->n - t < LANES ? hd->n - t : LANES;
	__mmask16 columns = lanes_left(hd->a->d_head, c);
	const uint8_t *v = hd->v + 4 * (uintptr_t)c;
	__m512i sum[LANES];
	__m512 o[LANES];

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		sum[i] = _mm512_setzero_si512();
	for (uint32_t j = 0; j < n_keys; j += 4, v += 4 * (uintptr_t)hd->d) {
		__m512i w = _mm512_loadu_si512(hd->weights + (uintptr_t)j * (LANES / 4));

#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++) {
			const struct four *four = (const void *)(v + 4 * i);

			__asm__("vpdpbusd %2%{1to16%}, %1, %0"
				: "+v"(sum[i])
				: "v"(w), "m"(*four));
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		o[i] = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[i]), scale);
	transpose_square(o);
	out += (uintptr_t)t * width + (uintptr_t)hd->h * hd->a->d_head + c;
#pragma GCC unroll 16
	for (uint32_t i = 0; i < LANES; i++)
		if (i < last)
			_mm512_mask_storeu_ps(out + (uintptr_t)i * width, columns, o[i]);
}

static void queries(const struct head *hd, uint32_t t, float *out)
{
	uint32_t n_keys = hd->n, j = 0;
	int plain = !hd->a->rel && !hd->a->causal;
	__m512 top = _mm512_set1_ps(LOWEST), scale;
	__m512i sum;

	if (hd->a->causal && t + LANES < n_keys)
		n_keys = t + LANES;
	for (; plain && j + LANES <= n_keys; j += LANES)
		top = score_plain(hd, t, j, top);
	for (; j < n_keys; j += LANES)
		top = score_any(hd, t, j, top);
	sum = weigh(hd, top, n_keys);
	scale = _mm512_div_ps(_mm512_set1_ps(hd->v_scale), _mm512_cvtepi32_ps(sum));
	for (uint32_t c = 0; c < hd->a->d_head; c += LANES)
		mix(hd, t, c, scale, n_keys, out);
}

/* bias[m + i - j], so that queries i.. are neighbours. */
static void spread_biases(struct head *hd)
{
	int32_t r = (int32_t)hd->a->rel_radius, m = (int32_t)hd->m;
	const float *rel = hd->a->rel + (uintptr_t)hd->h * (2 * (uint32_t)r + 1);

	for (int32_t at = 0; at < 2 * m; at++) {
		int32_t away = m - at;

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
	hd.weights = (uint32_t *)(void *)(hd.scores + (uintptr_t)LANES * m);
	hd.bias = hd.scores + (uintptr_t)20 * m;
	hd.q = (uint8_t *)(hd.bias + 2 * (uintptr_t)m + 32);
	hd.k = hd.q + (uintptr_t)m * d;
	hd.v = hd.k + (uintptr_t)m * d;
	for (hd.h = 0; hd.h < a->n_heads; hd.h++, q.x += a->d_head) {
		if (hd.h % per_kv == 0) {
			take_keys(&hd, &k);
			take_values(&hd, &v);
			k.x += a->d_head;
			v.x += a->d_head;
		}
		take_queries(&hd, &q);
		if (a->rel)
			spread_biases(&hd);
		for (uint32_t t = 0; t < n; t += LANES)
			queries(&hd, t, data->out);
	}
}
