/* Unsigned nibbles (w + 8) by s8 activations: pairs of vpmaddubsw are at most 2 * 15 *
 * 127, so a group of 32 columns adds up in sixteen bits. The offset is taken out of the
 * group's sum with -8 times the sum of the row's group. */
#include "src/infer/opt/x86-avx2/vector.h"

#define ROWS 3
#define MAX_GROUPS (65536 / KERNEL_GROUP)

struct block {
	const struct linear *l;
	uint32_t n_groups; /* whole ones; a short last one lies in `tail` */
	const int8_t *x;
	const float *x_scale, *add;
	float *y;
	int8_t tail[ROWS][KERNEL_GROUP]; /* zeros behind the row's end */
	int32_t start[ROWS][MAX_GROUPS];
};

ALWAYS_INLINE const uint8_t *group(const struct block *b, uint32_t g, const uint8_t *w,
	const uint16_t *scales, const int8_t *x, uintptr_t stride, uint32_t steps,
	__m256 *y, const int R, const int V)
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i sum[ROWS * 2];

#pragma GCC unroll 6
	for (int i = 0; i < R * V; i++)
		sum[i] = _mm256_setzero_si256();
#pragma GCC unroll 4
	for (uint32_t k = 0; k < steps; k++, x += 8, w += 32 * V) {
		__m256i wl[2], wh[2];

#pragma GCC unroll 2
		for (int v = 0; v < V; v++) {
			wh[v] = _mm256_loadu_si256((const void *)(w + 32 * v));
			wl[v] = _mm256_and_si256(wh[v], low);
			wh[v] = _mm256_and_si256(_mm256_srli_epi16(wh[v], 4), low);
		}
#pragma GCC unroll 3
		for (int r = 0; r < R; r++) {
			__m256i x0 = four_bytes(x + (uintptr_t)(uint32_t)r * stride);
			__m256i x1 = four_bytes(x + (uintptr_t)(uint32_t)r * stride + 4);

#pragma GCC unroll 2
			for (int v = 0; v < V; v++) {
				__m256i s = sum[r * V + v];

				s = _mm256_add_epi16(s, _mm256_maddubs_epi16(wl[v], x0));
				sum[r * V + v] = _mm256_add_epi16(
					s, _mm256_maddubs_epi16(wh[v], x1));
			}
		}
	}
#pragma GCC unroll 2
	for (int v = 0; v < V; v++) {
		__m256 scale = load_bf16(scales + 8 * v);

#pragma GCC unroll 3
		for (int r = 0; r < R; r++) {
			__m256i s = _mm256_add_epi32(
				_mm256_madd_epi16(sum[r * V + v], _mm256_set1_epi16(1)),
				_mm256_set1_epi32(b->start[r][g]));

			y[r * V + v] = _mm256_fmadd_ps(
				_mm256_cvtepi32_ps(s), scale, y[r * V + v]);
		}
	}
	return w;
}

ALWAYS_INLINE void tile(const struct block *b, uint32_t t, uint32_t o, const uint8_t *w,
	const int R, const int V)
{
	uint32_t in = b->l->in, groups = (in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	const uint16_t *scales = b->l->scales + (uintptr_t)o * groups;
	const int8_t *x = b->x + (uintptr_t)t * in;
	__m256 y[ROWS * 2];

#pragma GCC unroll 6
	for (int i = 0; i < R * V; i++)
		y[i] = _mm256_setzero_ps();
	for (uint32_t g = 0; g < b->n_groups; g++, scales += 8 * V, x += KERNEL_GROUP)
		w = group(b, g, w, scales, x, in, KERNEL_GROUP / 8, y, R, V);
	if (groups > b->n_groups)
		group(b, b->n_groups, w, scales, b->tail[0], KERNEL_GROUP,
			(in % KERNEL_GROUP + 7) / 8, y, R, V);
#pragma GCC unroll 3
	for (int r = 0; r < R; r++)
#pragma GCC unroll 2
		for (int v = 0; v < V; v++) {
			uint32_t row = t + (uint32_t)r;

			store_columns(b->l, o + 8 * (uint32_t)v, row,
				_mm256_mul_ps(
					y[r * V + v], _mm256_set1_ps(b->x_scale[row])),
				b->add, b->y);
		}
}

static int32_t group_start(const int8_t *x)
{
	__m256i v = _mm256_loadu_si256((const void *)x);
	__m256i s = _mm256_madd_epi16(
		_mm256_maddubs_epi16(_mm256_set1_epi8(1), v), _mm256_set1_epi16(1));

	return -8 * reduce_add8(s);
}

static void start_row(struct block *b, uint32_t t, uint32_t r)
{
	uint32_t in = b->l->in, rest = in % KERNEL_GROUP;
	const int8_t *x = b->x + (uintptr_t)(t + r) * in;

	for (uint32_t g = 0; g < b->n_groups; g++)
		b->start[r][g] = group_start(x + (uintptr_t)g * KERNEL_GROUP);
	if (!rest)
		return;
	for (uint32_t i = 0; i < KERNEL_GROUP; i++)
		b->tail[r][i] = i < rest ? x[in - rest + i] : 0;
	b->start[r][b->n_groups] = group_start(b->tail[r]);
}

static void three_rows(struct block *b, uint32_t t)
{
	const struct linear *l = b->l;

	for (uint32_t o = 0; o < l->out; o += PANEL_COLS) {
		const uint8_t *w =
			(const uint8_t *)l->w + (uintptr_t)o * ((l->in + 7) / 8 * 4);

		if (l->out - o > 8)
			tile(b, t, o, w, ROWS, 2);
		else
			tile(b, t, o, w, ROWS, 1);
	}
}

static void one_row(struct block *b, uint32_t t)
{
	const struct linear *l = b->l;

	for (uint32_t o = 0; o < l->out; o += PANEL_COLS) {
		const uint8_t *w =
			(const uint8_t *)l->w + (uintptr_t)o * ((l->in + 7) / 8 * 4);

		if (l->out - o > 8)
			tile(b, t, o, w, 1, 2);
		else
			tile(b, t, o, w, 1, 1);
	}
}

void linear_i4(const struct linear *l, uint32_t n, const int8_t *x, const float *x_scale,
	const float *add, float *y)
{
	uint32_t t = 0;
	struct block b;

	b.l = l;
	b.n_groups = l->in / KERNEL_GROUP;
	b.x = x;
	b.x_scale = x_scale;
	b.add = add;
	b.y = y;
	for (; t + ROWS <= n; t += ROWS) {
		for (uint32_t r = 0; r < ROWS; r++)
			start_row(&b, t, r);
		three_rows(&b, t);
	}
	for (; t < n; t++) {
		start_row(&b, t, 0);
		one_row(&b, t);
	}
}
