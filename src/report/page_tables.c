/* The page's tables. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/report/material.h"
#include "src/report/text.h"

#define FAILURES_SHOWN 20

static void value_cell(
	const struct metric *metric, const struct value *v, struct buf *out)
{
	char x[32], lo[32], hi[32];

	number_metric(x, sizeof(x), metric, v->value);
	buf_printf(out, "<td>%s", x);
	if (!isnan(v->value)) {
		number_metric(lo, sizeof(lo), metric, v->ci.lo);
		number_metric(hi, sizeof(hi), metric, v->ci.hi);
		if (!isnan(v->ci.lo) && v->ci.lo != v->ci.hi)
			buf_printf(out, "<span class=\"ci\">[%s, %s]</span>", lo, hi);
		buf_printf(out, "<span class=\"from\">%s%s</span>",
			provenance_names[v->prov], v->unresolved ? ", unresolved" : "");
	}
	buf_puts(out, "</td>");
}

static void objective_head(const char *prefix, const struct objective *o, struct buf *out)
{
	char name[2 * METRIC_NAME_MAX];

	objective_format(o, name, sizeof(name));
	buf_printf(out, "<th>%s", prefix);
	text_html(out, name);
	buf_printf(out, "<span class=\"unit\">%s%s%s</span></th>", o->metric->unit,
		o->metric->unit[0] ? ", " : "", o->metric->maximise ? "more" : "less");
}

static void candidate_cell(const struct front_point *p, struct buf *out)
{
	char hex[HASH_HEX + 1];

	buf_printf(
		out, "<tr%s><td><code title=\"", p->finalist ? " class=\"final\"" : "");
	text_html(out, p->text);
	buf_printf(out, "\">%s</code></td>", hash_short(&p->candidate, HASH_SHORT, hex));
}

/* A column for what boards told of their RAM: only where one did. */
static int has_ram(const struct front *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->points[i].stack_bytes)
			return 1;
	return 0;
}

static void ram_head(const struct front *f, struct buf *out)
{
	if (has_ram(f))
		buf_puts(out,
			"<th>RAM of the board<span class=\"unit\">bytes, the stack in it"
			"</span></th>");
}

static void ram_cell(const struct front *f, const struct front_point *p, struct buf *out)
{
	if (!has_ram(f))
		return;
	if (!p->stack_bytes) {
		buf_puts(out, "<td>-</td>");
		return;
	}
	buf_printf(out,
		"<td>%llu<span class=\"ci\">stack %u</span><span class=\"from\">measured%s "
		"on ",
		(unsigned long long)p->ram_bytes, p->stack_bytes,
		p->emulated ? ", emulated," : "");
	text_html(out, p->board);
	buf_puts(out, "</span></td>");
}

static void gist_cell(const struct front_point *p, struct buf *out)
{
	char text[128] = "";
	struct genome g;

	if (!genome_parse(&g, p->text, NULL))
		genome_gist(&g, text, sizeof(text));
	buf_puts(out, "<td class=\"l\">");
	text_html(out, text);
	buf_puts(out, "</td></tr>\n");
}

void page_front(const struct material *m, struct buf *out)
{
	const struct front *f = &m->all;
	char hex[HASH_HEX + 1];

	if (!m->n_front) {
		buf_puts(out, "<p>No candidate has a value for every objective.</p>\n");
		return;
	}
	buf_puts(out, "<div class=\"wide\"><table>\n<thead><tr><th>candidate</th>");
	for (size_t k = 0; k < f->n_objectives; k++)
		objective_head("", &f->objectives[k], out);
	ram_head(f, out);
	buf_puts(out,
		"<th class=\"l\">tie</th><th class=\"l\">network</th></tr></thead>\n"
		"<tbody>\n");
	for (size_t i = 0; i < f->n; i++) {
		const struct front_point *p = &f->points[i];

		if (!p->on_front)
			continue;
		candidate_cell(p, out);
		for (size_t k = 0; k < f->n_objectives; k++)
			value_cell(f->objectives[k].metric, &p->v[k], out);
		ram_cell(f, p, out);
		buf_printf(out, "<td class=\"l\">%s%s</td>", p->tied ? "~" : "",
			p->tied ? hash_short(&p->tied_with, 6, hex) : "");
		gist_cell(p, out);
	}
	buf_puts(out, "</tbody></table></div>\n");
}

/* ---- finalists beside the baseline */

/* "baseline_test_slot_f1" and the like; "-" when it was not made. */
static void baseline_cell(const struct material *m, const char *split,
	const struct metric *metric, struct buf *out)
{
	char key[96], text[32];
	const char *stored;
	double v;

	snprintf(key, sizeof(key), "baseline_%s_%s", split, metric->name);
	stored = facts_meta(&m->f, key);
	v = stored ? strtod(stored, NULL) : NAN;
	number_metric(text, sizeof(text), metric, v);
	buf_printf(out, "<td>%s</td>", text);
}

static void baseline_row(const struct material *m, struct buf *out)
{
	const struct front *f = &m->all;
	const char *name = facts_meta(&m->f, "baseline");

	buf_puts(out, "<tr class=\"base\"><td>baseline</td>");
	for (size_t k = 0; k < f->n_objectives; k++) {
		if (!f->objectives[k].metric->quality) {
			buf_puts(out, "<td>-</td>");
			continue;
		}
		baseline_cell(m, "valid", f->objectives[k].metric, out);
		baseline_cell(m, "test", f->objectives[k].metric, out);
	}
	if (has_ram(f))
		buf_puts(out, "<td>-</td>");
	buf_puts(out, "<td></td><td class=\"l\">");
	text_html(out, name ? name : "-");
	buf_puts(out, "</td></tr>\n");
}

void page_finalists(const struct material *m, struct buf *out)
{
	const struct front *f = &m->all;

	if (!m->n_finalists)
		return;
	buf_puts(out,
		"<h2>Finalists</h2>\n<p>Trained alone, and tested on the split that the "
		"search never saw.</p>\n<div class=\"wide\"><table>\n<thead><tr>"
		"<th>candidate</th>");
	for (size_t k = 0; k < f->n_objectives; k++) {
		objective_head("", &f->objectives[k], out);
		if (f->objectives[k].metric->quality)
			objective_head("test ", &f->objectives[k], out);
	}
	ram_head(f, out);
	buf_puts(out,
		"<th>seeds</th><th class=\"l\">network</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < f->n; i++) {
		const struct front_point *p = &f->points[i];

		if (!p->finalist || !p->n_seeds)
			continue;
		candidate_cell(p, out);
		for (size_t k = 0; k < f->n_objectives; k++) {
			value_cell(f->objectives[k].metric, &p->v[k], out);
			if (f->objectives[k].metric->quality)
				value_cell(f->objectives[k].metric, &p->test[k], out);
		}
		ram_cell(f, p, out);
		buf_printf(out, "<td>%d</td>", p->n_seeds);
		gist_cell(p, out);
	}
	baseline_row(m, out);
	buf_puts(out, "</tbody></table></div>\n");
}

/* ---- cost models */

static void share_cell(double v, int percent, struct buf *out)
{
	if (!isfinite(v))
		buf_puts(out, "<td>-</td>");
	else if (percent)
		buf_printf(out, "<td>%.1f %%</td>", 100 * v);
	else
		buf_printf(out, "<td>%.3f</td>", v);
}

static void agreement_row(const char *name, const struct agreement *a, struct buf *out)
{
	if (!a->n)
		return;
	buf_printf(out, "<tr><td>%s</td>", name);
	share_cell(a->mape, 1, out);
	share_cell(a->tau, 0, out);
	buf_printf(out, "<td>%zu</td></tr>\n", a->n);
}

void page_models(const struct material *m, struct buf *out)
{
	const struct store_generation *g =
		m->n_generations ? &m->generations[m->n_generations - 1] : NULL;
	struct agreement predicted = material_predicted(m), macs = material_macs(m);
	size_t n_macs_front, hits = material_macs_front(m, &n_macs_front);

	if (!predicted.n && !macs.n)
		return;
	buf_puts(out,
		"<h2>Cost model</h2>\n<div class=\"wide\"><table>\n<thead><tr>"
		"<th>predictor</th><th>mean error</th><th>Kendall tau</th><th>candidates"
		"</th></tr></thead>\n<tbody>\n");
	if (g && g->model[0]) {
		buf_puts(out, "<tr><td>");
		text_html(out, g->model);
		buf_puts(out, ", cross-validated at the end</td>");
		share_cell(g->model_mape, 1, out);
		share_cell(g->model_tau, 0, out);
		buf_puts(out, "<td></td></tr>\n");
	}
	agreement_row("predictions made before measuring", &predicted, out);
	agreement_row("multiply-adds alone", &macs, out);
	buf_puts(out, "</tbody></table></div>\n");
	if (n_macs_front)
		buf_printf(out,
			"<p>A front picked by multiply-adds instead of the measured cost "
			"has %zu members; %zu of them are among the %zu of the measured "
			"front.</p>\n",
			n_macs_front, hits, m->n_front);
}

/* ---- failures, devices, notes */

void page_failures(const struct material *m, struct buf *out)
{
	size_t n[N_VERDICTS] = {0}, shown = 0;

	if (!m->n_failures)
		return;
	buf_puts(out,
		"<h2>Failures</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>verdict"
		"</th><th>times</th><th class=\"l\">whose</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < m->n_failures; i++)
		n[m->failures[i].verdict]++;
	for (int v = 1; v < N_VERDICTS; v++)
		if (n[v])
			buf_printf(out,
				"<tr><td>%s</td><td>%zu</td><td "
				"class=\"l\">%s</td></tr>\n",
				verdict_names[v], n[v],
				verdict_blames_candidate((enum verdict)v)
					? "candidate"
					: "device or link");
	buf_puts(out,
		"</tbody></table></div>\n<details><summary>the first of them</summary>\n"
		"<div class=\"wide\"><table><tbody>\n");
	for (; shown < m->n_failures && shown < FAILURES_SHOWN; shown++) {
		const struct store_failure *x = &m->failures[shown];
		char hex[HASH_HEX + 1];

		buf_printf(out,
			"<tr><td><code>%s</code></td><td class=\"l\">%s</td>"
			"<td class=\"l\">",
			hash_short(&x->candidate, HASH_SHORT, hex),
			verdict_names[x->verdict]);
		text_html(out, x->detail);
		buf_puts(out, "</td></tr>\n");
	}
	buf_puts(out, "</tbody></table></div></details>\n");
}

/* Devices that the job's measurements name. */
void page_devices(const struct material *m, struct buf *out)
{
	int any = 0;

	for (size_t d = 0; d < m->n_devices; d++) {
		const struct store_device *x = &m->devices[d];
		size_t used = 0, throttled = 0;

		for (size_t i = 0; i < m->f.n_measurements; i++) {
			const struct store_measurement *y = &m->f.measurements[i];

			if (!hash_equal(&y->m.device, &x->fingerprint) ||
				strcmp(y->device_name, x->name))
				continue;
			used++;
			throttled += y->m.n_throttled > 0;
		}
		if (!used)
			continue;
		if (!any++)
			buf_puts(out, "<h2>Devices</h2>\n");
		buf_puts(out, "<p><b>");
		text_html(out, x->name);
		buf_printf(out, "</b>%s</p>\n", x->simulated ? " (simulated)" : "");
		if (throttled)
			buf_printf(out,
				"<p>Throttled (a CPU quota, heat or a weak supply) in %zu "
				"of %zu measurements.</p>\n",
				throttled, used);
		buf_puts(out, "<pre>");
		text_html(out, x->description);
		buf_puts(out, "</pre>\n");
	}
}

void page_notes(const struct material *m, struct buf *out)
{
	if (!m->f.n_meta)
		return;
	buf_puts(out, "<h2>Notes of the run</h2>\n<dl>\n");
	for (size_t i = 0; i < m->f.n_meta; i++) {
		buf_puts(out, "<dt>");
		text_html(out, m->f.meta[i].key);
		buf_puts(out, "</dt><dd>");
		text_html(out, m->f.meta[i].value);
		buf_puts(out, "</dd>\n");
	}
	buf_puts(out, "</dl>\n");
}
