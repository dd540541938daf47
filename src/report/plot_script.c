#include "src/report/plot_script.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void script_quoted(struct buf *script, const char *s)
{
	buf_putc(script, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_putc(script, '\'');
		buf_putc(script, (unsigned char)*s < ' ' || strchr("<>&", *s) ? ' ' : *s);
	}
	buf_putc(script, '\'');
}

void script_axis(struct buf *script, char which, const struct objective *o)
{
	char name[2 * METRIC_NAME_MAX], label[2 * METRIC_NAME_MAX + 32];

	objective_format(o, name, sizeof(name));
	snprintf(label, sizeof(label), "%s%s%s%s", name, o->metric->unit[0] ? " [" : "",
		o->metric->unit, o->metric->unit[0] ? "]" : "");
	buf_printf(script, "set %clabel ", which);
	script_quoted(script, label);
	buf_putc(script, '\n');
}

const char *script_clause(int *n)
{
	return (*n)++ ? ", \\\n  " : "plot \\\n  ";
}

void range_add(struct range *r, double v)
{
	if (!(v > 0) || !isfinite(v))
		return;
	r->lo = r->lo > 0 && r->lo < v ? r->lo : v;
	r->hi = r->hi > v ? r->hi : v;
}

/* "50000" as "50k" */
static void tic(struct buf *script, double at)
{
	static const char *const units[] = {"", "k", "M", "G", "T"};
	double shown = at;
	int unit = 0;

	for (; shown >= (unit ? 999.9 : 9999) && unit < 4; unit++)
		shown /= 1000;
	buf_printf(script, "'%.6g%s' %.6g", shown, units[unit], at);
}

void script_log_axis(struct buf *script, char which, const struct range *r)
{
	static const double steps[] = {1, 2, 5};
	double lo = r->lo / 1.2, hi = r->hi * 1.2;
	const char *sep = "";

	buf_printf(script, "set logscale %c\nset %crange [%.6g:%.6g]\nset %ctics (",
		which, which, lo, hi, which);
	for (double decade = pow(10, floor(log10(lo))); decade <= hi; decade *= 10) {
		for (int i = 0; i < 3; i++) {
			double at = decade * steps[i];

			if (at < lo || at > hi || (hi / lo > 1e4 && i))
				continue;
			buf_puts(script, sep);
			tic(script, at);
			sep = ", ";
		}
	}
	if (!sep[0]) /* all between two steps */
		tic(script, r->lo);
	buf_puts(script, ")\n");
}

void data_number(struct buf *data, double v)
{
	if (isfinite(v))
		buf_printf(data, "%.9g ", v);
	else
		buf_puts(data, "nan ");
}

void data_end_set(struct buf *data)
{
	buf_puts(data, "\n\n");
}
