#include "devices/flash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/cpu_arch.h"
#include "devices/proto/crc32.h"
#include "devices/proto/record.h"
#include "devices/transport/host_command.h"
#include "src/base/file.h"

#define ALIGN 64u	     /* of tensors */
#define AGENT_BYTES 0x10000u /* of code, at the start of what images may read */
#define WRITE_MS (10 * 60 * 1000)
#define BY_PROBE "probe"
/* What a shell and the tools' own languages leave as it is. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=,@:"

/* Profile */

static enum err number(struct yaml_doc *doc, const struct yaml_node *map, const char *key,
	uint32_t *out, struct err_ctx *ctx)
{
	const struct yaml_node *n;
	const char *text;
	char *end;
	unsigned long long v;
	enum err e = yaml_require(doc, map, key, &n, ctx);

	e = e ? e : yaml_str(doc, n, &text, ctx);
	if (e)
		return e;
	v = strtoull(text, &end, 0);
	if (*end || end == text || text[0] == '-' || v > UINT32_MAX)
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'%.60s' is no number of 32 bits, as 65536 or 0x10000", text);
	if (v % ALIGN)
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'%s' of 'flash' must be a multiple of %u", key, ALIGN);
	*out = (uint32_t)v;
	return ERR_OK;
}

static enum err parse_write(struct device_profile *p, struct yaml_doc *doc,
	const struct yaml_node *map, struct err_ctx *ctx)
{
	const struct yaml_node *n;
	const char *text;
	enum err e = yaml_require(doc, map, "write", &n, ctx);

	e = e ? e : yaml_str(doc, n, &text, ctx);
	if (e)
		return e;
	if (strlen(text) >= sizeof(p->flash.write))
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'write' is longer than %zu characters",
			sizeof(p->flash.write) - 1);
	memcpy(p->flash.write, text, strlen(text) + 1);
	if (strcmp(text, BY_PROBE) != 0) {
		if (strstr(text, "{file}") && strstr(text, "{address}"))
			return ERR_OK;
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'write' must be a command with {file} and {address} in it, or "
			"'probe'");
	}
	if (strcmp(p->probe, "none") != 0 && p->emulator[0])
		return ERR_OK;
	return yaml_err(doc, n, ERR_INVALID, ctx,
		"'write: probe' is for emulators with their debugger: a real flash wants a "
		"command, as of OpenOCD, pyOCD or probe-rs");
}

enum err flash_parse(struct device_profile *p, struct yaml_doc *doc,
	const struct yaml_node *n, struct err_ctx *ctx)
{
	static const char *const keys[] = {"base", "size", "write", NULL};
	enum err e;

	if (strcmp(p->driver, "serial") != 0 || yaml_kind(n) != YAML_MAPPING)
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'flash' is for driver 'serial', as {base: ADDRESS, size: BYTES, "
			"write: COMMAND}");
	e = yaml_check_keys(doc, n, keys, ctx);
	e = e ? e : number(doc, n, "base", &p->flash.base, ctx);
	e = e ? e : number(doc, n, "size", &p->flash.size, ctx);
	if (!e && (!p->flash.size || p->flash.size > UINT32_MAX - p->flash.base))
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'flash' is empty, or reaches beyond the address space");
	return e ? e : parse_write(p, doc, n, ctx);
}

enum err flash_check(const struct device_profile *p, const struct device_info *info,
	struct err_ctx *ctx)
{
	uint32_t base = 0, size = 0;
	char text[40];
	int used = 0;

	if (!p->flash.size)
		return ERR_OK;
	cpu_arch_line(info->description, "readable", text, sizeof(text));
	if (sscanf(text, "%8" SCNx32 " %8" SCNx32 "%n", &base, &size, &used) != 2 ||
		text[used])
		return err_set(ctx, ERR_DEVICE,
			"its agent does not say what images may read there: put the agent "
			"of this version on the board, or take 'flash' out of the profile");
	if (size > AGENT_BYTES && p->flash.base >= base &&
		p->flash.base - base >= AGENT_BYTES &&
		p->flash.size <= size - AGENT_BYTES &&
		p->flash.base - base <= size - p->flash.size)
		return ERR_OK;
	return err_set(ctx, ERR_DEVICE,
		"its agent lets images read 0x%x bytes from 0x%x on, the first 0x%x of which "
		"are its own: 'flash' in the device profile lies elsewhere",
		(unsigned)size, (unsigned)base, AGENT_BYTES);
}

/* Writing */

static const struct upload_note *find(struct device *d, const struct hash *image)
{
	const struct upload_note *note = upload_find(d, image);

	return note && note->placed.size ? note : NULL;
}

static int is_same(const struct placed *a, const struct placed *b)
{
	return a->address == b->address && a->size == b->size && a->crc == b->crc;
}

/* flash.bin beside the image, of whatever path. */
static enum err read_file(const struct upload_note *note, char path[4096],
	struct buf *out, struct err_ctx *ctx)
{
	const char *slash = strrchr(note->path, '/');
	int folder = slash ? (int)(slash - note->path) + 1 : 0;
	enum err e;

	if (snprintf(path, 4096, "%.*sflash.bin", folder, note->path) >= 4096)
		return err_set(ctx, ERR_INVALID, "path '%s' is too long", note->path);
	e = file_read(path, note->placed.size, out, ctx);
	if (e)
		return e;
	if (out->len == note->placed.size &&
		crc32_update(0, out->data, out->len) == note->placed.crc)
		return ERR_OK;
	return err_set(
		ctx, ERR_INVALID, "'%s' is not what the image beside it wants", path);
}

/* The profile's command with what it asks for. */
static enum err fill_in(const char *text, const char *path, const struct placed *p,
	struct buf *out, struct err_ctx *ctx)
{
	static const char *const names[] = {"{file}", "{address}", "{size}"};
	char address[16], size[16];
	const char *const values[] = {path, address, size};

	if (path[strspn(path, PLAIN)])
		return err_set(ctx, ERR_INVALID,
			"'%s' cannot be given to the command of 'flash': keep the results in "
			"a folder of letters, digits, '-', '_' and '.'",
			path);
	snprintf(address, sizeof(address), "0x%08" PRIx32, p->address);
	snprintf(size, sizeof(size), "%" PRIu32, p->size);
	while (*text) {
		size_t i = 0;

		while (i < 3 && strncmp(text, names[i], strlen(names[i])) != 0)
			i++;
		if (i < 3)
			buf_puts(out, values[i]);
		else
			buf_putc(out, *text);
		text += i < 3 ? strlen(names[i]) : 1;
	}
	return buf_err(out, ctx);
}

/* A tool resets the board, as a rule: what is there then is a new session. */
static enum err run_command(
	struct device *d, const char *path, const struct placed *p, struct err_ctx *ctx)
{
	struct buf command;
	enum err e;

	buf_init(&command);
	e = fill_in(d->profile.flash.write, path, p, &command, ctx);
	e = e ? e : host_command(command.data, WRITE_MS, d->cancel, ctx);
	buf_release(&command);
	return e ? e : device_recover(d, ctx);
}

static enum err write_there(
	struct device *d, const struct upload_note *note, struct err_ctx *ctx)
{
	const struct device_flash *f = &d->profile.flash;
	const struct placed *p = &note->placed;
	char path[4096];
	struct buf data;
	enum err e;

	if (p->address < f->base || p->size > f->size ||
		p->address - f->base > f->size - p->size)
		return err_set(ctx, ERR_INVALID,
			"the image wants %" PRIu32 " bytes from 0x%" PRIx32
			" on, which are "
			"not in 'flash' of the device profile",
			p->size, p->address);
	buf_init(&data);
	e = read_file(note, path, &data, ctx);
	if (!e && strcmp(f->write, BY_PROBE) == 0)
		e = probe_write(d, p->address, (const uint8_t *)data.data, data.len, ctx);
	else if (!e)
		e = run_command(d, path, p, ctx);
	buf_release(&data);
	return e;
}

enum err flash_write(struct device *d, const struct hash *image, struct err_ctx *ctx)
{
	const struct upload_note *note = find(d, image);
	struct placed placed;
	enum err e;

	if (!note)
		return err_set(ctx, ERR_NOTFOUND, "the image was not uploaded to '%s'",
			d->profile.name);
	placed = note->placed;
	memset(&d->link.refusal, 0, sizeof(d->link.refusal)); /* what follows is not one */
	memset(&d->in_flash, 0, sizeof(d->in_flash));
	e = write_there(d, note, ctx);
	if (!e)
		d->in_flash = placed;
	if (e == ERR_TOOL || e == ERR_LINK || e == ERR_IO)
		e = ERR_DEVICE;
	return e ? err_prefix(ctx, e, "device '%s': its flash is not written",
			   d->profile.name)
		 : ERR_OK;
}

enum err flash_prepare(struct device *d, const struct hash *image, struct err_ctx *ctx)
{
	const struct upload_note *note = find(d, image);

	if (!note || !d->in_flash.size || is_same(&note->placed, &d->in_flash))
		return ERR_OK;
	return flash_write(d, image, ctx);
}

int flash_is_stale(
	struct device *d, const struct hash *image, const struct wire_done *done)
{
	const struct upload_note *note = find(d, image);

	if (!note)
		return 0;
	if (done->outcome == OUTCOME_EXIT && done->code == HARNESS_EXIT_FLASH)
		return 1;
	if (done->outcome == OUTCOME_OK)
		d->in_flash = note->placed;
	return 0;
}
