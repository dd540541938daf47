#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/report/report.h"
#include "src/report/text.h"

#define CELL 128

/* ---- table: cells first, then padded to the widest of their column */

struct table {
	char (*cell)[CELL];
	size_t n_columns, n_rows; /* row 0: heads; row 1: units */
};

static char *cell_at(const struct table *t, size_t row, size_t column)
{
	return t->cell[row * t->n_columns + column];
}

static char prov_letter(enum provenance p)
{
	return p == PROV_NONE ? ' ' : provenance_names[p][0];
}

static void value_cell(char *out, const struct metric *m, const struct value *v)
{
	char x[16], lo[16], hi[16];

	number_metric(x, sizeof(x), m, v->value);
	if (isnan(v->value)) {
		snprintf(out, CELL, "-");
		return;
	}
	number_metric(lo, sizeof(lo), m, v->ci.lo);
	number_metric(hi, sizeof(hi), m, v->ci.hi);
	if (isnan(v->ci.lo) || v->ci.lo == v->ci.hi)
		snprintf(out, CELL, "%s %c", x, prov_letter(v->prov));
	else
		snprintf(out, CELL, "%s [%s, %s] %c%s", x, lo, hi, prov_letter(v->prov),
			v->unresolved ? "?" : "");
}

static int has_tests(const struct front *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->points[i].n_seeds)
			return 1;
	return 0;
}

static void head_cells(const struct front *f, const struct table *t, int tests)
{
	size_t at = 0;

	snprintf(cell_at(t, 0, at++), CELL, "candidate");
	for (size_t k = 0; k < f->n_objectives; k++, at++) {
		const struct objective *o = &f->objectives[k];

		objective_format(o, cell_at(t, 0, at), CELL);
		snprintf(cell_at(t, 1, at), CELL, "%s%s%s", o->metric->unit,
			o->metric->unit[0] ? ", " : "",
			o->metric->maximise ? "more is better" : "less is better");
	}
	for (size_t k = 0; tests && k < f->n_objectives; k++)
		if (f->objectives[k].metric->quality)
			snprintf(cell_at(t, 0, at++), CELL, "test %s",
				f->objectives[k].metric->name);
	snprintf(cell_at(t, 0, at++), CELL, "tie");
	snprintf(cell_at(t, 0, at), CELL, "network");
}

static void point_cells(const struct front *f, const struct front_point *p,
	const struct table *t, size_t row)
{
	char hex[HASH_HEX + 1];
	struct genome g;
	size_t at = 0;

	snprintf(cell_at(t, row, at++), CELL, "%s%s",
		hash_short(&p->candidate, HASH_SHORT, hex), p->on_front ? "" : " .");
	for (size_t k = 0; k < f->n_objectives; k++)
		value_cell(cell_at(t, row, at++), f->objectives[k].metric, &p->v[k]);
	for (size_t k = 0; has_tests(f) && k < f->n_objectives; k++)
		if (f->objectives[k].metric->quality)
			value_cell(cell_at(t, row, at++), f->objectives[k].metric,
				&p->test[k]);
	snprintf(cell_at(t, row, at++), CELL, "%s%s", p->tied ? "~" : "",
		p->tied ? hash_short(&p->tied_with, 6, hex) : "");
	if (!genome_parse(&g, p->text, NULL))
		genome_gist(&g, cell_at(t, row, at), CELL);
}

static void print_cells(
	const struct front *f, const struct table *t, int colour, struct buf *out)
{
	for (size_t r = 0; r < t->n_rows; r++) {
		const struct front_point *p = r < 2 ? NULL : &f->points[r - 2];
		const char *paint = !p ? "\033[1m" : p->finalist ? "\033[32m" : "";

		if (colour)
			buf_puts(out, p && !p->on_front ? "\033[2m" : paint);
		for (size_t c = 0; c < t->n_columns; c++) {
			size_t width = 0;

			for (size_t i = 0; i < t->n_rows; i++) {
				size_t len = strlen(cell_at(t, i, c));

				width = len > width ? len : width;
			}
			if (c + 1 == t->n_columns)
				width = 0;
			buf_printf(out, "%s%-*s", c ? "  " : "", (int)width,
				cell_at(t, r, c));
		}
		while (out->len && out->data[out->len - 1] == ' ')
			out->data[--out->len] = 0;
		buf_puts(out, colour ? "\033[0m\n" : "\n");
	}
}

static void print_legend(const struct front *f, struct buf *out)
{
	int used[N_PROVENANCES] = {0}, tied = 0, beaten = 0, unresolved = 0;
	const char *sep = "";

	for (size_t i = 0; i < f->n; i++) {
		const struct front_point *p = &f->points[i];

		for (size_t k = 0; k < f->n_objectives; k++) {
			used[p->v[k].prov] = 1;
			used[p->test[k].prov] = 1;
			unresolved |= p->v[k].unresolved;
		}
		tied |= p->tied;
		beaten |= !p->on_front;
	}
	for (int v = PROV_NONE + 1; v < N_PROVENANCES; v++) {
		if (!used[v])
			continue;
		buf_printf(out, "%s%c %s", sep, prov_letter((enum provenance)v),
			provenance_names[v]);
		sep = ", ";
	}
	buf_puts(out, "; [95 % interval]\n");
	if (unresolved)
		buf_puts(
			out, "?: unresolved, the interval is wider than was asked for\n");
	if (tied)
		buf_puts(out, "~x: costs no less than x, and is no better as far as the "
			      "intervals can tell\n");
	if (beaten)
		buf_puts(out, ".: not on the front\n");
	if (f->baseline[0])
		buf_printf(out, "baseline %s\n", f->baseline);
	if (f->macs_tau[0])
		buf_printf(out, "ranking by multiply-adds alone, Kendall tau: %s\n",
			f->macs_tau);
}

enum err front_table(
	const struct front *f, int colour, struct buf *out, struct err_ctx *ctx)
{
	int tests = has_tests(f);
	struct table t = {.n_columns = 3 + f->n_objectives, .n_rows = 2 + f->n};

	for (size_t k = 0; tests && k < f->n_objectives; k++)
		t.n_columns += f->objectives[k].metric->quality != 0;
	if (!f->n) {
		buf_puts(out, "job ");
		text_plain(out, f->job);
		buf_puts(out, ": no candidate to show\n");
		return buf_err(out, ctx);
	}
	t.cell = calloc(t.n_rows * t.n_columns, sizeof(*t.cell));
	if (!t.cell)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	head_cells(f, &t, tests);
	for (size_t i = 0; i < f->n; i++)
		point_cells(f, &f->points[i], &t, i + 2);
	print_cells(f, &t, colour, out);
	print_legend(f, out);
	free(t.cell);
	return buf_err(out, ctx);
}

/* ---- CSV */

static void csv_value(const struct value *v, struct buf *out)
{
	buf_putc(out, ',');
	number_csv(out, v->value);
	buf_putc(out, ',');
	number_csv(out, v->ci.lo);
	buf_putc(out, ',');
	number_csv(out, v->ci.hi);
	buf_printf(out, ",%s", isnan(v->value) ? "" : provenance_names[v->prov]);
	buf_printf(out, ",%s", isnan(v->value) ? "" : v->unresolved ? "0" : "1");
}

static void csv_head(const struct front *f, struct buf *out)
{
	char name[2 * METRIC_NAME_MAX];

	buf_puts(out, "candidate,on_front,finalist");
	for (int test = 0; test < 2; test++) {
		for (size_t k = 0; k < f->n_objectives; k++) {
			const char *prefix = test ? "test_" : "";

			if (test && !f->objectives[k].metric->quality)
				continue;
			objective_format(&f->objectives[k], name, sizeof(name));
			buf_printf(out, ",%s%s,%s%s_lo,%s%s_hi,%s%s_from,%s%s_resolved",
				prefix, name, prefix, name, prefix, name, prefix, name,
				prefix, name);
		}
	}
	buf_puts(out, ",test_seeds,tied_with,build,device,text\n");
}

enum err front_csv(const struct front *f, struct buf *out, struct err_ctx *ctx)
{
	csv_head(f, out);
	for (size_t i = 0; i < f->n; i++) {
		const struct front_point *p = &f->points[i];

		hash_csv(out, &p->candidate);
		buf_printf(out, ",%d,%d", p->on_front != 0, p->finalist != 0);
		for (size_t k = 0; k < f->n_objectives; k++)
			csv_value(&p->v[k], out);
		for (size_t k = 0; k < f->n_objectives; k++)
			if (f->objectives[k].metric->quality)
				csv_value(&p->test[k], out);
		buf_printf(out, ",%d,", p->n_seeds);
		hash_csv(out, &p->tied_with);
		buf_putc(out, ',');
		hash_csv(out, &p->build);
		buf_putc(out, ',');
		hash_csv(out, &p->device);
		buf_putc(out, ',');
		text_csv(out, p->text);
		buf_putc(out, '\n');
	}
	return buf_err(out, ctx);
}

/* ---- JSON */

/* One word when all points agree, "mixed" otherwise. */
static const char *common_provenance(const struct front *f, size_t k)
{
	enum provenance first = PROV_NONE;

	for (size_t i = 0; i < f->n; i++) {
		enum provenance p = f->points[i].v[k].prov;

		if (p == PROV_NONE)
			continue;
		if (first != PROV_NONE && p != first)
			return "mixed";
		first = p;
	}
	return provenance_names[first];
}

static void json_value(const struct value *v, struct buf *out)
{
	if (isnan(v->value)) {
		buf_puts(out, "null");
		return;
	}
	buf_puts(out, "{\"value\": ");
	number_json(out, v->value);
	buf_puts(out, ", \"lo\": ");
	number_json(out, v->ci.lo);
	buf_puts(out, ", \"hi\": ");
	number_json(out, v->ci.hi);
	buf_printf(out, ", \"provenance\": \"%s\", \"resolved\": %s}",
		provenance_names[v->prov], v->unresolved ? "false" : "true");
}

static void json_values(const struct front *f, const char *name, const struct value *v,
	int quality_only, struct buf *out)
{
	char objective[2 * METRIC_NAME_MAX];
	const char *sep = "";

	buf_printf(out, "\"%s\": {", name);
	for (size_t k = 0; k < f->n_objectives; k++) {
		if (quality_only && !f->objectives[k].metric->quality)
			continue;
		objective_format(&f->objectives[k], objective, sizeof(objective));
		buf_puts(out, sep);
		text_json(out, objective);
		buf_puts(out, ": ");
		json_value(&v[k], out);
		sep = ", ";
	}
	buf_putc(out, '}');
}

static void json_objectives(const struct front *f, struct buf *out)
{
	char name[2 * METRIC_NAME_MAX];

	buf_puts(out, "  \"objectives\": [");
	for (size_t k = 0; k < f->n_objectives; k++) {
		const struct metric *m = f->objectives[k].metric;

		objective_format(&f->objectives[k], name, sizeof(name));
		buf_puts(out, k ? ",\n    {\"name\": " : "\n    {\"name\": ");
		text_json(out, name);
		buf_puts(out, ", \"unit\": ");
		text_json(out, m->unit);
		buf_printf(out, ", \"direction\": \"%s\", \"provenance\": \"%s\"}",
			m->maximise ? "maximise" : "minimise", common_provenance(f, k));
	}
	buf_puts(out, "\n  ],\n");
}

static void json_point(
	const struct front *f, const struct front_point *p, struct buf *out)
{
	buf_puts(out, "    {\"candidate\": ");
	hash_json(out, &p->candidate);
	buf_puts(out, ", \"text\": ");
	text_json(out, p->text);
	buf_printf(out, ", \"on_front\": %s, \"finalist\": %s,\n     ",
		p->on_front ? "true" : "false", p->finalist ? "true" : "false");
	json_values(f, "values", p->v, 0, out);
	buf_puts(out, ",\n     ");
	json_values(f, "test", p->test, 1, out);
	buf_printf(out, ", \"test_seeds\": %d,\n     \"tied_with\": ", p->n_seeds);
	hash_json(out, &p->tied_with);
	buf_puts(out, ", \"build\": ");
	hash_json(out, &p->build);
	buf_puts(out, ", \"device\": ");
	hash_json(out, &p->device);
	buf_putc(out, '}');
}

enum err front_json(const struct front *f, struct buf *out, struct err_ctx *ctx)
{
	buf_puts(out, "{\n  \"job\": ");
	text_json(out, f->job);
	buf_puts(out, ",\n");
	json_objectives(f, out);
	buf_puts(out, "  \"points\": [");
	for (size_t i = 0; i < f->n; i++) {
		buf_puts(out, i ? ",\n" : "\n");
		json_point(f, &f->points[i], out);
	}
	buf_puts(out, f->n ? "\n  ]\n}\n" : "]\n}\n");
	return buf_err(out, ctx);
}
