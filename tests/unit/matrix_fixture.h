/* What the tests of the kernel sets share: shapes, and a random matrix both in rows and in a
 * set's panels. After cmocka.h and tests/unit/infer_fixture.h. */
#ifndef HAWSER_TESTS_UNIT_MATRIX_FIXTURE_H
#define HAWSER_TESTS_UNIT_MATRIX_FIXTURE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/codegen/kernel_sets.h"
#include "src/infer/kernels.h"
#include "src/model/quant.h"
#include "tests/unit/infer_fixture.h"

struct shape {
	uint32_t n, in, out;
};
static const struct shape shapes[] = {{1, 1, 1}, {3, 7, 5}, {2, 8, 4}, {5, 31, 3},
	{1, 33, 9}, {4, 64, 17}, {2, 129, 6}, {7, 100, 64}, {1, 16, 2}, {9, 65, 49},
	{11, 35, 95}, {17, 48, 48}, {71, 40, 33}, {6, 26, 47}, {1, 102, 144},
	{1, 288, 131}};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

struct matrix {
	struct linear rows, panels;
	void *memory[6];
};

static inline void *zeroed(struct matrix *m, int which, size_t bytes)
{
	m->memory[which] = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
	assert_non_null(m->memory[which]);
	memset(m->memory[which], 0, bytes);
	return m->memory[which];
}

static inline const struct panel_format *format_of(const char *isa, int bits)
{
	const struct kernel_set *set;

	assert_int_equal(kernel_set_find(isa, &set, NULL), 0);
	assert_non_null(set->panels);
	return bits == 32  ? &set->panels->f32
	       : bits == 8 ? &set->panels->i8
			   : &set->panels->i4;
}

/* Byte offset of element (o, i) in panels, for int4 of its byte. */
static inline size_t panel_at(const struct panel_format *f, uint32_t in, uint32_t out,
	uint32_t o, uint32_t i, int bits)
{
	size_t first = o / f->width * f->width, left = (out - first + f->round - 1);
	size_t width = left / f->round * f->round < f->width ? left / f->round * f->round
							     : f->width;
	size_t steps = (in + f->k - 1u) / f->k;
	size_t cell = (first * steps + i / f->k * width + (o - first)) * f->k;
	size_t at = i % f->k;

	if (bits == 4)
		return cell / 2 + at % (f->k / 2u);
	return (cell + at) * (size_t)(bits / 8);
}

static inline void put_quantised(struct matrix *m, const struct panel_format *f,
	uint32_t o, uint32_t i, int bits, int q)
{
	uint32_t in = m->rows.in;
	uint8_t *rows = (uint8_t *)(uintptr_t)m->rows.w;
	uint8_t *panels = (uint8_t *)(uintptr_t)m->panels.w;
	size_t at = panel_at(f, in, m->rows.out, o, i, bits);

	if (bits == 8) {
		rows[(size_t)o * in + i] = (uint8_t)q;
		panels[at] = (uint8_t)(q + f->zero);
		return;
	}
	rows[(size_t)o * ((in + 1) / 2) + i / 2] |= (uint8_t)((q + 8) << i % 2 * 4);
	panels[at] |= (uint8_t)(((q + f->zero) & 15) << (i % f->k >= f->k / 2u ? 4 : 0));
}

/* What the integers are. */
enum values { ANY, EXTREME, ALL_LARGEST, ALL_SMALLEST };

static inline int pick(int limit, int values)
{
	if (values != ANY)
		return values == ALL_LARGEST || (values == EXTREME && rng_below(&rng, 2))
			       ? limit
			       : -limit;
	return (int)rng_below(&rng, 2u * (uint32_t)limit + 1) - limit;
}

/* `scale`: of every weight, or 0 for random ones. */
static inline void matrix_init(struct matrix *m, const char *isa, struct shape s,
	int bits, int extreme, float scale)
{
	const struct panel_format *f = format_of(isa, bits);
	uint32_t groups = bits == 4 ? quant_groups(s.in) : 1, padded = s.out + f->width;
	size_t bytes = (size_t)padded * (s.in + 8) * 4;
	uint16_t *scales, *panel_scales;
	float *bias;

	memset(m, 0, sizeof(*m));
	m->rows = (struct linear){
		.in = s.in, .out = s.out, .w = zeroed(m, 0, bytes), .scales = NULL};
	m->panels = m->rows;
	m->panels.panels = 1;
	m->panels.w = zeroed(m, 1, bytes);
	scales = zeroed(m, 2, (size_t)padded * groups * 2);
	panel_scales = zeroed(m, 3, (size_t)padded * groups * 2 + 64);
	bias = zeroed(m, 4, s.out * sizeof(*bias));
	fill(bias, s.out, 1);
	m->rows.bias = m->panels.bias = bias;
	if (bits == 4)
		memset(m->memory[1], 0, bytes);
	for (uint32_t o = 0; o < s.out; o++)
		for (uint32_t i = 0; i < s.in; i++) {
			float v = (float)rng_normal(&rng);

			if (bits != 32) {
				put_quantised(m, f, o, i, bits,
					pick(bits == 8 ? 127 : 7, extreme));
				continue;
			}
			((float *)m->memory[0])[(size_t)o * s.in + i] = v;
			memcpy((uint8_t *)m->memory[1] +
					panel_at(f, s.in, s.out, o, i, 32),
				&v, 4);
		}
	if (bits == 32)
		return;
	for (uint32_t o = 0; o < s.out; o++)
		for (uint32_t g = 0; g < groups; g++) {
			uint32_t first = o / f->width * f->width;
			uint32_t left =
				(s.out - first + f->round - 1u) / f->round * f->round;
			uint32_t width = left < f->width ? left : f->width;
			uint16_t v = bf16_ceil(scale > 0 ? scale : (float)rng_unit(&rng));

			scales[(size_t)o * groups + g] = v;
			panel_scales[(size_t)first * groups + (size_t)g * width +
				     (o - first)] = v;
		}
	m->rows.scales = scales;
	m->panels.scales = panel_scales;
}

static inline void matrix_release(struct matrix *m)
{
	for (size_t i = 0; i < sizeof(m->memory) / sizeof(m->memory[0]); i++)
		free(m->memory[i]);
}

static inline int8_t *tokens(size_t n, int extreme)
{
	int8_t *x = malloc(n);

	assert_non_null(x);
	for (size_t i = 0; i < n; i++)
		x[i] = (int8_t)pick(127, extreme);
	return x;
}

#endif
