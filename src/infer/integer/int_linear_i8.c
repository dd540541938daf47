#include "src/infer/integer/dot.h"
#include "src/infer/integer/linear.h"

#define TOKENS 32 /* even; so many at a time */

/* Sums of two rows of weights, which may be the same. */
struct strip {
	int32_t sum[2][TOKENS + 1];
};

static void add_up(const struct int_linear *l, uint32_t o, uint32_t n, const int8_t *x,
	struct strip *s)
{
	const uint32_t in = l->in, next = o + 1 < l->out ? in : 0;
	const int8_t *w = (const int8_t *)l->w + o * in;

	for (uint32_t t = 0; t < n; t += 2, x += 2 * in) {
		const struct dot_rows r = {{w, w + next}, {x, t + 1 < n ? x + in : x}};
		int32_t sum[4];

		dot_rows(in, &r, sum);
		s->sum[0][t] = sum[0];
		s->sum[0][t + 1] = sum[1];
		s->sum[1][t] = sum[2];
		s->sum[1][t + 1] = sum[3];
	}
}

static void scale(const struct int_linear *l, uint32_t o, uint32_t n, int32_t *sum)
{
	const struct fixed_ratio r = fixed_product(l->scales[o], l->x, 0);

	for (uint32_t t = 0; t < n; t++)
		sum[t] = fixed_times(sum[t], &r);
}

void int_linear_i8(const struct int_linear *l, uint32_t n, const int8_t *x,
	const int32_t *add, struct int_out out)
{
	struct strip s;

	for (uint32_t t = 0; t < n; t += TOKENS, x += TOKENS * l->in) {
		uint32_t tokens = n - t < TOKENS ? n - t : TOKENS;

		for (uint32_t o = 0; o < l->out; o += 2) {
			add_up(l, o, tokens, x, &s);
			for (uint32_t i = 0; i < 2 && o + i < l->out; i++) {
				scale(l, o + i, tokens, s.sum[i]);
				linear_finish(l, add, out, t, tokens, o + i, s.sum[i]);
			}
		}
	}
}
