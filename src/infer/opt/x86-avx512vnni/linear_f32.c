/* Tiles of 8 x 48 accumulators; each step reads three vectors of weights and a float of
 * each row. */
#include "src/infer/opt/x86-avx512vnni/tile.h"
#include "src/infer/opt/x86-avx512vnni/vector.h"

struct block {
	const struct linear *l;
	const float *x, *add;
	float *y;
};

ALWAYS_INLINE void finish_column(const struct block *b, uint32_t t, uint32_t o,
	const __m512 *sum, uint32_t R, uint32_t V, int act)
{
	__mmask16 m = lanes_left(b->l->out, o);
	uintptr_t at = (uintptr_t)t * b->l->out + o;

	for (uint32_t r = 0; r < R; r++, at += b->l->out, sum += V) {
		__m512 s = *sum;

		if (b->add)
			s = _mm512_add_ps(_mm512_maskz_loadu_ps(m, b->add + at), s);
		_mm512_mask_storeu_ps(b->y + at, m, vector_act(s, act));
	}
}

TILE_FINISH(__m512)

/* Sums start at the bias. */
ALWAYS_INLINE void tile(const struct block *b, uint32_t t, const struct panel *p,
	const int R, const int V)
{
	uint32_t in = b->l->in;
	const float *x = b->x + (uintptr_t)t * in;
	const float *w = (const float *)(const void *)p->w;
	__m512 sum[TILE_ROWS * 3], sums[TILE_ROWS * 3];

#pragma GCC unroll 3
	for (int v = 0; v < V; v++) {
		uint32_t o = p->o + 16 * (uint32_t)v;
		__m512 bias = _mm512_setzero_ps();

		if (b->l->bias)
			bias = _mm512_maskz_loadu_ps(
				lanes_left(b->l->out, o), b->l->bias + o);
#pragma GCC unroll 8
		for (int r = 0; r < R; r++)
			sum[r * V + v] = bias;
	}
	for (uint32_t k = 0; k < in; k++, w += 16 * V) {
		__m512 wv[3];

#pragma GCC unroll 3
		for (int v = 0; v < V; v++)
			wv[v] = _mm512_loadu_ps(w + 16 * v);
#pragma GCC unroll 8
		for (int r = 0; r < R; r++) {
			__m512 xv = _mm512_set1_ps(x[(uintptr_t)(uint32_t)r * in + k]);

#pragma GCC unroll 3
			for (int v = 0; v < V; v++)
				sum[r * V + v] =
					_mm512_fmadd_ps(xv, wv[v], sum[r * V + v]);
		}
	}
#pragma GCC unroll 24
	for (int i = 0; i < R * V; i++)
		sums[i] = sum[i];
	finish(b, t, p, sums, (uint32_t)R, (uint32_t)V);
}

TILE_INSTANCES(1)
TILE_INSTANCES(2)
TILE_INSTANCES(3)

static void (*const tiles[3][TILE_ROWS])(const struct block *, uint32_t,
	const struct panel *) = {TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3)};

ALWAYS_INLINE uint32_t one_tile(
	const struct block *b, const struct cut *c, uint32_t o, uint32_t i, uint32_t t)
{
	struct panel p = panel_at(b->l->out, o, b->l->w, (uintptr_t)b->l->in * 4);
	uint32_t r = cut_rows(c, i, t);

	tiles[p.width / 16 - 1][r - 1](b, t, &p);
	return r;
}

void linear_f32(
	const struct linear *l, uint32_t n, const float *x, const float *add, float *y)
{
	const struct block b = {l, x, add, y};
	const struct cut c = cut_of(l->schedule, n, TILE_ROWS);

	if (l->schedule == SCHEDULE_ROWS) {
		for (uint32_t i = 0, t = 0; i < c.n_tiles; t += cut_rows(&c, i++, t))
			for (uint32_t o = 0; o < l->out; o += TILE_COLS)
				one_tile(&b, &c, o, i, t);
		return;
	}
	for (uint32_t o = 0; o < l->out; o += TILE_COLS)
		for (uint32_t i = 0, t = 0; i < c.n_tiles; i++)
			t += one_tile(&b, &c, o, i, t);
}
