/* Unsigned nibbles (w + 8) by s8 activations: vpdpbusd. A step is eight input columns,
 * four in the low nibbles and four in the high. The sums of a group start at -8 times the
 * sum of the row's group, and are scaled into float sums at its end; four rows, so that
 * both kinds of sums stay in registers. */
#include "src/infer/opt/x86-avx512vnni/dot4.h"
#include "src/infer/opt/x86-avx512vnni/linear_i4.h"
#include "src/infer/opt/x86-avx512vnni/one_row.h"

/* One group: `steps` steps of x (a row every `stride` bytes) by w, scaled into `y`. */
ALWAYS_INLINE const uint8_t *group(const struct block *b, uint32_t g, const uint8_t *w,
	const uint16_t *scales, const int8_t *x, uintptr_t stride, uint32_t steps,
	__m512 *y, const int R, const int V)
{
	const __m512i low = _mm512_set1_epi8(15);
	__m512i sum[ROWS * 3];

#pragma GCC unroll 4
	for (int r = 0; r < R; r++)
#pragma GCC unroll 3
		for (int v = 0; v < V; v++)
			sum[r * V + v] = _mm512_set1_epi32(b->start[r][g]);
#pragma GCC unroll 4
	for (uint32_t k = 0; k < steps; k++, x += 8, w += 64 * V) {
		__m512i wl[3], wh[3];

#pragma GCC unroll 3
		for (int v = 0; v < V; v++) {
			wh[v] = _mm512_loadu_si512(w + 64 * v);
			wl[v] = _mm512_and_si512(wh[v], low);
			wh[v] = _mm512_and_si512(_mm512_srli_epi16(wh[v], 4), low);
		}
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			dot4(sum + r * V, wl, x + (uintptr_t)(uint32_t)r * stride, V);
#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			dot4(sum + r * V, wh, x + 4 + (uintptr_t)(uint32_t)r * stride, V);
	}
#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		__m512 scale = load_bf16(scales + 16 * v);

#pragma GCC unroll 4
		for (int r = 0; r < R; r++)
			y[r * V + v] = _mm512_fmadd_ps(
				_mm512_cvtepi32_ps(sum[r * V + v]), scale, y[r * V + v]);
	}
	return w;
}

ALWAYS_INLINE void finish_column(const struct block *b, uint32_t t, uint32_t o,
	const __m512 *sum, const int R, const int V)
{
	const struct linear *l = b->l;
	__mmask16 m = lanes_left(l->out, o);
	__m512 bias =
		l->bias ? _mm512_maskz_loadu_ps(m, l->bias + o) : _mm512_setzero_ps();
	uintptr_t at = (uintptr_t)t * l->out + o;

#pragma GCC unroll 4
	for (int r = 0; r < R; r++, at += l->out) {
		__m512 s = _mm512_fmadd_ps(
			sum[r * V], _mm512_set1_ps(b->x_scale[t + (uint32_t)r]), bias);

		if (b->add)
			s = _mm512_add_ps(_mm512_maskz_loadu_ps(m, b->add + at), s);
		_mm512_mask_storeu_ps(b->y + at, m, s);
	}
}

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	uint32_t in = b->l->in, groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	const uint16_t *scales = b->l->scales + (uintptr_t)p->o * groups;
	const int8_t *x = b->x + (uintptr_t)t * in;
	const uint8_t *w = p->w;
	__m512 y[ROWS * 3];

#pragma GCC unroll 12
	for (int i = 0; i < R * V; i++)
		y[i] = _mm512_setzero_ps();
	for (uint32_t g = 0; g < b->n_groups; g++, scales += 16 * V, x += KERNEL_GROUP)
		w = group(b, g, w, scales, x, in, KERNEL_GROUP / 8, y, R, V);
	if (groups > b->n_groups)
		group(b, b->n_groups, w, scales, b->tail[0], KERNEL_GROUP,
			(in % KERNEL_GROUP + 7) / 8, y, R, V);
	if (b->take) {
		__m512 sums[ROWS * 3];

#pragma GCC unroll 12
		for (int i = 0; i < R * V; i++)
			sums[i] = y[i];
		b->take(b, t, p, sums, (uint32_t)R);
		return;
	}
#pragma GCC unroll 3
	for (int v = 0; v < V; v++)
		finish_column(b, t, p->o + 16 * (uint32_t)v, y + v, R, V);
}

#define INSTANCES(V)                                                                     \
	TILE_INSTANCE(1, V)                                                              \
	TILE_INSTANCE(2, V)                                                              \
	TILE_INSTANCE(3, V)                                                              \
	TILE_INSTANCE(4, V)
INSTANCES(1)
INSTANCES(2)
INSTANCES(3)

static void (*const tiles[3][ROWS])(
	const struct block *, uint32_t, const struct panel *) = {
	{tile_1_1, tile_2_1, tile_3_1, tile_4_1},
	{tile_1_2, tile_2_2, tile_3_2, tile_4_2},
	{tile_1_3, tile_2_3, tile_3_3, tile_4_3},
};

static int32_t group_start(const int8_t *x)
{
	__m256i v = _mm256_loadu_si256((const void *)x);
	__m256i s = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), v);
	__m128i h =
		_mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));

	h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
	h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1));
	return -8 * _mm_cvtsi128_si32(h);
}

static void start_row(struct block *b, uint32_t t, uint32_t r)
{
	uint32_t in = b->l->in, rest = in % KERNEL_GROUP;
	const int8_t *x = b->x + (uintptr_t)(t + r) * in;

	for (uint32_t g = 0; g < b->n_groups; g++)
		b->start[r][g] = group_start(x + (uintptr_t)g * KERNEL_GROUP);
	if (!rest)
		return;
	_mm256_storeu_si256((void *)b->tail[r],
		_mm256_maskz_loadu_epi8((1u << rest) - 1, x + in - rest));
	b->start[r][b->n_groups] = group_start(b->tail[r]);
}

void x86_avx512vnni_rows_i4(struct block *b, uint32_t n)
{
	const struct linear *l = b->l;
	const struct cut c = cut_of(l->schedule, n, ROWS);

	b->n_groups = l->in / KERNEL_GROUP;
	for (uint32_t i = 0, t = 0; i < c.n_tiles; i++) {
		uint32_t r = cut_rows(&c, i, t);

		for (uint32_t j = 0; j < r; j++)
			start_row(b, t, j);
		for (uint32_t o = 0; o < l->out; o += TILE_COLS) {
			struct panel p = panel_at(l->out, o, l->w, (l->in + 7) / 8 * 4);

			tiles[p.width / 16 - 1][r - 1](b, t, &p);
		}
		t += r;
	}
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	struct block b;

	if (n == 1) {
		one_row_i4(&(const struct one_row){l, add, y, x_scale[0]}, x);
		return;
	}
	b.l = l;
	b.take = 0;
	b.x = x;
	b.x_scale = x_scale;
	b.add = add;
	b.y = y;
	x86_avx512vnni_rows_i4(&b, n);
}
