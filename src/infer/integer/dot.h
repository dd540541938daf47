/* Sums of int8 products, two rows of weights by two tokens, so that a number is loaded once for
 * two products. The sums are exact: how they are formed shows in no result, and cores with
 * the instructions take four columns at once.
 */
#ifndef HAWSER_INFER_INTEGER_DOT_H
#define HAWSER_INFER_INTEGER_DOT_H

#include <stdint.h>

/* Rows of `n` columns; the two of a kind may be the same. */
struct dot_rows {
	const int8_t *w[2], *x[2];
};

#if defined(__ARM_FEATURE_SIMD32)

/* Columns 0 and 2 of four as two numbers of 16 bits, then 1 and 3. */
struct dot_pairs {
	uint32_t even, odd;
};

static inline struct dot_pairs dot_load(const int8_t *at)
{
	struct dot_pairs p;
	uint32_t four;

	__builtin_memcpy(&four, at, sizeof(four));
	__asm("sxtb16 %0, %1" : "=r"(p.even) : "r"(four));
	__asm("sxtb16 %0, %1, ror #8" : "=r"(p.odd) : "r"(four));
	return p;
}

static inline int32_t dot_add(struct dot_pairs a, struct dot_pairs b, int32_t sum)
{
	__asm("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a.even), "r"(b.even));
	__asm("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a.odd), "r"(b.odd));
	return sum;
}

/* The whole fours of n columns; returns how many columns those are. */
static inline uint32_t dot_fours(uint32_t n, const struct dot_rows *r, int32_t sum[4])
{
	const int8_t *w0 = r->w[0], *w1 = r->w[1], *x0 = r->x[0], *x1 = r->x[1];
	const int8_t *end = w0 + (n & ~3u);
	int32_t a = 0, b = 0, c = 0, d = 0;

	while (w0 < end) {
		struct dot_pairs u = dot_load(w0), v = dot_load(x0), t = dot_load(x1);

		a = dot_add(u, v, a);
		b = dot_add(u, t, b);
		u = dot_load(w1);
		c = dot_add(u, v, c);
		d = dot_add(u, t, d);
		w0 += 4;
		w1 += 4;
		x0 += 4;
		x1 += 4;
	}
	sum[0] = a;
	sum[1] = b;
	sum[2] = c;
	sum[3] = d;
	return n & ~3u;
}

#else

#define DOT_COLUMN(i)                                                                    \
	(a += w0[i] * x0[i], b += w0[i] * x1[i], c += w1[i] * x0[i], d += w1[i] * x1[i])

static inline uint32_t dot_fours(uint32_t n, const struct dot_rows *r, int32_t sum[4])
{
	const int8_t *w0 = r->w[0], *w1 = r->w[1], *x0 = r->x[0], *x1 = r->x[1];
	const int8_t *end = w0 + (n & ~3u);
	int32_t a = 0, b = 0, c = 0, d = 0;

	for (; w0 < end; w0 += 4, w1 += 4, x0 += 4, x1 += 4) {
		DOT_COLUMN(0);
		DOT_COLUMN(1);
		DOT_COLUMN(2);
		DOT_COLUMN(3);
	}
	sum[0] = a;
	sum[1] = b;
	sum[2] = c;
	sum[3] = d;
	return n & ~3u;
}

#endif

/* sum[2 i + j]: of w[i] and x[j]. */
static inline void dot_rows(uint32_t n, const struct dot_rows *r, int32_t sum[4])
{
	uint32_t i = dot_fours(n, r, sum);
	const int8_t *w0 = r->w[0], *w1 = r->w[1], *x0 = r->x[0], *x1 = r->x[1];
	int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];

	for (; i < n; i++) {
		a += w0[i] * x0[i];
		b += w0[i] * x1[i];
		c += w1[i] * x0[i];
		d += w1[i] * x1[i];
	}
	sum[0] = a;
	sum[1] = b;
	sum[2] = c;
	sum[3] = d;
}

#endif
