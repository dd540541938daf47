/* The plots: what each shows, as data and a gnuplot script. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/report/material.h"
#include "src/report/plot_script.h"
#include "src/report/text.h"

/* ---- front */

static int has_xy(const struct material *m, const struct front_point *p)
{
	return p->v[m->cost].value > 0 && !isnan(p->v[m->quality].value);
}

static void point_xy(
	const struct material *m, const struct front_point *p, struct buf *data)
{
	const struct value *axes[2] = {&p->v[m->cost], &p->v[m->quality]};

	data_number(data, axes[0]->value);
	data_number(data, axes[1]->value);
	for (int i = 0; i < 2; i++) {
		int known = !isnan(axes[i]->ci.lo) && !isnan(axes[i]->ci.hi);

		data_number(data, known ? axes[i]->ci.lo : axes[i]->value);
		data_number(data, known ? axes[i]->ci.hi : axes[i]->value);
	}
}

enum point_set { SET_REST, SET_FRONT, SET_FINAL, N_POINT_SETS };

static int in_set(const struct front_point *p, enum point_set set)
{
	if (set == SET_FINAL)
		return p->finalist;
	return set == SET_FRONT ? p->on_front : !p->on_front;
}

static void front_data(const struct material *m, struct buf *data, size_t n[N_POINT_SETS],
	struct range *r)
{
	char hex[HASH_HEX + 1];

	for (int set = 0; set < N_POINT_SETS; set++) {
		n[set] = 0;
		for (size_t i = 0; i < m->all.n; i++) {
			const struct front_point *p = &m->all.points[i];

			if (!has_xy(m, p) || !in_set(p, (enum point_set)set))
				continue;
			point_xy(m, p, data);
			range_add(r, p->v[m->cost].value);
			buf_printf(data, "%s\n", hash_short(&p->candidate, 6, hex));
			n[set]++;
		}
		if (!n[set]) /* keeps the numbers of the sets */
			buf_puts(data, "nan nan nan nan nan nan -\n");
		data_end_set(data);
	}
}

static void baseline_clause(const struct material *m, struct buf *script, int *n)
{
	char key[96];
	const char *text;
	double v;

	snprintf(key, sizeof(key), "baseline_valid_%s",
		m->all.objectives[m->quality].metric->name);
	text = facts_meta(&m->f, key);
	if (!text || sscanf(text, "%lf", &v) != 1 || !isfinite(v))
		return;
	buf_printf(script,
		"%s%.6g with lines lw 1.5 dt 2 lc rgb " GREEN " title 'baseline'",
		script_clause(n), v);
}

static int write_front(const struct material *m, struct buf *data, struct buf *script)
{
	size_t n[N_POINT_SETS];
	struct range r = {0, 0};
	int clauses = 0;

	if (m->cost < 0 || m->quality < 0)
		return 0;
	front_data(m, data, n, &r);
	if (!n[SET_FRONT])
		return 0;
	script_axis(script, 'x', &m->all.objectives[m->cost]);
	script_log_axis(script, 'x', &r);
	script_axis(script, 'y', &m->all.objectives[m->quality]);
	buf_puts(script, "set key bottom right\n");
	if (m->n_failures)
		buf_printf(script,
			"set label '%zu failed' at graph 0.02,0.96 left tc rgb " GREY
			"\n",
			m->n_failures);
	if (n[SET_REST])
		buf_printf(script,
			"%s'front.dat' index 0 using 1:2 with points pt 7 ps 0.5 lc "
			"rgb " GREY " title 'evaluated'",
			script_clause(&clauses));
	baseline_clause(m, script, &clauses);
	if (m->all.n_objectives == 2)
		buf_printf(script,
			"%s'front.dat' index 1 using 1:2 with steps lw 1.5 lc rgb " BLUE
			" notitle",
			script_clause(&clauses));
	buf_printf(script,
		"%s'front.dat' index 1 using 1:2:3:4:5:6 with xyerrorbars pt 7 ps 0.8 lw "
		"1.5 lc "
		"rgb " BLUE " title 'front'",
		script_clause(&clauses));
	if (n[SET_FINAL])
		buf_printf(script,
			"%s'front.dat' index 2 using 1:2 with points pt 6 ps 1.5 lw 2 lc "
			"rgb " ORANGE " title 'finalists', \\\n  'front.dat' index 2 "
			"using 1:2:7 with labels "
			"right offset -0.6,0.6 font ',11' notitle",
			script_clause(&clauses));
	buf_putc(script, '\n');
	return 1;
}

/* ---- hypervolume */

static int write_hypervolume(
	const struct material *m, struct buf *data, struct buf *script)
{
	int claimed = 0, again = 0;

	for (size_t i = 0; i < m->n_generations; i++) {
		const struct store_generation *g = &m->generations[i];

		buf_printf(data, "%d ", g->generation);
		data_number(data, g->hv_claimed);
		data_number(data, g->hv_remeasured);
		buf_putc(data, '\n');
		claimed |= isfinite(g->hv_claimed);
		again |= isfinite(g->hv_remeasured);
	}
	if (!claimed)
		return 0;
	buf_puts(script,
		"set xlabel 'generation'\nset ylabel 'hypervolume [box of the first "
		"candidates = 1]'\nset key bottom right\nplot 'hypervolume.dat' using "
		"1:2 with linespoints pt 7 ps 0.6 lw 1.5 lc rgb " BLUE
		" title 'claimed (first looks)'");
	if (again)
		buf_puts(script,
			", \\\n  'hypervolume.dat' using 1:3 with linespoints pt 6 ps "
			"0.9 lw 1.5 lc rgb " ORANGE
			" title 're-measured (second looks)'");
	buf_putc(script, '\n');
	return 1;
}

/* ---- predicted against measured */

static int write_predicted(const struct material *m, struct buf *data, struct buf *script)
{
	char name[2 * METRIC_NAME_MAX], title[96];
	struct range r[2] = {{0, 0}, {0, 0}};
	struct agreement a;

	if (m->cost < 0)
		return 0;
	objective_format(&m->all.objectives[m->cost], name, sizeof(name));
	for (size_t i = 0; i < m->n_predictions; i++) {
		const struct store_prediction *p = &m->predictions[i];
		uint32_t c = facts_find(&m->f, &p->candidate);
		struct value v;

		if (strcmp(p->objective, name) || c == NO_FACT)
			continue;
		facts_value(&m->f, c, &m->all.objectives[m->cost], "valid", &v, NULL);
		if (!(v.value > 0) || !(p->mean > 0))
			continue;
		data_number(data, v.value);
		data_number(data, p->mean);
		data_number(data, isnan(p->sd) || p->sd >= p->mean ? 0 : p->sd);
		buf_putc(data, '\n');
		range_add(&r[0], v.value);
		range_add(&r[1], p->mean);
	}
	if (!(r[0].lo > 0))
		return 0;
	a = material_predicted(m);
	snprintf(title, sizeof(title), "%zu candidates, %.1f %% off, tau %.3f", a.n,
		100 * a.mape, a.tau);
	script_axis(script, 'x', &m->all.objectives[m->cost]);
	script_log_axis(script, 'x', &r[0]);
	script_log_axis(script, 'y', &r[1]);
	buf_puts(script,
		"set ylabel 'predicted before measuring'\nset key top "
		"left\nplot x with lines lw 1 dt 2 lc rgb " GREY
		" title 'exact', \\\n  'predicted.dat' using 1:2:3 with yerrorbars pt "
		"7 ps 0.6 lc rgb " BLUE " title ");
	script_quoted(script, title);
	buf_putc(script, '\n');
	return 1;
}

/* ---- latency distribution */

static int write_latency(const struct material *m, struct buf *data, struct buf *script)
{
	char hex[HASH_HEX + 1];
	struct range r = {0, 0};

	for (size_t i = 0; i < m->n_spreads; i++) {
		buf_printf(data, "%s ", hash_short(&m->spreads[i].candidate, 6, hex));
		for (int q = 0; q < 5; q++)
			data_number(data, m->spreads[i].q_us[q]);
		range_add(&r, m->spreads[i].q_us[0]);
		range_add(&r, m->spreads[i].q_us[4]);
		buf_putc(data, '\n');
	}
	if (!m->n_spreads)
		return 0;
	script_log_axis(script, 'y', &r);
	buf_printf(script,
		"set ylabel 'wall time of one inference [us]'\nset xlabel 'front member, "
		"cheapest "
		"first'\nset boxwidth 0.5\nset style fill solid "
		"0.25\nset xtics "
		"rotate by -45\nset xrange [-0.7:%zu.7]\nunset key\nplot 'latency.dat' "
		"using "
		"0:3:2:6:5:xtic(1) with candlesticks whiskerbars 0.5 lw 1.2 lc rgb " BLUE
		", \\\n  '' using 0:4:4:4:4 with candlesticks lw 2 lc rgb " ORANGE "\n",
		m->n_spreads - 1);
	return 1;
}

/* ---- MACs against latency */

static int write_macs(const struct material *m, struct buf *data, struct buf *script)
{
	struct objective macs = {metric_find("macs"), ""};
	struct range x = {0, 0}, y = {0, 0};
	struct agreement a;
	size_t n[2] = {0, 0};
	char title[64];

	if (m->cost < 0 || !m->f.timed_tokens)
		return 0;
	for (int front = 0; front < 2; front++) {
		for (size_t i = 0; i < m->all.n; i++) {
			const struct front_point *p = &m->all.points[i];
			struct value v;

			if (p->on_front != front || !(p->v[m->cost].value > 0))
				continue;
			facts_value(&m->f, facts_find(&m->f, &p->candidate), &macs,
				"valid", &v, NULL);
			data_number(data, v.value);
			data_number(data, p->v[m->cost].value);
			buf_putc(data, '\n');
			range_add(&x, v.value);
			range_add(&y, p->v[m->cost].value);
			n[front]++;
		}
		if (!n[front])
			buf_puts(data, "nan nan\n");
		data_end_set(data);
	}
	if (!(x.lo > 0))
		return 0;
	a = material_macs(m);
	snprintf(title, sizeof(title), "evaluated (tau %.3f)", a.tau);
	script_axis(script, 'y', &m->all.objectives[m->cost]);
	script_log_axis(script, 'x', &x);
	script_log_axis(script, 'y', &y);
	buf_puts(script, "set xlabel 'multiply-adds of one inference'\nset key "
			 "top left\nplot \\\n");
	if (n[0]) {
		buf_puts(script,
			"  'macs.dat' index 0 with points pt 7 ps 0.5 lc rgb " GREY
			" title ");
		script_quoted(script, title);
	}
	if (n[1])
		buf_printf(script,
			"%s  'macs.dat' index 1 with points pt 7 ps 0.8 lc rgb " BLUE
			" title 'front'",
			n[0] ? ", \\\n" : "");
	buf_putc(script, '\n');
	return 1;
}

const struct plot report_plots[] = {
	{"front", "The front",
		"Every evaluated candidate; the front with its 95 % intervals; "
		"finalists, trained alone, by the beginning of their hash.",
		write_front},
	{"hypervolume", "Hypervolume over generations",
		"What the first looks claimed, and what the same front is worth at its "
		"second look.",
		write_hypervolume},
	{"predicted", "Predicted against measured",
		"Each candidate as the cost model saw it before it was measured; bars "
		"are one standard deviation.",
		write_predicted},
	{"latency", "Latency of the front's members",
		"Wall time of one inference over all processes: box from 25 to 75 %, "
		"median, whiskers from 5 to 95 %.",
		write_latency},
	{"macs", "Multiply-adds against cost",
		"What ranking by multiply-adds alone would have believed.", write_macs},
};
const size_t n_report_plots = sizeof(report_plots) / sizeof(report_plots[0]);
