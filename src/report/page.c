/* The page's frame: style, drawings, sections. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/report/material.h"
#include "src/report/text.h"

static const char style[] =
	":root{color-scheme:light dark;--ink:#1c1f23;--soft:#616973;--line:#d9dde2;"
	"--paper:#ffffff;--tint:#f4f6f8;--blue:#2563b8;--orange:#b8561b}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--soft:#99a2ac;"
	"--line:#353b42;--paper:#15181b;--tint:#1e2226;--blue:#7db0f5;--orange:#eda06b}}"
	"\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:1.5rem 1rem "
	"4rem;max-width:60rem;background:var(--paper);"
	"color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.6rem;margin:0 0 .2rem}\n"
	"h2{font-size:1.15rem;margin:2.6rem 0 .4rem;padding-top:.6rem;"
	"border-top:1px solid var(--line)}\n"
	"p{margin:.3rem 0;max-width:44rem}\n"
	".soft,figcaption,.ci,th .unit{color:var(--soft)}\n"
	"figure{margin:.8rem 0}figcaption{font-size:.85rem}\n"
	"svg{display:block;width:100%;height:auto;max-width:48rem}\n"
	".wide{overflow-x:auto}\n"
	"table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-"
	"nums}\n"
	"th,td{padding:.28rem .9rem .28rem 0;text-align:right;white-space:nowrap;"
	"border-bottom:1px solid var(--line)}\n"
	"th{font-weight:600;vertical-align:bottom}th "
	".unit{display:block;font-weight:400}\n"
	"th:first-child,td:first-child,.l{text-align:left}\n"
	".ci{font-size:.8rem;margin-left:.35rem}\n"
	".from{font-size:.72rem;color:var(--soft);margin-left:.35rem}\n"
	"tr.final td:first-child code{color:var(--orange);font-weight:600}\n"
	"tr.base td{color:var(--soft)}\n"
	"code,pre{font:.85em/1.45 ui-monospace,monospace}\n"
	"pre{background:var(--tint);padding:.7rem "
	".9rem;overflow-x:auto;border-radius:4px}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem "
	"1.2rem;margin:.8rem 0}"
	"\ndt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
	"@media(max-width:30rem){body{font-size:15px}dl{grid-template-columns:1fr;gap:0}"
	"dd{margin-bottom:.4rem}}\n";

/* ---- drawings */

static const struct {
	const char *from, *to;
} inline_changes[] = {
	/* ink takes the page's colour */
	{" color=\"black\"", ""},
	{"\"black\"", "\"currentColor\""},
	{"'black'", "'currentColor'"},
	{"rgb(  0,   0,   0)", "currentColor"},
	{"<title>Gnuplot</title>", ""},
};

/* Skips an element that must not stand in the page; its length, or 0. */
static size_t unwanted(const char *at)
{
	static const char background[] = "<rect x=\"0\" y=\"0\"", desc[] = "<desc>";
	const char *end = NULL;

	if (!strncmp(at, background, sizeof(background) - 1) && (end = strstr(at, "/>")))
		return (size_t)(end + 2 - at);
	if (!strncmp(at, desc, sizeof(desc) - 1) && (end = strstr(at, "</desc>")))
		return (size_t)(end + 7 - at);
	return 0;
}

/* A drawing as gnuplot writes it, made fit to stand inside a page, light or dark. */
static void svg_inline(const char *svg, struct buf *out)
{
	const char *at = strstr(svg, "<svg");

	while (at && *at) {
		size_t i = 0, n = sizeof(inline_changes) / sizeof(inline_changes[0]);
		size_t skip = unwanted(at);

		while (!skip && i < n &&
			strncmp(at, inline_changes[i].from,
				strlen(inline_changes[i].from)))
			i++;
		if (skip) {
			at += skip;
		} else if (i < n) {
			buf_puts(out, inline_changes[i].to);
			at += strlen(inline_changes[i].from);
		} else {
			buf_putc(out, *at++);
		}
	}
}

static void figure(const struct buf *svg, size_t i, struct buf *out)
{
	if (!svg[i].len)
		return;
	buf_printf(
		out, "<figure role=\"img\" aria-label=\"%s\">\n", report_plots[i].title);
	svg_inline(buf_str(&svg[i]), out);
	buf_printf(
		out, "<figcaption>%s</figcaption></figure>\n", report_plots[i].caption);
}

static void figure_named(const struct buf *svg, const char *name, struct buf *out)
{
	for (size_t i = 0; i < n_report_plots; i++)
		if (!strcmp(report_plots[i].name, name))
			figure(svg, i, out);
}

/* ---- sections */

static void head(const struct material *m, struct buf *out)
{
	buf_puts(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" "
		"content=\"width=device-width,initial-scale=1\">\n"
		"<title>");
	text_html(out, m->f.job.name);
	buf_printf(out, " - hawser</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>",
		style);
	text_html(out, m->f.job.name);
	buf_puts(out, "</h1>\n");
}

static void item(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "<dt>%s</dt><dd>", name);
	text_html(out, value);
	buf_puts(out, "</dd>\n");
}

static void objective_list(const struct front *f, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t k = 0; k < f->n_objectives && at < cap; k++) {
		char name[2 * METRIC_NAME_MAX];

		objective_format(&f->objectives[k], name, sizeof(name));
		at += (size_t)snprintf(out + at, cap - at, "%s%s (%s)", k ? ", " : "",
			name,
			f->objectives[k].metric->maximise ? "more is better"
							  : "less is better");
	}
}

static void summary(const struct material *m, struct buf *out)
{
	const struct store_generation *g =
		m->n_generations ? &m->generations[m->n_generations - 1] : NULL;
	char text[512], when[32];

	buf_puts(out, "<dl>\n");
	objective_list(&m->all, text, sizeof(text));
	item(out, "objectives", text);
	item(out, "state", m->f.job.state);
	time_text(m->f.job.started_s, when);
	snprintf(text, sizeof(text), "%s UTC, last fact after %.1f minutes", when,
		(double)(m->f.job.updated_s - m->f.job.started_s) / 60);
	item(out, "started", text);
	snprintf(text, sizeof(text),
		"%zu, of which %zu on the front and %zu trained alone and tested; %zu "
		"measurements, %zu failures",
		m->f.n_candidates, m->n_front, m->n_finalists, m->f.n_measurements,
		m->n_failures);
	item(out, "candidates", text);
	if (g && isfinite(g->hv_claimed)) {
		snprintf(text, sizeof(text), "%.4f claimed", g->hv_claimed);
		if (isfinite(g->hv_remeasured))
			snprintf(text, sizeof(text), "%.4f claimed, %.4f re-measured",
				g->hv_claimed, g->hv_remeasured);
		item(out, "hypervolume", text);
	}
	if (facts_meta(&m->f, "data_note"))
		item(out, "data", facts_meta(&m->f, "data_note"));
	buf_puts(out, "</dl>\n");
}

static void legend(struct buf *out)
{
	buf_puts(out,
		"<h2>How to read the numbers</h2>\n"
		"<p>Each value says where it comes from: <b>measured</b> on the device "
		"or from the real link, <b>simulated</b> by the sim device, "
		"<b>inherited</b> from the supernet's weights, <b>trained</b> for this "
		"candidate alone (mean over seeds), <b>analytic</b> from the shapes, "
		"<b>predicted</b> by a fitted model. Brackets hold 95 % intervals. A "
		"member marked ~x costs more than x, and its quality cannot be told from "
		"that of x. Latency is thread CPU time of one inference: the minimum "
		"within a process, the median over processes.</p>\n");
}

static void spec(const struct material *m, struct buf *out)
{
	if (!m->f.job.spec_text[0])
		return;
	buf_puts(out, "<h2>Job</h2>\n<pre>");
	text_html(out, m->f.job.spec_text);
	buf_puts(out, "</pre>\n");
}

static int drawn(const struct buf *svg)
{
	size_t n = 0;

	for (size_t i = 0; i < n_report_plots; i++)
		n += svg[i].len != 0;
	return n > 0;
}

enum err page_write(const struct material *m, const struct buf *svg, struct buf *out,
	struct err_ctx *ctx)
{
	head(m, out);
	summary(m, out);
	if (!drawn(svg))
		buf_puts(out,
			"<p class=\"soft\">Without plots: nothing is measured yet, or "
			"gnuplot is not installed.</p>\n");
	buf_puts(out, "<h2>The front</h2>\n");
	figure_named(svg, "front", out);
	page_front(m, out);
	page_finalists(m, out);
	if (m->n_generations) {
		buf_puts(out, "<h2>The search</h2>\n");
		figure_named(svg, "hypervolume", out);
	}
	page_models(m, out);
	figure_named(svg, "predicted", out);
	figure_named(svg, "macs", out);
	if (m->n_spreads) {
		buf_puts(out, "<h2>Latency of the front's members</h2>\n");
		figure_named(svg, "latency", out);
	}
	page_failures(m, out);
	page_devices(m, out);
	spec(m, out);
	page_notes(m, out);
	legend(out);
	buf_puts(out, "</body>\n</html>\n");
	return buf_err(out, ctx);
}
