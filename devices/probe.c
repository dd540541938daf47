#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "devices/cpu_arch.h"
#include "devices/handle.h"
#include "devices/transport/gdb_remote.h"

/* Uploads by a debug probe: the image is written at the end of the agent's window, which is free
 * between runs, and copied from there by the agent. */

#define CPUID 0xE000ED00u
#define MAX_FAILURES 3 /* in a row, then the line alone is used */

/* "21000000 01000000" */
static enum err find_window(
	const struct device *d, uint64_t *base, uint64_t *size, struct err_ctx *ctx)
{
	char text[40];
	int used = 0;

	cpu_arch_line(d->info.description, "window", text, sizeof(text));
	if (sscanf(text, "%8" SCNx64 " %8" SCNx64 "%n", base, size, &used) != 2 ||
		text[used])
		return err_set(ctx, ERR_UNSUPPORTED,
			"the agent does not say where its memory is");
	return ERR_OK;
}

/* A probe on another board must not write there. */
static enum err check_core(
	const struct device *d, struct gdb_remote *g, struct err_ctx *ctx)
{
	char told[16], found[16];
	uint8_t b[4];
	enum err e;

	cpu_arch_line(d->info.description, "cpuid", told, sizeof(told));
	if (!told[0])
		return ERR_OK;
	e = gdb_remote_read(g, CPUID, b, sizeof(b), ctx);
	if (e)
		return e;
	snprintf(found, sizeof(found), "%02x%02x%02x%02x", b[3], b[2], b[1], b[0]);
	if (strcmp(told, found) != 0)
		return err_set(ctx, ERR_DEVICE,
			"debug probe '%s' is on another board: its core is %s, the agent's "
			"%s; change 'probe' in the device profile",
			d->link.t->probe, found, told);
	return ERR_OK;
}

enum err probe_write(struct device *d, uint64_t address, const uint8_t *data, size_t len,
	struct err_ctx *ctx)
{
	struct gdb_remote *g;
	enum err e, last;

	if (!d->link.t || !d->link.t->probe[0])
		return err_set(ctx, ERR_LINK, "there is no debug probe");
	e = gdb_remote_open(&g, d->link.t->probe, ctx);
	if (e)
		return e;
	e = check_core(d, g, ctx);
	e = e ? e : gdb_remote_write(g, address, data, len, ctx);
	last = gdb_remote_close(g, e ? NULL : ctx);
	return e ? e : last;
}

/* To the end of the window. */
static enum err write_all(struct device *d, const uint8_t *data, size_t len,
	uint32_t *address, struct err_ctx *ctx)
{
	uint64_t base, size;
	enum err e = find_window(d, &base, &size, ctx);

	if (!e && len > size)
		e = err_set(ctx, ERR_FULL, "it is larger than the agent's window");
	if (e)
		return e;
	*address = (uint32_t)((base + size - len) & ~(uint64_t)7);
	return probe_write(d, *address, data, len, ctx);
}

/* link.stage of the device `self`. */
static enum err stage(void *self, const uint8_t *data, size_t len, uint32_t *address,
	struct err_ctx *ctx)
{
	struct device *d = self;
	enum err e;

	if (d->probe_failures >= MAX_FAILURES)
		return err_set(ctx, ERR_UNSUPPORTED, "it failed before");
	/* Taken back when the upload has arrived: a core that stays halted is a failure. */
	d->probe_failures++;
	e = write_all(d, data, len, address, ctx);
	d->probe_told = !e;
	if (e)
		snprintf(d->probe_note, sizeof(d->probe_note),
			"%.200s; images go over the serial line", ctx->msg);
	return e;
}

void probe_begin(struct device *d)
{
	if (!d->link.t->probe[0])
		return;
	d->link.stage = stage;
	d->link.stage_self = d;
}

void probe_worked(struct device *d)
{
	d->probe_failures = 0;
}

const char *device_upload_note(struct device *d)
{
	int told = d->probe_told || !d->probe_note[0];

	d->probe_told = 1;
	return told ? "" : d->probe_note;
}
