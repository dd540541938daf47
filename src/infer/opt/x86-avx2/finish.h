/* From a tile's sums to y: scale, bias, residual, activation. A template: a product
 * defines, before it includes this,
 *
 *   SUM          type of eight sums
 *   NEAR         1: what is written is quantised next
 *   struct block with l, x_scale, add, y
 *   scale_at(b, o)                scales of the eight columns at o
 *   scaled(sum, x_scale, scale, bias)   eight sums of a row as floats, with the bias;
 *                                 *x_scale is the row's
 *
 * GELU goes through memory in three loops: its chain of instructions is long, and a
 * processor's window holds only a few such chains at once.
 */
#ifndef HAWSER_INFER_OPT_X86_AVX2_FINISH_H
#define HAWSER_INFER_OPT_X86_AVX2_FINISH_H

#include "src/infer/opt/x86-avx2/tile.h"
#include "src/infer/opt/x86-avx2/vmath.h"

/* R rows by V vectors at column o, whose sums lie `stride` apart; `full` unless it is a
 * row's last, short vector. */
ALWAYS_INLINE void finish_columns(const struct block *b, uint32_t t, uint32_t o,
	const SUM *sum, uint32_t R, const uint32_t V, uint32_t stride, int act, int full)
{
	const struct linear *l = b->l;
	const float *x_scale = b->x_scale + t;
	uintptr_t out = l->out, at = t * out + o;
	const float *add = b->add ? b->add + at : 0;
	float *y = b->y + at;
	__m256i lanes = lanes_left(l->out, o);
	__m256 scale[TILE_VECTORS], bias[TILE_VECTORS], x[FINISH_ROWS * TILE_VECTORS];
	struct gelu_at place[FINISH_ROWS * TILE_VECTORS];

#pragma GCC unroll 6
	for (uint32_t v = 0; v < V; v++) {
		scale[v] = scale_at(b, o + 8 * v);
		bias[v] = l->bias ? load_lanes(l->bias + o + 8 * v, lanes, full)
				  : _mm256_setzero_ps();
	}
	for (uint32_t r = 0; r < R; r++, sum += stride)
#pragma GCC unroll 6
		for (uint32_t v = 0; v < V; v++) {
			__m256 s = scaled(sum[v], x_scale + r, scale[v], bias[v]);

			if (add)
				s = _mm256_add_ps(
					load_lanes(add + r * out + 8 * v, lanes, full),
					s);
			if (act == KERNEL_GELU)
				x[r * V + v] = s;
			else
				store_lanes(y + r * out + 8 * v, lanes, full,
					vector_act(s, act, NEAR));
		}
	if (act != KERNEL_GELU)
		return;
	for (uint32_t i = 0; i < R * V; i++)
		place[i] = gelu_place(x[i]);
	for (uint32_t r = 0; r < R; r++)
#pragma GCC unroll 6
		for (uint32_t v = 0; v < V; v++)
			store_lanes(y + r * out + 8 * v, lanes, full,
				gelu_there(x[r * V + v], place[r * V + v], NEAR));
}

/* Columns of a tile that is not wide or not whole, one vector at a time. */
static __attribute__((noinline)) void finish_edge(const struct block *b, uint32_t t,
	const struct panel *p, const SUM *sum, uint32_t R)
{
	for (uint32_t v = 0; v < p->vectors; v++) {
		uint32_t o = p->o + 8 * v;

		if (o + 8 <= b->l->out)
			finish_columns(b, t, o, sum + v, R, 1, p->vectors, b->l->act, 1);
		else
			finish_columns(b, t, o, sum + v, R, 1, p->vectors, b->l->act, 0);
	}
}

static __attribute__((noinline)) void finish(const struct block *b, uint32_t t,
	const struct panel *p, const SUM *sum, uint32_t R)
{
	if (b->l->out - p->o < TILE_COLS)
		finish_edge(b, t, p, sum, R);
	else if (b->l->act == KERNEL_NO_ACT)
		finish_columns(
			b, t, p->o, sum, R, TILE_VECTORS, TILE_VECTORS, KERNEL_NO_ACT, 1);
	else if (b->l->act == KERNEL_GELU)
		finish_columns(
			b, t, p->o, sum, R, TILE_VECTORS, TILE_VECTORS, KERNEL_GELU, 1);
	else
		finish_columns(
			b, t, p->o, sum, R, TILE_VECTORS, TILE_VECTORS, b->l->act, 1);
}

#endif
