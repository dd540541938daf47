#include "devices/profile_keys.h"

#include <string.h>

enum err key_text(const struct profile_keys *l, const char *key, char *out, size_t cap)
{
	const struct yaml_node *n = yaml_get(l->root, key);
	const char *s;
	enum err e;

	if (!n)
		return ERR_OK;
	e = yaml_str(l->doc, n, &s, l->ctx);
	if (e)
		return e;
	if (strlen(s) >= cap)
		return yaml_err(l->doc, n, ERR_INVALID, l->ctx,
			"'%s' is longer than %zu characters", key, cap - 1);
	memcpy(out, s, strlen(s) + 1);
	return ERR_OK;
}

enum err key_bytes(const struct profile_keys *l, const char *key, uint64_t *out)
{
	const struct yaml_node *n = yaml_get(l->root, key);
	int64_t v;
	enum err e;

	if (!n)
		return ERR_OK;
	e = yaml_int(l->doc, n, 0, (int64_t)1 << 50, &v, l->ctx);
	if (!e)
		*out = (uint64_t)v;
	return e;
}

enum err key_small(const struct profile_keys *l, const char *key, int64_t lo, int64_t hi,
	uint32_t *out)
{
	const struct yaml_node *n = yaml_get(l->root, key);
	int64_t v;
	enum err e;

	if (!n)
		return ERR_OK;
	e = yaml_int(l->doc, n, lo, hi, &v, l->ctx);
	if (!e)
		*out = (uint32_t)v;
	return e;
}
