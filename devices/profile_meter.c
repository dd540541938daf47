#include "devices/profile_keys.h"

#include <string.h>

#define MIN_TIMEOUT_MS 30000 /* of a run with a window of 10 s */

static const char *const keys[] = {
	"kind", "port", "voltage_mv", "rate_hz", "feeds_board", "recorded", NULL};

static enum err flag(const struct profile_keys *l, const char *key, int *out)
{
	char s[8] = "no";
	enum err e = key_text(l, key, s, sizeof(s));

	*out = !strcmp(s, "yes") || !strcmp(s, "true");
	if (e || *out || !strcmp(s, "no") || !strcmp(s, "false"))
		return e;
	return yaml_err(l->doc, yaml_get(l->root, key), ERR_INVALID, l->ctx,
		"'%s' is yes or no", key);
}

static enum err read_keys(const struct profile_keys *l, struct instrument_setup *s)
{
	enum err e;

	if (yaml_kind(l->root) != YAML_MAPPING)
		return yaml_err(l->doc, l->root, ERR_INVALID, l->ctx,
			"'meter' is a mapping with kind, port and voltage_mv");
	e = yaml_check_keys(l->doc, l->root, keys, l->ctx);
	e = e ? e : key_text(l, "kind", s->kind, sizeof(s->kind));
	e = e ? e : key_text(l, "port", s->port, sizeof(s->port));
	e = e ? e : key_small(l, "voltage_mv", 1, 1000000, &s->voltage_mv);
	e = e ? e : key_small(l, "rate_hz", 1, 1000000, &s->rate_hz);
	e = e ? e : flag(l, "feeds_board", &s->feeds);
	return e ? e : flag(l, "recorded", &s->recorded);
}

/* What of the profile does not go together with it; NULL: nothing. */
static const char *misfit(
	const struct device_profile *p, const struct instrument_setup *s)
{
	if (!s->port[0])
		return "'meter' needs 'port': a line, best /dev/serial/by-id/..., or the file of "
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

enum err profile_meter(const struct profile_keys *profile, struct device_profile *p)
{
	struct profile_keys l = *profile;
	struct instrument_setup s;
	const char *fault;
	enum err e;

	l.root = yaml_get(profile->root, "meter");
	if (!l.root)
		return ERR_OK;
	memset(&s, 0, sizeof(s));
	e = read_keys(&l, &s);
	if (e)
		return e;
	fault = instrument_check(&s);
	s.recorded = instrument_is_recorded(&s);
	fault = fault ? fault : misfit(p, &s);
	if (fault)
		return yaml_err(l.doc, l.root, ERR_INVALID, l.ctx, "%s", fault);
	p->meter = s;
	return ERR_OK;
}
