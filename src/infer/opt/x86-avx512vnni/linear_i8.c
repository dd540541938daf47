/* u8 weights (w + 128) by s8 activations: vpdpbusd, four input columns at a time. The sums
 * start at -128 times the sum of the row, which takes the offset out again. */
#include "src/infer/opt/x86-avx512vnni/dot4.h"
#include "src/infer/opt/x86-avx512vnni/fold.h"
#include "src/infer/opt/x86-avx512vnni/linear_i8.h"
#include "src/infer/opt/x86-avx512vnni/one_row.h"

/* Sums of columns o.. to floats; `one` is constant: have all rows one scale? */
ALWAYS_INLINE void finish_column(const struct block *b, uint32_t t, uint32_t o,
	const __m512i *sum, const int R, const int V, const int one)
{
	const struct linear *l = b->l;
	__mmask16 m = lanes_left(l->out, o), added = b->add ? m : 0;
	__m512 scale = load_bf16(l->scales + o);
	__m512 first = _mm512_mul_ps(scale, _mm512_set1_ps(b->x_scale[0]));
	__m512 bias =
		l->bias ? _mm512_maskz_loadu_ps(m, l->bias + o) : _mm512_setzero_ps();
	uintptr_t at = (uintptr_t)t * l->out + o, add_step = b->add ? l->out : 0;
	/* Without something to add, no lane of what is there. */
	const float *add = b->add ? b->add + at : b->x_scale;
	float *y = b->y + at;

#pragma GCC unroll 8
	for (int r = 0; r < R; r++, y += l->out, add += add_step) {
		__m512 by = one ? first
				: _mm512_mul_ps(scale,
					  _mm512_set1_ps(b->x_scale[t + (uint32_t)r]));
		__m512 s = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r * V]), by, bias);

		s = _mm512_mask_add_ps(s, added, s, _mm512_maskz_loadu_ps(added, add));
		_mm512_mask_storeu_ps(y, m, s);
	}
}

ALWAYS_INLINE void finish(const struct block *b, uint32_t t, const struct panel *p,
	const __m512i *sum, const int R, const int V)
{
#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		uint32_t o = p->o + 16 * (uint32_t)v;

		if (b->one_scale)
			finish_column(b, t, o, sum + v, R, V, 1);
		else
			finish_column(b, t, o, sum + v, R, V, 0);
	}
}

ALWAYS_INLINE void step(__m512i *sum, const uint8_t *w, const int8_t *x, uintptr_t stride,
	const int R, const int V)
{
	__m512i wv[3];

#pragma GCC unroll 3
	for (int v = 0; v < V; v++)
		wv[v] = _mm512_loadu_si512(w + 64 * v);
#pragma GCC unroll 8
	for (int r = 0; r < R; r++)
		dot4(sum + r * V, wv, x + (uintptr_t)(uint32_t)r * stride, V);
}

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	uint32_t in = b->l->in, k = in / 4, rest = in % 4;
	uintptr_t stride = in;
	const int8_t *x = b->x + t * stride;
	const uint8_t *w = p->w, *ahead = p->ahead;
	__m512i sum[TILE_ROWS * 3];

#pragma GCC unroll 8
	for (int r = 0; r < R; r++)
#pragma GCC unroll 3
		for (int v = 0; v < V; v++)
			sum[r * V + v] = _mm512_set1_epi32(b->start[t + (uint32_t)r]);
	for (;;) {
		for (; k; k--, x += 4, w += 64 * V, ahead += 64) {
			_mm_prefetch(ahead, _MM_HINT_T0);
			step(sum, w, x, stride, R, V);
		}
		if (!rest)
			break;
		x = b->tail[t]; /* one more step, by the same code */
		stride = sizeof(b->tail[0]);
		k = 1;
		rest = 0;
	}
	if (b->take) {
		__m512i sums[TILE_ROWS * 3];

#pragma GCC unroll 24
		for (int i = 0; i < R * V; i++)
			sums[i] = sum[i];
		b->take(b, t, p, sums, (uint32_t)R);
		return;
	}
	finish(b, t, p, sum, R, V);
}

TILE_INSTANCES(1)
TILE_INSTANCES(2)
TILE_INSTANCES(3)

static void (*const tiles[3][TILE_ROWS])(const struct block *, uint32_t,
	const struct panel *) = {TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3)};

/* Sixteen parts of the sum of a row, 128 times. */
ALWAYS_INLINE __m512i row_sums(const int8_t *x, uint32_t in)
{
	__m512i by = _mm512_set1_epi8((char)128), sum = _mm512_setzero_si512();
	uint32_t i = 0;

	for (; i + 64 <= in; i += 64)
		sum = _mm512_dpbusd_epi32(sum, by, _mm512_loadu_si512(x + i));
	if (i < in)
		sum = _mm512_dpbusd_epi32(
			sum, by, _mm512_maskz_loadu_epi8((1ull << (in - i)) - 1, x + i));
	return sum;
}

/* Rows t.. t + 3; past row n - 1 it is that one again. */
static void start_rows(struct block *b, uint32_t t, uint32_t n)
{
	uint32_t in = b->l->in;
	__m512i s[4];
	__m256i half;

#pragma GCC unroll 4
	for (uint32_t j = 0; j < 4; j++) {
		uintptr_t row = t + j < n ? t + j : n - 1;

		s[j] = row_sums(b->x + row * in, in);
	}
	s[0] = fold_integers(s);
	half = _mm256_add_epi32(
		_mm512_castsi512_si256(s[0]), _mm512_extracti64x4_epi64(s[0], 1));
	_mm_storeu_si128((void *)(b->start + t),
		_mm_sub_epi32(
			_mm_setzero_si128(), _mm_add_epi32(_mm256_castsi256_si128(half),
						     _mm256_extracti128_si256(half, 1))));
}

static void keep_tail(struct block *b, uint32_t t)
{
	uint32_t in = b->l->in;
	const int8_t *x = b->x + (uintptr_t)t * in;

	for (uint32_t i = 0; i < 4; i++)
		b->tail[t][i] = i < in % 4 ? x[in / 4 * 4 + i] : 0;
}

/* Tile i of the panel at column o; returns its rows. */
ALWAYS_INLINE uint32_t one_tile(
	const struct block *b, const struct cut *c, uint32_t o, uint32_t i, uint32_t t)
{
	uintptr_t bytes = (b->l->in + 3) / 4 * 4;
	struct panel p = panel_at(b->l->out, o, b->l->w, bytes);
	uint32_t r = cut_rows(c, i, t);

	p.ahead = panel_share(&p, bytes, i);
	tiles[p.width / 16 - 1][r - 1](b, t, &p);
	return r;
}

void x86_avx512vnni_rows_i8(struct block *b, uint32_t n)
{
	const struct linear *l = b->l;
	const struct cut c = cut_of(l->schedule, n, TILE_ROWS);

	for (uint32_t t = 0; t < n; t += 4)
		start_rows(b, t, n);
	for (uint32_t t = 0; t < n && l->in % 4; t++)
		keep_tail(b, t);
	if (l->schedule == SCHEDULE_ROWS) {
		for (uint32_t i = 0, t = 0; i < c.n_tiles; t += cut_rows(&c, i++, t))
			for (uint32_t o = 0; o < l->out; o += TILE_COLS)
				one_tile(b, &c, o, i, t);
		return;
	}
	for (uint32_t o = 0; o < l->out; o += TILE_COLS)
		for (uint32_t i = 0, t = 0; i < c.n_tiles; i++)
			t += one_tile(b, &c, o, i, t);
}

/* As activations with a static scale have it. */
static uint8_t is_one_scale(const float *x_scale, uint32_t n)
{
	for (uint32_t t = 0; t < n; t += 16)
		if (_mm512_mask_cmp_ps_mask(lanes_left(n, t),
			    _mm512_maskz_loadu_ps(lanes_left(n, t), x_scale + t),
			    _mm512_set1_ps(x_scale[0]), _CMP_NEQ_UQ))
			return 0;
	return 1;
}

void linear_i8(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct block b;

	if (n == 1) {
		one_row_i8(&(const struct one_row){l, add, y, x_scale[0]}, x);
		return;
	}
	b.l = l;
	b.take = 0;
	b.one_scale = is_one_scale(x_scale, n);
	for (uint32_t t = 0; t < n; t += TILE_BLOCK) {
		b.x = x + (uintptr_t)t * l->in;
		b.x_scale = x_scale + t;
		b.add = add ? add + (uintptr_t)t * l->out : 0;
		b.y = y + (uintptr_t)t * l->out;
		x86_avx512vnni_rows_i8(&b, n - t < TILE_BLOCK ? n - t : TILE_BLOCK);
	}
}
