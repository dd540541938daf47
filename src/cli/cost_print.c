#include "src/cli/cost_print.h"

#include <math.h>
#include <stdio.h>

static void put_percent(struct buf *out, double share, int width, int digits)
{
	if (isfinite(share))
		buf_printf(out, " %*.*f %%", width, digits, 100 * share);
	else
		buf_printf(out, " %*s  ", width, "-");
}

void cost_print_table(struct buf *out, const struct cost_result *r)
{
	buf_printf(out, "%s (%s, n = %zu, %s)\n", r->target, r->provenance,
		r->scores[0].n, r->method);
	buf_puts(out, "  model      MAPE     tau    within 5 %  within 10 %\n");
	for (size_t i = 0; i < cost_model_count(); i++) {
		const struct cost_score *s = &r->scores[i];

		buf_printf(out, "%c %-6s", s->kind == r->used ? '*' : ' ', s->kind->name);
		put_percent(out, s->mape, 8, 2);
		if (isfinite(s->tau))
			buf_printf(out, " %7.3f", s->tau);
		else
			buf_printf(out, " %7s", "-");
		put_percent(out, s->within_5, 10, 1);
		put_percent(out, s->within_10, 10, 1);
		buf_printf(out, "%s\n", s->kind->baseline ? "  baseline" : "");
	}
	if (r->used->baseline)
		buf_printf(out,
			"  used: %s; no model beats both baselines 'mean' and 'macs' by "
			"two standard errors\n",
			r->used->name);
	else
		buf_printf(out, "  used: %s; it beats the baselines 'mean' and 'macs'\n",
			r->used->name);
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *cost_print_json(const struct cost_result *r)
{
	json_t *models = json_array();

	for (size_t i = 0; models && i < cost_model_count(); i++) {
		const struct cost_score *s = &r->scores[i];
		json_t *one = json_pack("{s:s, s:b, s:o, s:o, s:o, s:o}", "name",
			s->kind->name, "baseline", s->kind->baseline, "mape",
			number(s->mape), "kendall_tau", number(s->tau), "within_5",
			number(s->within_5), "within_10", number(s->within_10));

		if (!one || json_array_append_new(models, one)) {
			json_decref(models);
			return NULL;
		}
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:b, s:o}", "target", r->target,
		"provenance", r->provenance, "method", r->method, "n",
		(json_int_t)r->scores[0].n, "used", r->used->name, "beats_baselines",
		!r->used->baseline, "models", models);
}
