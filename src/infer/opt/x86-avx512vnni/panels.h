/* Where an element of a matrix lies: in panels of 48 columns (the last 16, 32 or 48), or
 * row by row. For look-ups and ways back, which read what a product's kernel streams. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_PANELS_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_PANELS_H

#include <stdint.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

/* Row o of a matrix: its first element, and how far the next step of columns is. */
struct panel_row {
	uintptr_t at, step;
};

static inline uint32_t panel_width(uint32_t out, uint32_t first)
{
	uint32_t left = (out - first + 15) / 16 * 16;

	return left < 48 ? left : 48;
}

/* In floats (k = 1), or bytes of int8 (k = 4) or of int4 (k = 4, two columns each).
 * `steps`: in / columns a step, rounded up. */
static inline struct panel_row panel_row(
	const struct linear *l, uint32_t o, uint32_t steps, uint32_t k)
{
	uint32_t first = o / 48 * 48, width = panel_width(l->out, first);
	struct panel_row r = {
		((uintptr_t)first * steps + (o - first)) * k, (uintptr_t)width * k};

	return r;
}

/* A row of int4 in either form. */
struct nibble_row {
	const uint8_t *w;
	const uint16_t *scales;
	uintptr_t step, group_step; /* step 0: row by row */
};

static inline struct nibble_row nibble_row(const struct linear *l, uint32_t o)
{
	uint32_t groups = (l->in + KERNEL_GROUP - 1) / KERNEL_GROUP;
	uint32_t first = o / 48 * 48;
	const uint8_t *w = l->w;
	struct panel_row r;

	if (!l->panels)
		return (struct nibble_row){w + (uintptr_t)o * ((l->in + 1) / 2),
			l->scales + (uintptr_t)o * groups, 0, 1};
	r = panel_row(l, o, (l->in + 7) / 8, 4);
	return (struct nibble_row){w + r.at,
		l->scales + (uintptr_t)first * groups + (o - first), r.step,
		panel_width(l->out, first)};
}

static inline float nibble_at(const struct nibble_row *r, uint32_t i)
{
	float scale = fmath_bf16(r->scales[i / KERNEL_GROUP * r->group_step]);
	int v = r->step ? r->w[i / 8 * r->step + i % 4] >> (i / 4 % 2 * 4)
			: r->w[i / 2] >> (i % 2 * 4);

	return (float)((v & 15) - 8) * scale;
}

#endif
