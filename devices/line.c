#include <stdlib.h>
#include <string.h>

#include "devices/handle.h"
#include "src/base/clock.h"

/* What the line to a device can do: round trips and uploads, timed. */

enum err device_ping(struct device *d, uint64_t *round_trip_ns, struct err_ctx *ctx)
{
	static const char text[] = "hawser";
	const uint8_t *back;
	uint64_t start_ns = clock_mono_ns();
	struct get g;
	enum err e;

	put_bytes(link_begin(&d->link), text, sizeof(text));
	e = link_call(&d->link, WIRE_PING, WIRE_PING | WIRE_ANSWER, &g, ctx);
	if (e)
		return e;
	back = get_rest(&g, sizeof(text));
	if (!back || memcmp(back, text, sizeof(text)) != 0)
		return err_set(ctx, ERR_LINK, "the agent's answer makes no sense");
	*round_trip_ns = clock_mono_ns() - start_ns;
	return ERR_OK;
}

enum err device_measure_upload(
	struct device *d, size_t len, double *bytes_per_s, struct err_ctx *ctx)
{
	struct err_ctx refused;
	uint64_t start_ns, ns;
	struct hash other;
	struct link_content c = {.hash = other.b, .once = 1, .spoiled = 1};
	uint8_t *data;
	enum err e;

	if (len > d->link.welcome.storage_bytes)
		len = (size_t)d->link.welcome.storage_bytes;
	data = calloc(len + 1, 1);
	if (!data)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	hash_bytes(&other, data, len + 1);
	c.data = data;
	c.len = len;
	memset(&d->link.refusal, 0, sizeof(d->link.refusal));
	start_ns = clock_mono_ns();
	e = link_upload(&d->link, &c, &refused);
	ns = clock_mono_ns() - start_ns;
	free(data);
	if (d->link.refusal.code != WIRE_E_HASH)
		return e ? err_set(ctx, e, "%s", refused.msg)
			 : err_set(ctx, ERR_LINK,
				   "the agent accepts bytes without looking");
	probe_worked(d);
	*bytes_per_s = (double)len / ((double)ns * 1e-9);
	return ERR_OK;
}
