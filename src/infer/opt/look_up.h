/* Look-ups and ways back for sets whose matrices lie in panels (src/codegen/
 * kernel_sets.h): they read what a product's kernel streams, or row by row. A set's own
 * panels.h says how wide its panels are and includes this.
 */
#ifndef HAWSER_INFER_OPT_LOOK_UP_H
#define HAWSER_INFER_OPT_LOOK_UP_H

#include <stdint.h>

#include "src/infer/fmath.h"
#include "src/infer/kernels.h"

/* Input columns that lie together, and what is added to a nibble: 8, or 0 for two's
 * complement. */
#ifndef PANEL_STEP_I8
#define PANEL_STEP_I8 4
#endif
#ifndef PANEL_STEP_I4
#define PANEL_STEP_I4 8
#endif
#ifndef PANEL_NIBBLE_ZERO
#define PANEL_NIBBLE_ZERO 8
#endif

/* Row o of a matrix: its first element, and how far the next step of columns is. */
struct panel_row {
	uintptr_t at, step;
};

static inline uint32_t panel_width(uint32_t out, uint32_t first)
{
	uint32_t left = (out - first + PANEL_ROUND - 1) / PANEL_ROUND * PANEL_ROUND;

	return left < PANEL_WIDTH ? left : PANEL_WIDTH;
}

/* In floats (k = 1), or bytes of int8 or of int4 (k bytes lie together, of int4 with two
 * columns each). `steps`: in / columns a step, rounded up. */
static inline struct panel_row panel_row(
	const struct linear *l, uint32_t o, uint32_t steps, uint32_t k)
{
	uint32_t first = o / PANEL_WIDTH * PANEL_WIDTH,
		 width = panel_width(l->out, first);
	struct panel_row r = {
		((uintptr_t)first * steps + (o - first)) * k, (uintptr_t)width * k};

	return r;
}

static inline struct panel_row panel_row_i8(const struct linear *l, uint32_t o)
{
	return panel_row(
		l, o, (l->in + PANEL_STEP_I8 - 1) / PANEL_STEP_I8, PANEL_STEP_I8);
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
	uint32_t first = o / PANEL_WIDTH * PANEL_WIDTH;
	const uint8_t *w = l->w;
	struct panel_row r;

	if (!l->panels)
		return (struct nibble_row){w + (uintptr_t)o * ((l->in + 1) / 2),
			l->scales + (uintptr_t)o * groups, 0, 1};
	r = panel_row(
		l, o, (l->in + PANEL_STEP_I4 - 1) / PANEL_STEP_I4, PANEL_STEP_I4 / 2);
	return (struct nibble_row){w + r.at,
		l->scales + (uintptr_t)first * groups + (o - first), r.step,
		panel_width(l->out, first)};
}

static inline float nibble_at(const struct nibble_row *r, uint32_t i)
{
	float scale = fmath_bf16(r->scales[i / KERNEL_GROUP * r->group_step]);
	const uint32_t half = PANEL_STEP_I4 / 2;
	int v = r->step ? r->w[i / PANEL_STEP_I4 * r->step + i % half] >>
				  (i / half % 2 * 4)
			: r->w[i / 2] >> (i % 2 * 4);

	if (r->step && !PANEL_NIBBLE_ZERO)
		v ^= 8;
	return (float)((v & 15) - 8) * scale;
}

/* An int8 weight from its stored byte. */
static inline int panel_byte(uint8_t v)
{
	return PANEL_ZERO ? v - PANEL_ZERO : (int8_t)v;
}

static inline void look_up_f32(
	const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	const float *w = table->w;

	for (uint32_t t = 0; t < n; t++, y += table->in) {
		struct panel_row r = {(uintptr_t)ids[t] * table->in, 1};

		if (table->panels)
			r = panel_row(table, (uint32_t)ids[t], table->in, 1);
		for (uint32_t i = 0; i < table->in; i++)
			y[i] = w[r.at + i * r.step];
	}
}

static inline void from_rows(const int8_t *w, uint32_t n, float scale, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] = (float)w[i] * scale;
}

static inline void from_panels(
	const uint8_t *w, struct panel_row r, uint32_t n, float scale, float *y)
{
	uint32_t i = 0;

	for (w += r.at; i + PANEL_STEP_I8 <= n; i += PANEL_STEP_I8, w += r.step)
		for (uint32_t j = 0; j < PANEL_STEP_I8; j++)
			y[i + j] = (float)panel_byte(w[j]) * scale;
	for (uint32_t j = 0; i + j < n; j++)
		y[i + j] = (float)panel_byte(w[j]) * scale;
}

static inline void look_up_i8(
	const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	uint32_t in = table->in;

	for (uint32_t t = 0; t < n; t++, y += in) {
		uint32_t id = (uint32_t)ids[t];
		float scale = fmath_bf16(table->scales[id]);

		if (table->panels)
			from_panels(table->w, panel_row_i8(table, id), in, scale, y);
		else
			from_rows((const int8_t *)table->w + (uintptr_t)id * in, in,
				scale, y);
	}
}

/* A row that is stored by itself, a group at a time. */
static inline void from_nibbles(const struct nibble_row *r, uint32_t n, float *y)
{
	for (uint32_t at = 0; at < n; at += KERNEL_GROUP) {
		float scale = fmath_bf16(r->scales[at / KERNEL_GROUP]);
		uint32_t end = n - at < KERNEL_GROUP ? n - at : KERNEL_GROUP;
		const uint8_t *w = r->w + at / 2;

		for (uint32_t i = 0; i < end / 2; i++) {
			y[at + 2 * i] = (float)((w[i] & 15) - 8) * scale;
			y[at + 2 * i + 1] = (float)((w[i] >> 4) - 8) * scale;
		}
		if (end % 2)
			y[at + end - 1] = (float)((w[end / 2] & 15) - 8) * scale;
	}
}

static inline void look_up_i4(
	const struct linear *table, uint32_t n, const int32_t *ids, float *y)
{
	uint32_t in = table->in;

	for (uint32_t t = 0; t < n; t++, y += in) {
		struct nibble_row r = nibble_row(table, (uint32_t)ids[t]);

		if (!r.step)
			from_nibbles(&r, in, y);
		for (uint32_t i = 0; r.step && i < in; i++)
			y[i] = nibble_at(&r, i);
	}
}

static inline void way_back_f32(const struct linear *l, const float *x, float *y)
{
	const float *w = l->w;

	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		struct panel_row r = {(uintptr_t)o * l->in, 1};

		if (l->panels)
			r = panel_row(l, o, l->in, 1);
		for (uint32_t i = 0; i < l->in; i++)
			y[i] += x[o] * w[r.at + i * r.step];
	}
}

static inline void add_panel_row(
	const uint8_t *w, struct panel_row r, uint32_t n, float s, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] += s *
			(float)panel_byte(
				w[r.at + i / PANEL_STEP_I8 * r.step + i % PANEL_STEP_I8]);
}

static inline void add_row(const int8_t *w, uint32_t n, float s, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] += s * (float)w[i];
}

static inline void way_back_i8(const struct linear *l, const float *x, float *y)
{
	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		float s = x[o] * fmath_bf16(l->scales[o]);

		if (l->panels)
			add_panel_row(l->w, panel_row_i8(l, o), l->in, s, y);
		else
			add_row((const int8_t *)l->w + (uintptr_t)o * l->in, l->in, s, y);
	}
}

static inline void way_back_i4(const struct linear *l, const float *x, float *y)
{
	for (uint32_t i = 0; i < l->in; i++)
		y[i] = 0;
	for (uint32_t o = 0; o < l->out; o++) {
		struct nibble_row r = nibble_row(l, o);

		for (uint32_t i = 0; i < l->in; i++)
			y[i] += x[o] * nibble_at(&r, i);
	}
}

#endif
