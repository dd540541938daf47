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
