#include "src/model/objective.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const provenance_names[N_PROVENANCES] = {
	"none",
	"analytic",
	"predicted",
	"inherited",
	"trained",
	"measured",
	"simulated",
	"emulated",
};

static const struct metric metrics[] = {
	{"slot_f1", "%", 1, 0, 1},
	{"intent_acc", "%", 1, 0, 1},
	{"sentence_acc", "%", 1, 0, 1},
	{"cross_entropy", "nats", 0, 0, 1},
	{"perplexity", "", 0, 0, 1},
	{"latency_us", "us", 0, 1, 0},
	{"step_us", "us", 0, 1, 0},
	{"wall_p99_us", "us", 0, 1, 0},
	{"instructions", "", 0, 1, 0},
	{"step_instructions", "", 0, 1, 0},
	{"energy_uj", "uJ", 0, 1, 0},
	{"peak_rss_bytes", "bytes", 0, 1, 0},
	{"arena_bytes", "bytes", 0, 1, 0},
	{"flash_bytes", "bytes", 0, 1, 0},
	{"model_bytes", "bytes", 0, 0, 0},
	{"macs", "", 0, 0, 0},
	{"params", "", 0, 0, 0},
};
#define N_METRICS (sizeof(metrics) / sizeof(metrics[0]))

const struct metric *metric_find(const char *name)
{
	for (size_t i = 0; i < N_METRICS; i++)
		if (!strcmp(metrics[i].name, name))
			return &metrics[i];
	return NULL;
}

const struct metric *metric_at(size_t i)
{
	return i < N_METRICS ? &metrics[i] : NULL;
}

/* ---- several devices */

/* "name" or "name:weight" up to `end`. */
static enum err add_member(struct device_group *g, const char *s, const char *end,
	const char *device, struct err_ctx *ctx)
{
	const char *colon = memchr(s, ':', (size_t)(end - s));
	size_t len = (size_t)((colon ? colon : end) - s);
	double weight = 1;
	char *rest;

	if (g->n == DEVICE_GROUP_MAX)
		return err_set(ctx, ERR_USAGE, "'%.80s' names more than %d devices", device,
			DEVICE_GROUP_MAX);
	if (colon) {
		weight = strtod(colon + 1, &rest);
		if (g->combine != DEVICE_MEAN || rest == colon + 1 || rest != end ||
			!(weight > 0) || !isfinite(weight))
			return err_set(ctx, ERR_USAGE,
				"'%.80s': a weight is a positive number, as in "
				"mean(pi:2,nano)",
				device);
	}
	if (!len || len >= sizeof(g->name[0]))
		return err_set(ctx, ERR_USAGE, "'%.80s': a device has no name", device);
	memcpy(g->name[g->n], s, len);
	g->name[g->n][len] = '\0';
	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->name[i], g->name[g->n]))
			return err_set(ctx, ERR_USAGE, "'%.80s' names '%s' twice", device,
				g->name[i]);
	g->weight[g->n++] = weight;
	return ERR_OK;
}

enum err device_group_parse(
	struct device_group *g, const char *device, struct err_ctx *ctx)
{
	static const char *const heads[] = {"", "worst(", "mean("};
	const char *s = device, *end = device + strlen(device);
	double sum = 0;

	memset(g, 0, sizeof(*g));
	for (int i = 1; i < 3; i++)
		if (!strncmp(device, heads[i], strlen(heads[i])))
			g->combine = (enum device_combine)i;
	s += strlen(heads[g->combine]);
	if (g->combine == DEVICE_ONE) {
		snprintf(g->name[0], sizeof(g->name[0]), "%s", device);
		g->weight[0] = 1;
		g->n = 1;
		return ERR_OK;
	}
	if (end[-1] != ')')
		return err_set(ctx, ERR_USAGE, "'%.80s' does not end in ')'", device);
	for (end--; s <= end;) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		enum err e = add_member(g, s, comma ? comma : end, device, ctx);

		if (e)
			return e;
		s = comma ? comma + 1 : end + 1;
	}
	for (size_t i = 0; i < g->n; i++)
		sum += g->weight[i];
	for (size_t i = 0; i < g->n; i++)
		g->weight[i] /= sum;
	return ERR_OK;
}

static struct value worst_of(const struct device_group *g, const struct value *v)
{
	struct value r = v[0];

	for (size_t i = 1; i < g->n; i++) {
		if (isnan(v[i].value) || v[i].value > r.value)
			r.value = v[i].value;
		r.ci.lo = fmax(r.ci.lo, v[i].ci.lo);
		r.ci.hi = fmax(r.ci.hi, v[i].ci.hi);
	}
	return r;
}

static struct value mean_of(const struct device_group *g, const struct value *v)
{
	struct value r = v[0];
	double below = 0, above = 0;

	r.value = 0;
	for (size_t i = 0; i < g->n; i++) {
		double w = g->weight[i];

		r.value += w * v[i].value;
		below += pow(w * (v[i].value - v[i].ci.lo), 2);
		above += pow(w * (v[i].ci.hi - v[i].value), 2);
	}
	r.ci.lo = r.value - sqrt(below);
	r.ci.hi = r.value + sqrt(above);
	return r;
}

struct value device_group_value(const struct device_group *g, const struct value *v)
{
	struct value r = g->combine == DEVICE_MEAN ? mean_of(g, v) : worst_of(g, v);

	for (size_t i = 0; i < g->n; i++) {
		r.unresolved |= v[i].unresolved;
		if (v[i].prov == PROV_SIMULATED)
			r.prov = PROV_SIMULATED;
	}
	return r;
}

enum err objective_parse(struct objective *o, const char *text, struct err_ctx *ctx)
{
	char name[METRIC_NAME_MAX];
	const char *at = strchr(text, '@');
	size_t len = at ? (size_t)(at - text) : strlen(text);
	const struct metric *m;

	if (len >= sizeof(name) || (at && strlen(at + 1) >= sizeof(o->device)))
		return err_set(ctx, ERR_USAGE, "objective '%.60s' is too long", text);
	memcpy(name, text, len);
	name[len] = '\0';
	m = metric_find(name);
	if (!m)
		return err_set(ctx, ERR_USAGE,
			"unknown metric '%s' (slot_f1, intent_acc, cross_entropy, "
			"perplexity, latency_us@DEVICE, flash_bytes@DEVICE, macs, ...)",
			name);
	if (m->per_device && (!at || !at[1]))
		return err_set(ctx, ERR_USAGE,
			"metric '%s' needs a device, as in '%s@local'", name, name);
	if (!m->per_device && at)
		return err_set(ctx, ERR_USAGE,
			"metric '%s' does not depend on a device; write it without '%s'",
			name, at);
	if (at) {
		struct device_group g;
		enum err e = device_group_parse(&g, at + 1, ctx);

		if (e)
			return e;
	}
	o->metric = m;
	snprintf(o->device, sizeof(o->device), "%s", at ? at + 1 : "");
	return ERR_OK;
}

void objective_format(const struct objective *o, char *out, size_t cap)
{
	snprintf(out, cap, "%s%s%s", o->metric->name, o->device[0] ? "@" : "", o->device);
}

enum err limit_parse(struct limit *l, const char *text, struct err_ctx *ctx)
{
	char left[2 * METRIC_NAME_MAX];
	size_t len = strcspn(text, "<>");
	const char *at = text + len;
	char *end;
	double bound;
	struct limit out;
	enum err e;

	while (len && text[len - 1] == ' ')
		len--;
	if (!*at || !len || len >= sizeof(left))
		return err_set(ctx, ERR_USAGE,
			"limit '%.80s' is not of the form METRIC<NUMBER, as in "
			"latency_us@local<200",
			text);
	memcpy(left, text, len);
	left[len] = '\0';
	snprintf(out.op, sizeof(out.op), "%c%s", *at, at[1] == '=' ? "=" : "");
	at += strlen(out.op);
	bound = strtod(at, &end);
	while (*end == ' ')
		end++;
	if (end == at || *end || !isfinite(bound))
		return err_set(
			ctx, ERR_USAGE, "limit '%.80s' does not end in a number", text);
	if ((e = objective_parse(&out.what, left, ctx)))
		return e;
	out.bound = bound;
	*l = out;
	return ERR_OK;
}

int limit_holds(const struct limit *l, double value)
{
	if (isnan(value))
		return 0;
	if (l->op[0] == '<')
		return l->op[1] ? value <= l->bound : value < l->bound;
	return l->op[1] ? value >= l->bound : value > l->bound;
}
