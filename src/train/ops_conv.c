#include <string.h>

#include "src/train/ops.h"

#include "src/train/hot.h"

/* Rows of input that tap j touches: output row t reads input row t + j - now. */
static void tap_range(
	const struct conv_shape *c, size_t j, size_t len, size_t *lo, size_t *hi)
{
	*lo = j < c->now ? c->now - j : 0;
	*hi = j > c->now ? (len > j - c->now ? len - (j - c->now) : 0) : len;
	if (*lo > *hi)
		*lo = *hi;
}

HOT static void multiply_rows(
	size_t rows, size_t d, const real *x, const real *tap, real *y)
{
	for (size_t t = 0; t < rows; t++)
		for (size_t i = 0; i < d; i++)
			y[t * d + i] += x[t * d + i] * tap[i];
}

HOT static void correlate_rows(
	size_t rows, size_t d, const real *x, const real *dy, real *tap)
{
	for (size_t t = 0; t < rows; t++)
		for (size_t i = 0; i < d; i++)
			tap[i] += x[t * d + i] * dy[t * d + i];
}

static void transpose_taps(const struct conv_shape *c, const real *w, real *taps)
{
	for (size_t i = 0; i < c->d; i++)
		for (size_t j = 0; j < c->k; j++)
			taps[j * c->d + i] = w[i * c->k + j];
}

void conv_forward(
	const struct conv_shape *c, const real *u, const real *w, real *y, real *taps)
{
	size_t d = c->d, lo, hi;

	transpose_taps(c, w, taps);
	memset(y, 0, c->start[c->n_seq] * d * sizeof *y);
	for (size_t s = 0; s < c->n_seq; s++) {
		size_t at = c->start[s], len = c->start[s + 1] - at;

		for (size_t j = 0; j < c->k; j++) {
			tap_range(c, j, len, &lo, &hi);
			if (lo < hi)
				multiply_rows(hi - lo, d, u + (at + lo + j - c->now) * d,
					taps + j * d, y + (at + lo) * d);
		}
	}
}

void conv_backward(const struct conv_shape *c, const real *u, const real *w,
	const real *dy, real *du, real *dw, real *taps)
{
	size_t d = c->d, lo, hi;
	real *dtaps = taps + c->k * d;

	transpose_taps(c, w, taps);
	memset(dtaps, 0, c->k * d * sizeof *dtaps);
	memset(du, 0, c->start[c->n_seq] * d * sizeof *du);
	for (size_t s = 0; s < c->n_seq; s++) {
		size_t at = c->start[s], len = c->start[s + 1] - at;

		for (size_t j = 0; j < c->k; j++) {
			tap_range(c, j, len, &lo, &hi);
			if (lo >= hi)
				continue;
			multiply_rows(hi - lo, d, dy + (at + lo) * d, taps + j * d,
				du + (at + lo + j - c->now) * d);
			correlate_rows(hi - lo, d, u + (at + lo + j - c->now) * d,
				dy + (at + lo) * d, dtaps + j * d);
		}
	}
	for (size_t i = 0; i < d; i++)
		for (size_t j = 0; j < c->k; j++)
			dw[i * c->k + j] += dtaps[j * d + i];
}

HOT void pool_forward(enum pool pool, size_t n_seq, const uint32_t *start, size_t d,
	const real *x, real *y, uint32_t *where)
{
	for (size_t s = 0; s < n_seq; s++, y += d) {
		size_t lo = start[s], hi = start[s + 1];

		memset(y, 0, d * sizeof *y);
		if (lo == hi)
			continue;
		if (pool == POOL_MEAN) {
			real share = 1 / (real)(hi - lo);

			for (size_t t = lo; t < hi; t++)
				for (size_t i = 0; i < d; i++)
					y[i] += x[t * d + i];
			for (size_t i = 0; i < d; i++)
				y[i] *= share;
			continue;
		}
		memcpy(y, x + lo * d, d * sizeof *y);
		if (pool == POOL_FIRST)
			continue;
		for (size_t i = 0; i < d; i++)
			where[s * d + i] = (uint32_t)lo;
		for (size_t t = lo + 1; t < hi; t++)
			for (size_t i = 0; i < d; i++)
				if (x[t * d + i] > y[i]) {
					y[i] = x[t * d + i];
					where[s * d + i] = (uint32_t)t;
				}
	}
}

HOT void pool_backward(enum pool pool, size_t n_seq, const uint32_t *start, size_t d,
	const real *dy, const uint32_t *where, real *dx)
{
	for (size_t s = 0; s < n_seq; s++, dy += d) {
		size_t lo = start[s], hi = start[s + 1];
		real share = hi > lo ? 1 / (real)(hi - lo) : 0;

		if (lo == hi)
			continue;
		switch (pool) {
		case POOL_MAX:
			for (size_t i = 0; i < d; i++)
				dx[where[s * d + i] * d + i] += dy[i];
			break;
		case POOL_FIRST:
			for (size_t i = 0; i < d; i++)
				dx[lo * d + i] += dy[i];
			break;
		default:
			for (size_t t = lo; t < hi; t++)
				for (size_t i = 0; i < d; i++)
					dx[t * d + i] += dy[i] * share;
		}
	}
}

void embed_forward(size_t n_seq, const uint32_t *start, const int32_t *ids, size_t d,
	const real *table, const real *pos, real *x)
{
	for (size_t s = 0; s < n_seq; s++)
		for (size_t t = start[s]; t < start[s + 1]; t++) {
			const real *row = table + (size_t)ids[t] * d;
			const real *p = pos ? pos + (t - start[s]) * d : NULL;

			memcpy(x + t * d, row, d * sizeof *x);
			for (size_t i = 0; p && i < d; i++)
				x[t * d + i] += p[i];
		}
}

void embed_backward(size_t n_seq, const uint32_t *start, const int32_t *ids, size_t d,
	const real *dx, real *dtable, real *dpos)
{
	for (size_t s = 0; s < n_seq; s++)
		for (size_t t = start[s]; t < start[s + 1]; t++) {
			real *row = dtable + (size_t)ids[t] * d;
			real *p = dpos ? dpos + (t - start[s]) * d : NULL;

			for (size_t i = 0; i < d; i++)
				row[i] += dx[t * d + i];
			for (size_t i = 0; p && i < d; i++)
				p[i] += dx[t * d + i];
		}
}
