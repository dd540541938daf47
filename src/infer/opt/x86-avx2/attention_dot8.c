/* Eight queries stand in the lanes, so that softmax needs no sum across a vector: a score
 * is a lane of q by a broadcast of k, two columns as int16 at a time, which vpmaddwd sums
 * exactly. Weights of two keys share a dword and meet a broadcast of v.
 *
 * Scratch of a head, m and d rounded up to sixteen: scores [m][8], weights [m / 2][8][2],
 * biases by position (times log2 e), q of eight queries [d / 2][8][2], k [m][d], v
 * [m / 2][d][2]. */
#include "src/infer/opt/x86-avx2/vector.h"

#define LANES 8
#define LOG2_E 1.44269504f
#define LOWEST (-3e38f)

/* Any two int16. */
struct __attribute__((packed, may_alias)) two {
	int32_t v;
};

struct head {
	const struct attention *a;
	uint32_t n, m, d; /* tokens, rounded up; d_head rounded up */
	uint32_t h;
	float *scores, *bias; /* bias[m + i - j] of query i and key j */
	uint32_t *weights;
	int16_t *q, *k, *v;
	float q_scale, k_scale, v_scale;
};

/* A head's slice of q, k or v. */
struct slice {
	const float *x;
	uint32_t stride, n, d;
};

ALWAYS_INLINE __m256 load_row(const struct slice *s, uint32_t t, uint32_t c)
{
	return load_lanes(s->x + (uintptr_t)t * s->stride + c, lanes_left(s->d, c),
		c + LANES <= s->d);
}

static float largest(const struct slice *s)
{
	__m256 m0 = _mm256_setzero_ps(), m1 = m0;

	for (uint32_t t = 0; t < s->n; t++)
		for (uint32_t c = 0; c < s->d; c += 2 * LANES) {
			m0 = _mm256_max_ps(m0, absolute(load_row(s, t, c)));
			if (c + LANES < s->d)
				m1 = _mm256_max_ps(
					m1, absolute(load_row(s, t, c + LANES)));
		}
	return reduce_max_ps(_mm256_max_ps(m0, m1));
}

/* Returns 127 / largest and leaves the scale. */
static __m256 inverse_of(const struct slice *s, float *scale)
{
	float top = largest(s);

	*scale = top / 127;
	return _mm256_set1_ps(top < 1e-30f ? 0 : 127 / top);
}

/* Eight integers from columns c.. of token t; none past the last token. */
ALWAYS_INLINE __m128i integers(
	const struct slice *s, uint32_t t, uint32_t c, __m256 inverse)
{
	__m256i v;

	if (t >= s->n || c >= s->d)
		return _mm_setzero_si128();
	v = _mm256_cvtps_epi32(_mm256_mul_ps(load_row(s, t, c), inverse));
	return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

static void take_queries(
	const struct head *hd, const struct slice *s, uint32_t t, __m256 inverse)
{
	__m256i *out = (__m256i *)(void *)hd->q;

	for (uint32_t c = 0; c < s->d; c += LANES, out += 4) {
		__m256i r[4], lo[2], hi[2];

#pragma GCC unroll 4
		for (uint32_t i = 0; i < 4; i++)
			r[i] = _mm256_inserti128_si256(
				_mm256_castsi128_si256(integers(s, t + i, c, inverse)),
				integers(s, t + i + 4, c, inverse), 1);
#pragma GCC unroll 2
		for (int i = 0; i < 2; i++) {
			lo[i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
			hi[i] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
		}
		_mm256_storeu_si256(out, _mm256_unpacklo_epi64(lo[0], lo[1]));
		_mm256_storeu_si256(out + 1, _mm256_unpackhi_epi64(lo[0], lo[1]));
		_mm256_storeu_si256(out + 2, _mm256_unpacklo_epi64(hi[0], hi[1]));
		_mm256_storeu_si256(out + 3, _mm256_unpackhi_epi64(hi[0], hi[1]));
	}
}

static void take_keys(struct head *hd, const struct slice *s)
{
	__m256 inverse = inverse_of(s, &hd->k_scale);

	for (uint32_t t = 0; t < s->n; t++)
		for (uint32_t c = 0; c < s->d; c += LANES)
			_mm_storeu_si128((void *)(hd->k + (uintptr_t)t * hd->d + c),
				integers(s, t, c, inverse));
}

static void take_values(struct head *hd, const struct slice *s)
{
	__m256 inverse = inverse_of(s, &hd->v_scale);

	for (uint32_t t = 0; t < s->n; t += 2)
		for (uint32_t c = 0; c < s->d; c += LANES) {
			__m128i a = integers(s, t, c, inverse);
			__m128i b = integers(s, t + 1, c, inverse);
			int16_t *out = hd->v + (uintptr_t)t * hd->d + 2 * (uintptr_t)c;

			_mm_storeu_si128((void *)out, _mm_unpacklo_epi16(a, b));
			_mm_storeu_si128((void *)(out + 8), _mm_unpackhi_epi16(a, b));
		}
}

/* sum += a by the two int16 at b. Written out so that sums stay in registers: gcc 12 loads
 * all eight broadcasts before it uses one. */
ALWAYS_INLINE void dot2(__m256i *sum, __m256i a, const int16_t *b)
{
	const struct two *two = (const void *)b;
	__m256i bv;

	__asm__("vpbroadcastd %2, %1\n\tvpmaddwd %3, %1, %1\n\tvpaddd %1, %0, %0"
		: "+x"(*sum), "=&x"(bv)
		: "m"(*two), "x"(a));
}

/* Scores of queries t.. with keys j.. + 7 in powers of two; returns the largest so far.
 * Keys past the last are computed and not looked at. */
ALWAYS_INLINE __m256 score_keys(
	const struct head *hd, uint32_t t, uint32_t j, __m256 top, const int plain)
{
	const __m256 scale =
		_mm256_set1_ps(hd->q_scale * hd->k_scale * hd->a->scale * LOG2_E);
	const int16_t *q = hd->q, *k = hd->k + (uintptr_t)j * hd->d;
	__m256i sum[LANES];

#pragma GCC unroll 8
	for (int i = 0; i < LANES; i++)
		sum[i] = _mm256_setzero_si256();
	for (uint32_t c = 0; c < hd->a->d_head; c += 2, k += 2, q += 2 * LANES) {
		__m256i qv = _mm256_loadu_si256((const void *)q);

#pragma GCC unroll 8
		for (uintptr_t i = 0; i < LANES; i++)
			dot2(sum + i, qv, k + i * hd->d);
	}
#pragma GCC unroll 8
	for (uint32_t i = 0; i < LANES; i++) {
		__m256 s = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[i]), scale);

		if (!plain && hd->a->rel)
			s = _mm256_add_ps(
				s, _mm256_loadu_ps(hd->bias + hd->m + t - (j + i)));
		if (!plain && hd->a->causal) /* lanes below j - t do not see the key */
			s = _mm256_blendv_ps(s, _mm256_set1_ps(LOWEST),
				_mm256_castsi256_ps(_mm256_cmpgt_epi32(
					_mm256_set1_epi32((int32_t)(j + i - t)),
					_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))));
		_mm256_storeu_ps(hd->scores + (uintptr_t)(j + i) * LANES, s);
		if (plain || j + i < hd->n)
			top = _mm256_max_ps(top, s);
	}
	return top;
}

static __attribute__((noinline)) __m256 score_plain(
	const struct head *hd, uint32_t t, uint32_t j, __m256 top)
{
	return score_keys(hd, t, j, top, 1);
}

static __attribute__((noinline)) __m256 score_any(
	const struct head *hd, uint32_t t, uint32_t j, __m256 top)
{
	return score_keys(hd, t, j, top, 0);
}

/* 255 * 2^x, x <= 0, to the nearest whole number; the polynomial is within 8e-5. */
ALWAYS_INLINE __m256i weight(__m256 x)
{
	/* Adding 1.5 * 2^23 leaves the nearest whole number in the low bits. */
	const __m256 magic = _mm256_set1_ps(12582912.0f);
	__m256 shifted, r, p = _mm256_set1_ps(255 * 0.05517167f);

	x = _mm256_max_ps(x, _mm256_set1_ps(-100.0f));
	shifted = _mm256_add_ps(x, magic);
	r = _mm256_sub_ps(x, _mm256_sub_ps(shifted, magic));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(255 * 0.24261112f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(255 * 0.69326099f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(255 * 0.99992807f));
	return _mm256_cvtps_epi32(
		_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p),
			_mm256_slli_epi32(_mm256_castps_si256(shifted), 23))));
}

ALWAYS_INLINE __m256i weight_of(const struct head *hd, uint32_t j, __m256 top)
{
	if (j >= hd->n)
		return _mm256_setzero_si256();
	return weight(
		_mm256_sub_ps(_mm256_loadu_ps(hd->scores + (uintptr_t)j * LANES), top));
}

/* Scores to weights; returns their sums. */
static __m256i weigh(const struct head *hd, __m256 top, uint32_t n_keys)
{
	__m256i sum = _mm256_setzero_si256();

	for (uint32_t j = 0; j < n_keys; j += 2) {
		__m256i w = _mm256_or_si256(weight_of(hd, j, top),
			_mm256_slli_epi32(weight_of(hd, j + 1, top), 16));

		_mm256_storeu_si256(
			(void *)(hd->weights + (uintptr_t)j * (LANES / 2)), w);
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(w, _mm256_set1_epi16(1)));
	}
	return sum;
}

/* r[i] lane j becomes r[j] lane i. */
ALWAYS_INLINE void transpose_square(__m256 *r)
{
	__m256 a[8], b[8];

#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2) {
		a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 8; i += 4) {
		b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
		b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
		b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
		b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		r[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
		r[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
	}
}

/* Columns c.. of what queries t.. see. */
static void mix(const struct head *hd, uint32_t t, uint32_t c, __m256 scale,
	uint32_t n_keys, float *out)
{
	uint32_t width = hd->a->n_heads * hd->a->d_head;
	uint32_t last = hd->n - t < LANES ? hd->n - t : LANES;
	const int16_t *v = hd->v + 2 * (uintptr_t)c;
	__m256i sum[LANES];
	__m256 o[LANES];

#pragma GCC unroll 8
	for (int i = 0; i < LANES; i++)
		sum[i] = _mm256_setzero_si256();
	for (uint32_t j = 0; j < n_keys; j += 2, v += 2 * (uintptr_t)hd->d) {
		__m256i w = _mm256_loadu_si256(
			(const void *)(hd->weights + (uintptr_t)j * (LANES / 2)));

#pragma GCC unroll 8
		for (int i = 0; i < LANES; i++)
			dot2(sum + i, w, v + 2 * i);
	}
#pragma GCC unroll 8
	for (int i = 0; i < LANES; i++)
		o[i] = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[i]), scale);
	transpose_square(o);
	out += (uintptr_t)t * width + (uintptr_t)hd->h * hd->a->d_head + c;
#pragma GCC unroll 8
	for (uint32_t i = 0; i < LANES; i++)
		if (i < last)
			store_lanes(out + (uintptr_t)i * width,
				lanes_left(hd->a->d_head, c), c + LANES <= hd->a->d_head,
				o[i]);
}

static void queries(const struct head *hd, uint32_t t, float *out)
{
	__m256 top = _mm256_set1_ps(LOWEST), scale;
	int plain = !hd->a->rel && !hd->a->causal;
	uint32_t n_keys = hd->n, j = 0;
	__m256i sum;

	if (hd->a->causal && t + LANES < n_keys)
		n_keys = t + LANES;
	for (; plain && j + LANES <= n_keys; j += LANES)
		top = score_plain(hd, t, j, top);
	for (; j < n_keys; j += LANES)
		top = score_any(hd, t, j, top);
	sum = weigh(hd, top, n_keys);
	scale = _mm256_div_ps(_mm256_set1_ps(hd->v_scale), _mm256_cvtepi32_ps(sum));
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
	uint32_t per_kv = a->n_heads / a->n_kv_heads, d_head = a->d_head;
	uint32_t q_stride = data->stride ? data->stride : a->n_heads * d_head;
	uint32_t kv_stride = data->stride ? data->stride : a->n_kv_heads * d_head;
	struct slice q = {data->q, q_stride, n, d_head};
	struct slice k = {data->k, kv_stride, n, d_head};
	struct slice v = {data->v, kv_stride, n, d_head};
	struct head hd = {.a = a,
		.n = n,
		.m = (n + 15) / 16 * 16,
		.d = (d_head + 15) / 16 * 16,
		.scores = data->row};

	hd.weights = (uint32_t *)(void *)(hd.scores + (uintptr_t)LANES * hd.m);
	hd.bias = hd.scores + (uintptr_t)12 * hd.m;
	hd.q = (int16_t *)(void *)(hd.bias + 2 * (uintptr_t)hd.m + 32);
	hd.k = hd.q + (uintptr_t)LANES * hd.d;
	hd.v = hd.k + (uintptr_t)hd.m * hd.d;
	for (hd.h = 0; hd.h < a->n_heads; hd.h++, q.x += d_head) {
		__m256 inverse = inverse_of(&q, &hd.q_scale);

		if (hd.h % per_kv == 0) {
			take_keys(&hd, &k);
			take_values(&hd, &v);
			k.x += d_head;
			v.x += d_head;
		}
		if (a->rel)
			spread_biases(&hd);
		for (uint32_t t = 0; t < n; t += LANES) {
			take_queries(&hd, &q, t, inverse);
			queries(&hd, t, data->out);
		}
	}
}
