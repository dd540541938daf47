/* Sixteen queries stand in the lanes, so that softmax needs no sum across a vector: a
 * score is a lane of q (dwords of four columns, signed) by a broadcast of k (unsigned, k +
 * 128). The offset adds 128 * sum of q to every score of a query alike, which softmax does
 * not see. In the mix it is columns that stand in the lanes: v (dwords of four keys,
 * signed) by a broadcast of a query's weights of four keys, unsigned.
 *
 * Scratch of a head, m and d rounded up to sixteen: q and k [m / 16][d / 4][16][4], v
 * [m / 4][d][4]; then scores [m][16], weights [m / 4][16][4], biases by position. */
#include "src/infer/opt/x86-avx512vnni/dot4.h"
#include "src/infer/opt/x86-avx512vnni/fold.h"

#define LANES 16
#define LOG2_E 1.44269504f
#define LOWEST (-3e38f)

enum { Q, K, V, N_SLICES = 4 }; /* the fourth is none */

struct head {
	const struct attention *a;
	uint32_t n, m, d; /* tokens, rounded up; d_head rounded up */
	uint32_t h;
	uint8_t *q, *k, *v;
	float *scores, *bias; /* bias[i - j + m] of query i and key j, times log2 e */
	uint32_t *weights;
	float scale[N_SLICES];
};

/* A head's slice of q, k or v. */
struct slice {
	const float *x;
	uintptr_t stride;
	uint32_t n, d;
};

/* Largest |x| by lanes. */
static __m512 largest(const struct slice *s)
{
	__m512 m0 = _mm512_setzero_ps(), m1 = m0;

	for (uint32_t c = 0; c < s->d; c += LANES) {
		__mmask16 m = lanes_left(s->d, c);
		const float *x = s->x + c;

		for (uint32_t k = s->n / 2; k; k--, x += 2 * s->stride) {
			m0 = _mm512_range_ps(m0, _mm512_maskz_loadu_ps(m, x), ABS_MAX);
			m1 = _mm512_range_ps(
				m1, _mm512_maskz_loadu_ps(m, x + s->stride), ABS_MAX);
		}
		if (s->n % 2)
			m0 = _mm512_range_ps(m0, _mm512_maskz_loadu_ps(m, x), ABS_MAX);
	}
	return _mm512_range_ps(m0, m1, ABS_MAX);
}

/* Scales from the largest values, and what to multiply by. */
ALWAYS_INLINE void take_scales(const __m512 *top, float *scale, float *inverse)
{
	const __m128 most = _mm_set1_ps(127);
	__m512 all = fold_four(top, 1);
	__m128 x;

	all = fold(all, _mm512_shuffle_f32x4(all, all, 0x4e), 1);
	x = _mm512_castps512_ps128(fold(all, _mm512_shuffle_f32x4(all, all, 0xb1), 1));
	_mm_storeu_ps(scale, _mm_div_ps(x, most));
	_mm_storeu_ps(inverse,
		_mm_maskz_div_ps(
			_mm_cmp_ps_mask(x, _mm_set1_ps(1e-30f), _CMP_GE_OQ), most, x));
}

/* Sixteen columns c.. of tokens t.. to t + 3; zeros where there are none. */
ALWAYS_INLINE void four_rows(
	const struct slice *s, uint32_t t, uint32_t c, __m512 by, __m512i *out)
{
	static const float none[LANES];
	const float *x = s->x + t * s->stride + c;
	__mmask16 m = lanes_left(s->d, c);

#pragma GCC unroll 4
	for (uint32_t i = 0; i < 4; i++, x += s->stride)
		out[i] = _mm512_cvtps_epi32(_mm512_mul_ps(
			by, _mm512_maskz_loadu_ps(m, t + i < s->n ? x : none)));
}

/* Columns c.. of sixteen tokens, four columns a dword, tokens side by side. */
ALWAYS_INLINE void take_block(const struct slice *s, uint32_t t, uint32_t c, __m512 by,
	__m512i flip, uint8_t *out)
{
	__m512i g[4], lo[2], hi[2];

#pragma GCC unroll 4
	for (uint32_t i = 0; i < 4; i++) { /* quarter j: columns 4j.. of four */
		__m512i r[4];

		four_rows(s, t + 4 * i, c, by, r);
		g[i] = _mm512_packs_epi16(
			_mm512_packs_epi32(r[0], r[1]), _mm512_packs_epi32(r[2], r[3]));
		g[i] = _mm512_xor_si512(g[i], flip);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 2; i++) {
		lo[i] = _mm512_shuffle_i32x4(g[2 * i], g[2 * i + 1], 0x44);
		hi[i] = _mm512_shuffle_i32x4(g[2 * i], g[2 * i + 1], 0xee);
	}
	_mm512_storeu_si512(out, _mm512_shuffle_i32x4(lo[0], lo[1], 0x88));
	_mm512_storeu_si512(out + 64, _mm512_shuffle_i32x4(lo[0], lo[1], 0xdd));
	_mm512_storeu_si512(out + 128, _mm512_shuffle_i32x4(hi[0], hi[1], 0x88));
	_mm512_storeu_si512(out + 192, _mm512_shuffle_i32x4(hi[0], hi[1], 0xdd));
}

/* Queries, or with `flip` of 0x80 unsigned keys. */
static void take_dwords(const struct slice *s, float inverse, char flip, uint8_t *out)
{
	for (uint32_t t = 0; t < s->n; t += LANES)
		for (uint32_t c = 0; c < s->d; c += LANES, out += LANES * LANES)
			take_block(s, t, c, _mm512_set1_ps(inverse),
				_mm512_set1_epi8(flip), out);
}

static void take_values(const struct head *hd, const struct slice *s, float inverse)
{
	for (uint32_t t = 0; t < s->n; t += 4)
		for (uint32_t c = 0; c < s->d; c += LANES) {
			__m512i r[4], v;

			four_rows(s, t, c, _mm512_set1_ps(inverse), r);
			v = _mm512_slli_epi32(r[3], 24);
#pragma GCC unroll 3
			for (uint32_t i = 3; i--;) /* v | (next & its byte) */
				v = _mm512_ternarylogic_epi32(v,
					_mm512_slli_epi32(r[i], 8 * i),
					_mm512_set1_epi32(0xff << (8 * i)), 0xf8);
			_mm512_storeu_si512(
				hd->v + (uintptr_t)t * hd->d + 4 * (uintptr_t)c, v);
		}
}

/* sum[i] += the dword i at `four` (unsigned) . x (signed). */
ALWAYS_INLINE void dot_lanes(__m512i *sum, const void *dwords, __m512i x)
{
	const struct four *four = dwords;

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++) {
		__m512i w;

		__asm__("vpbroadcastd %2, %1\n\tvpdpbusd %3, %1, %0"
			: "+v"(sum[i]), "=&v"(w)
			: "m"(four[i]), "v"(x));
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
		_mm512_set1_ps(hd->scale[Q] * hd->scale[K] * hd->a->scale * LOG2_E);
	const uint8_t *q = hd->q + (uintptr_t)t * hd->d;
	const uint8_t *k = hd->k + (uintptr_t)j * hd->d;
	float *out = hd->scores + (uintptr_t)j * LANES;
	__m512i sum[LANES];

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		sum[i] = _mm512_setzero_si512();
	for (uint32_t c = 0; c < hd->a->d_head; c += 4, k += 64, q += 64)
		dot_lanes(sum, k, _mm512_loadu_si512(q));
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

/* Columns c.. of what queries t.. see, each by its own scale. */
static void mix(const struct head *hd, uint32_t t, uint32_t c, const float *scale,
	uint32_t n_keys, float *out)
{
	uint32_t width = hd->a->n_heads * hd->a->d_head;
	uint32_t last = hd->n - t < LANES ? hd->n - t : LANES;
	__mmask16 columns = lanes_left(hd->a->d_head, c);
	const uint8_t *v = hd->v + 4 * (uintptr_t)c;
	__m512i sum[LANES];

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		sum[i] = _mm512_setzero_si512();
	for (uint32_t j = 0; j < n_keys; j += 4, v += 4 * (uintptr_t)hd->d)
		dot_lanes(sum, hd->weights + (uintptr_t)j * (LANES / 4),
			_mm512_loadu_si512(v));
	out += (uintptr_t)t * width + (uintptr_t)hd->h * hd->a->d_head + c;
#pragma GCC unroll 16
	for (uint32_t i = 0; i < LANES; i++)
		if (i < last)
			_mm512_mask_storeu_ps(out + (uintptr_t)i * width, columns,
				_mm512_mul_ps(_mm512_cvtepi32_ps(sum[i]),
					_mm512_set1_ps(scale[i])));
}

static void queries(const struct head *hd, uint32_t t, float *out)
{
	uint32_t n_keys = hd->n, j = 0;
	int plain = !hd->a->rel && !hd->a->causal;
	_Alignas(64) float scale[LANES];
	__m512 top = _mm512_set1_ps(LOWEST);
	__m512i sum;

	if (hd->a->causal && t + LANES < n_keys)
		n_keys = t + LANES;
	for (; plain && j + LANES <= n_keys; j += LANES)
		top = score_plain(hd, t, j, top);
	for (; j < n_keys; j += LANES)
		top = score_any(hd, t, j, top);
	sum = weigh(hd, top, n_keys);
	_mm512_store_ps(scale,
		_mm512_div_ps(_mm512_set1_ps(hd->scale[V]), _mm512_cvtepi32_ps(sum)));
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
	__m512 top[N_SLICES] = {{0}};

	hd.scores = data->row;
	hd.weights = (uint32_t *)(void *)(hd.scores + (uintptr_t)LANES * m);
	hd.bias = hd.scores + (uintptr_t)20 * m;
	hd.q = (uint8_t *)(hd.bias + 2 * (uintptr_t)m + 32);
	hd.k = hd.q + (uintptr_t)m * d;
	hd.v = hd.k + (uintptr_t)m * d;
	for (hd.h = 0; hd.h < a->n_heads; hd.h++, q.x += a->d_head) {
		int takes_kv = hd.h % per_kv == 0;
		float inverse[N_SLICES];

		if (takes_kv) {
			top[K] = largest(&k);
			top[V] = largest(&v);
		}
		top[Q] = largest(&q);
		take_scales(top, hd.scale, inverse);
		if (takes_kv) {
			take_dwords(&k, inverse[K], (char)0x80, hd.k);
			take_values(&hd, &v, inverse[V]);
			k.x += a->d_head;
			v.x += a->d_head;
		}
		take_dwords(&q, inverse[Q], 0, hd.q);
		if (a->rel)
			spread_biases(&hd);
		for (uint32_t t = 0; t < n; t += LANES)
			queries(&hd, t, data->out);
	}
}
