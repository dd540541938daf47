#include "devices/profile_meter.h"

#include <stdio.h>
#include <string.h>

#define MIN_TIMEOUT_MS 30000 /* of a run with a window of 10 s */

static const char *const keys[] = {
	"kind", "port", "voltage_mv", "rate_hz", "feeds_board", "recorded", NULL};

struct loader {
	const struct yaml_doc *doc;
	const struct yaml_node *meter;
	struct err_ctx *ctx;
};

static enum err text(
	const struct loader *l, const char *key, int required, char *out, size_t cap)
{
	const struct yaml_node *n = yaml_get(l->meter, key);
	const char *s;
	enum err e;

	if (!n && required)
		return yaml_err(
			l->doc, l->meter, ERR_INVALID, l->ctx, "'meter' needs '%s'", key);
	e = n ? yaml_str(l->doc, n, &s, l->ctx) : ERR_OK;
	if (!n || e)
		return e;
	if (strlen(s) >= cap)
		return yaml_err(l->doc, n, ERR_INVALID, l->ctx,
			"'%s' is longer than %zu characters", key, cap - 1);
	memcpy(out, s, strlen(s) + 1);
	return ERR_OK;
}

static enum err flag(const struct loader *l, const char *key, int *out)
{
	char s[8] = "no";
	enum err e = text(l, key, 0, s, sizeof(s));

	*out = !strcmp(s, "yes") || !strcmp(s, "true");
	if (e || *out || !strcmp(s, "no") || !strcmp(s, "false"))
		return e;
	return yaml_err(l->doc, yaml_get(l->meter, key), ERR_INVALID, l->ctx,
		"'%s' is yes or no", key);
}

static enum err number(const struct loader *l, const char *key, uint32_t *out)
{
	const struct yaml_node *n = yaml_get(l->meter, key);
	int64_t v = 0;
	enum err e = n ? yaml_int(l->doc, n, 1, 1000000, &v, l->ctx) : ERR_OK;

	*out = (uint32_t)v;
	return e;
}

static enum err read_keys(const struct loader *l, struct instrument_setup *s)
{
	enum err e;

	if (yaml_kind(l->meter) != YAML_MAPPING)
		return yaml_err(l->doc, l->meter, ERR_INVALID, l->ctx,
			"'meter' is a mapping with kind, port and voltage_mv");
	e = yaml_check_keys(l->doc, l->meter, keys, l->ctx);
	e = e ? e : text(l, "kind", 1, s->kind, sizeof(s->kind));
	e = e ? e : text(l, "port", 1, s->port, sizeof(s->port));
	e = e ? e : number(l, "voltage_mv", &s->voltage_mv);
	e = e ? e : number(l, "rate_hz", &s->rate_hz);
	e = e ? e : flag(l, "feeds_board", &s->feeds);
	return e ? e : flag(l, "recorded", &s->recorded);
}

/* What of the profile does not go together with it; NULL: nothing. */
static const char *misfit(
	const struct device_profile *p, const struct instrument_setup *s)
{
	if (!s->port[0])
		return "'port' is empty: a line, best /dev/serial/by-id/..., or the file of "
		       "a recording";
	if (strcmp(p->driver, "serial") != 0)
		return "a meter needs driver 'serial': the board's own pin shows it when it "
		       "infers";
	if (!strcmp(s->port, p->port))
		return "the meter's port is that of the board";
	if (p->emulator[0] && !s->recorded)
		return "an emulated board draws nothing: a meter's port there needs "
		       "'recorded: yes'";
	if (p->timeout_ms < MIN_TIMEOUT_MS)
		return "a meter needs 'timeout_ms' of at least 30000: its windows last 10 s";
	return NULL;
}

enum err profile_meter(const struct yaml_doc *doc, const struct yaml_node *root,
	struct device_profile *p, struct err_ctx *ctx)
{
	struct loader l = {doc, yaml_get(root, "meter"), ctx};
	struct instrument_setup s;
	const char *fault;
	enum err e;

	if (!l.meter)
		return ERR_OK;
	memset(&s, 0, sizeof(s));
	e = read_keys(&l, &s);
	if (e)
		return e;
	fault = instrument_check(&s);
	s.recorded = instrument_is_recorded(&s);
	fault = fault ? fault : misfit(p, &s);
	if (fault)
		return yaml_err(doc, l.meter, ERR_INVALID, ctx, "%s", fault);
	p->meter = s;
	return ERR_OK;
}
