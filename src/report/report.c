#include "src/report/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/report/material.h"

#define N_PLOTS_MAX 8
#define SVG_LIMIT (8u << 20)
#define GNUPLOT_TIMEOUT_S 60

static const char script_head[] = "set encoding utf8\n"
				  "set datafile missing 'nan'\n"
				  "set border 3\n"
				  "set tics nomirror out\n"
				  "set grid lw 0.5 lc rgb '#bbbbbb'\n"
				  "set key Left reverse samplen 2\n";

/* The same plot twice: as SVG, then as PNG by whatever this gnuplot has for it. */
static void frame_script(const char *name, const struct buf *body, struct buf *out)
{
	buf_puts(out, script_head);
	buf_printf(out,
		"set terminal svg size 760,460 dynamic noenhanced font 'sans-serif,14' "
		"background rgb 'white'\nset output '%s.svg'\n",
		name);
	buf_append(out, body->data, body->len);
	buf_printf(out,
		"if (strstrt(GPVAL_TERMINALS, ' pngcairo ')) set terminal pngcairo size "
		"1140,690 "
		"noenhanced font 'sans,14'; else set terminal png size 1140,690 "
		"noenhanced\n"
		"set output '%s.png'\nreplot\nunset output\n",
		name);
}

static enum err save(const char *dir, const char *name, const char *suffix,
	const struct buf *text, struct err_ctx *ctx)
{
	char file[64], path[4096];
	enum err e = buf_err(text, ctx);

	snprintf(file, sizeof(file), "%s%s", name, suffix);
	if (!e)
		e = file_join(path, sizeof(path), dir, file, ctx);
	return e ? e : file_write_atomic(path, buf_str(text), text->len, 0644, ctx);
}

/* Drawings of an earlier report must not stand for this one's. */
static void remove_old(const char *dir, const char *name)
{
	static const char *const suffixes[] = {".svg", ".png", ".gp", ".dat"};
	char file[64], path[4096];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(file, sizeof(file), "%s%s", name, suffixes[i]);
		if (!file_join(path, sizeof(path), dir, file, NULL))
			unlink(path);
	}
}

static enum err draw(const char *name, const char *dir, const struct report_tools *tools,
	struct buf *svg, struct err_ctx *ctx)
{
	char script[64], file[64], path[4096];
	const char *const argv[] = {"gnuplot", script, NULL};
	struct buf said;
	enum err e;

	if (!tools || !tools->run)
		return err_set(ctx, ERR_TOOL, "cannot run programs here");
	snprintf(script, sizeof(script), "%s.gp", name);
	snprintf(file, sizeof(file), "%s.svg", name);
	buf_init(&said);
	e = tools->run(argv, dir, GNUPLOT_TIMEOUT_S, NULL, &said, ctx);
	buf_release(&said);
	if (!e)
		e = file_join(path, sizeof(path), dir, file, ctx);
	return e ? e : file_read(path, SVG_LIMIT, svg, ctx);
}

/* Writes one plot's files and draws it; an empty `svg` when there is nothing to draw.
 * *tool keeps what the first gnuplot that failed said; none is started after it. */
static enum err make_plot(const struct material *m, const struct plot *p, const char *dir,
	const struct report_tools *tools, struct buf *svg, struct err_ctx *tool,
	struct err_ctx *ctx)
{
	struct buf data, body, script;
	enum err e = ERR_OK;

	buf_init(&data);
	buf_init(&body);
	buf_init(&script);
	remove_old(dir, p->name);
	if (p->write(m, &data, &body)) {
		frame_script(p->name, &body, &script);
		e = save(dir, p->name, ".dat", &data, ctx);
		if (!e)
			e = save(dir, p->name, ".gp", &script, ctx);
		if (!e && !tool->msg[0] && draw(p->name, dir, tools, svg, tool)) {
			buf_reset(svg);
			if (!tool->msg[0])
				err_set(tool, ERR_TOOL, "gnuplot failed");
		}
	}
	buf_release(&data);
	buf_release(&body);
	buf_release(&script);
	return e;
}

static enum err write_csv(const struct material *m, const char *dir, struct err_ctx *ctx)
{
	struct front_query q = {.all = 0};
	struct front front;
	struct buf out;
	enum err e = front_from_facts(&m->f, &q, &front, ctx);

	if (e)
		return e;
	buf_init(&out);
	e = front_csv(&front, &out, ctx);
	if (!e)
		e = save(dir, "front", ".csv", &out, ctx);
	buf_release(&out);
	front_release(&front);
	return e;
}

static enum err write_page(const struct material *m, const struct buf *svg,
	const char *dir, struct err_ctx *ctx)
{
	struct buf out;
	enum err e;

	buf_init(&out);
	e = page_write(m, svg, &out, ctx);
	if (!e)
		e = save(dir, "index", ".html", &out, ctx);
	buf_release(&out);
	return e;
}

enum err report_write(struct store *s, const char *job, const char *dir,
	const struct report_tools *tools, struct err_ctx *ctx)
{
	struct err_ctx tool = {""};
	struct buf svg[N_PLOTS_MAX];
	struct material m;
	enum err e = material_load(s, job, &m, ctx);

	if (e)
		return e;
	for (size_t i = 0; i < N_PLOTS_MAX; i++)
		buf_init(&svg[i]);
	e = file_mkdirs(dir, ctx);
	if (!e)
		e = write_csv(&m, dir, ctx);
	for (size_t i = 0; !e && i < n_report_plots && i < N_PLOTS_MAX; i++)
		e = make_plot(&m, &report_plots[i], dir, tools, &svg[i], &tool, ctx);
	if (!e)
		e = write_page(&m, svg, dir, ctx);
	for (size_t i = 0; i < N_PLOTS_MAX; i++)
		buf_release(&svg[i]);
	material_release(&m);
	if (!e && tool.msg[0])
		return err_set(ctx, ERR_TOOL,
			"'%s/index.html' is without plots: %.300s (install gnuplot, as "
			"in 'apt-get install gnuplot-nox', and run 'hawser report' "
			"again)",
			dir, tool.msg);
	return e;
}
