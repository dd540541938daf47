/* u8 weights (w + 128) by s8 activations: vpdpbusd, four input columns at a time. The sums
 * start at -128 times the sum of the row, which takes the offset out again. The
 * instructions are written out because gcc 12 moves accumulators through the stack around
 * the intrinsic. */
#include "src/infer/opt/x86-avx512vnni/linear_i8.h"
#include "src/infer/opt/x86-avx512vnni/one_row.h"

/* Any four bytes of a row. */
struct __attribute__((packed, may_alias)) four {
	int32_t v;
};

/* One row by one step of a panel: sum[v] += w[v] . x. */
ALWAYS_INLINE void dot4(__m512i *sum, const __m512i *w, const void *x, const int V)
{
	const struct four *four = x;
	__m512i xv;

	if (V == 3)
		__asm__("vpbroadcastd %4, %3\n\tvpdpbusd %3, %5, %0\n\t"
			"vpdpbusd %3, %6, %1\n\tvpdpbusd %3, %7, %2"
			: "+v"(sum[0]), "+v"(sum[1]), "+v"(sum[2]), "=&v"(xv)
			: "m"(*four), "v"(w[0]), "v"(w[1]), "v"(w[2]));
	else if (V == 2)
		__asm__("vpbroadcastd %3, %2\n\tvpdpbusd %2, %4, %0\n\t"
			"vpdpbusd %2, %5, %1"
			: "+v"(sum[0]), "+v"(sum[1]), "=&v"(xv)
			: "m"(*four), "v"(w[0]), "v"(w[1]));
	else
		__asm__("vpbroadcastd %2, %1\n\tvpdpbusd %1, %3, %0"
			: "+v"(sum[0]), "=&v"(xv)
			: "m"(*four), "v"(w[0]));
}

/* Sums of columns o.. to floats; `add` is constant: is there something to add? */
ALWAYS_INLINE void finish_column(const struct block *b, uint32_t t, uint32_t o,
	const __m512i *sum, const int R, const int V, const int add)
{
	const struct linear *l = b->l;
	__mmask16 m = lanes_left(l->out, o);
	__m512 scale = load_bf16(l->scales + o);
	__m512 bias =
		l->bias ? _mm512_maskz_loadu_ps(m, l->bias + o) : _mm512_setzero_ps();
	uintptr_t at = (uintptr_t)t * l->out + o;

#pragma GCC unroll 8
	for (int r = 0; r < R; r++, at += l->out) {
		__m512 s = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r * V]), scale);

		s = _mm512_fmadd_ps(s, _mm512_set1_ps(b->x_scale[t + (uint32_t)r]), bias);
		if (add)
			s = _mm512_add_ps(_mm512_maskz_loadu_ps(m, b->add + at), s);
		_mm512_mask_storeu_ps(b->y + at, m, s);
	}
}

ALWAYS_INLINE void finish(const struct block *b, uint32_t t, const struct panel *p,
	const __m512i *sum, const int R, const int V)
{
#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		uint32_t o = p->o + 16 * (uint32_t)v;

		if (b->add)
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
	uint32_t in = b->l->in;
	const int8_t *x = b->x + (uintptr_t)t * in;
	const uint8_t *w = p->w, *ahead = p->ahead;
	__m512i sum[TILE_ROWS * 3];

#pragma GCC unroll 8
	for (int r = 0; r < R; r++)
#pragma GCC unroll 3
		for (int v = 0; v < V; v++)
			sum[r * V + v] = _mm512_set1_epi32(b->start[t + (uint32_t)r]);
	for (uint32_t k = in / 4; k; k--, x += 4, w += 64 * V, ahead += 64) {
		_mm_prefetch(ahead, _MM_HINT_T0);
		step(sum, w, x, in, R, V);
	}
	if (in % 4)
		step(sum, w, b->tail[t], sizeof(b->tail[0]), R, V);
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

/* Four partial sums of a row. */
ALWAYS_INLINE __m128i row_sums(const int8_t *x, uint32_t in)
{
	__m512i ones = _mm512_set1_epi8(1), sum = _mm512_setzero_si512();
	__m256i half;
	uint32_t i = 0;

	for (; i + 64 <= in; i += 64)
		sum = _mm512_dpbusd_epi32(sum, ones, _mm512_loadu_si512(x + i));
	if (i < in)
		sum = _mm512_dpbusd_epi32(sum, ones,
			_mm512_maskz_loadu_epi8((1ull << (in - i)) - 1, x + i));
	half = _mm256_add_epi32(
		_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
	return _mm_add_epi32(
		_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Rows t.. t + 3, of which some may be one and the same. */
static void start_rows(struct block *b, const uint32_t *t)
{
	uint32_t in = b->l->in;
	__m128i s[4];

#pragma GCC unroll 4
	for (int j = 0; j < 4; j++)
		s[j] = row_sums(b->x + (uintptr_t)t[j] * in, in);
	s[0] = _mm_hadd_epi32(_mm_hadd_epi32(s[0], s[1]), _mm_hadd_epi32(s[2], s[3]));
	s[0] = _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(s[0], 7));
	b->start[t[0]] = _mm_extract_epi32(s[0], 0);
	b->start[t[1]] = _mm_extract_epi32(s[0], 1);
	b->start[t[2]] = _mm_extract_epi32(s[0], 2);
	b->start[t[3]] = _mm_extract_epi32(s[0], 3);
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

	for (uint32_t t = 0; t < n; t += 4) {
		const uint32_t last = n - 1;

		start_rows(
			b, (const uint32_t[]){t, t + 1 < n ? t + 1 : last,
				   t + 2 < n ? t + 2 : last, t + 3 < n ? t + 3 : last});
	}
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
	for (uint32_t t = 0; t < n; t += TILE_BLOCK) {
		b.x = x + (uintptr_t)t * l->in;
		b.x_scale = x_scale + t;
		b.add = add ? add + (uintptr_t)t * l->out : 0;
		b.y = y + (uintptr_t)t * l->out;
		x86_avx512vnni_rows_i8(&b, n - t < TILE_BLOCK ? n - t : TILE_BLOCK);
	}
}
