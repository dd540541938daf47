#include "devices/profile_folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/device.h"
#include "src/base/buf.h"
#include "src/base/file.h"

#define OWN "devices/profiles"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define MAX_NAME 40 /* with a metric before it: METRIC_NAME_MAX */

/* $XDG_CONFIG_HOME/hawser/devices, or below ~/.config. */
static enum err user_folder(char *out, size_t cap, struct err_ctx *ctx)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	if (xdg && xdg[0] == '/')
		n = snprintf(out, cap, "%s/hawser/devices", xdg);
	else if (home && home[0] == '/')
		n = snprintf(out, cap, "%s/.config/hawser/devices", home);
	else
		return err_set(
			ctx, ERR_NOTFOUND, "neither HOME nor XDG_CONFIG_HOME is set");
	return (size_t)n < cap
		       ? ERR_OK
		       : err_set(ctx, ERR_INVALID, "the folder's path is too long");
}

static enum err own_folder(char *out, size_t cap, struct err_ctx *ctx)
{
	char home[4096];
	enum err e = file_home(home, sizeof(home), ctx);

	return e ? e : file_join(out, cap, home, OWN, ctx);
}

int device_profile_is_path(const char *s)
{
	size_t n = strlen(s), suffix = strlen(PROFILE_SUFFIX);

	return n > suffix && strcmp(s + n - suffix, PROFILE_SUFFIX) == 0;
}

void device_profile_full_name(const char *name, char *out, size_t cap)
{
	char path[PATH_MAX];

	if (!device_profile_is_path(name) || !realpath(name, path) || strlen(path) >= cap)
		snprintf(path, sizeof(path), "%s", name);
	snprintf(out, cap, "%.*s", (int)cap - 1, path);
}

static enum err file_in(
	char *out, size_t cap, const char *folder, const char *name, struct err_ctx *ctx)
{
	if ((size_t)snprintf(out, cap, "%s/%s" PROFILE_SUFFIX, folder, name) >= cap)
		return err_set(ctx, ERR_INVALID, "the folder's path is too long");
	return ERR_OK;
}

enum err profile_locate(char *out, size_t cap, const char *name, struct err_ctx *ctx)
{
	char folder[4200];
	enum err e;

	if (device_profile_is_path(name)) {
		if ((size_t)snprintf(out, cap, "%s", name) >= cap)
			return err_set(ctx, ERR_INVALID,
				"the path '%.60s...' is too long", name);
		return ERR_OK;
	}
	if (!name[0] || strlen(name) >= 64 || strchr(name, '/') || name[0] == '.')
		return err_set(ctx, ERR_USAGE,
			"'%.80s' is not a device's name: 'hawser device list' shows them",
			name);
	if (user_folder(folder, sizeof(folder), NULL) == ERR_OK &&
		file_in(out, cap, folder, name, NULL) == ERR_OK && file_exists(out))
		return ERR_OK;
	e = own_folder(folder, sizeof(folder), ctx);
	e = e ? e : file_in(out, cap, folder, name, ctx);
	if (!e && !file_exists(out))
		return err_set(ctx, ERR_NOTFOUND,
			"no device '%s': 'hawser device list' shows those that are known",
			name);
	return e;
}

/* List */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names, each with its NUL, one after another. */
static enum err collect(
	const char *folder, struct buf *names, size_t *n, struct err_ctx *ctx)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	if (!dir)
		return err_set(ctx, ERR_NOTFOUND, "cannot read '%s': %s", folder,
			strerror(errno));
	while ((e = readdir(dir))) {
		size_t len = strlen(e->d_name);

		if (e->d_name[0] == '.' || !device_profile_is_path(e->d_name))
			continue;
		buf_append(names, e->d_name, len - strlen(PROFILE_SUFFIX));
		buf_putc(names, '\0');
		++*n;
	}
	closedir(dir);
	return buf_err(names, ctx);
}

/* Pointers to the names, sorted, each once; with the names behind them in one block. */
static char **index_names(const struct buf *names, size_t n)
{
	char **list = malloc((n + 1) * sizeof(*list) + names->len + 1), *at;
	size_t kept = 0;

	if (!list)
		return NULL;
	at = (char *)(list + n + 1);
	memcpy(at, buf_str(names), names->len);
	for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
		list[i] = at;
	qsort(list, n, sizeof(*list), by_name);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(list[kept - 1], list[i]) != 0)
			list[kept++] = list[i];
	list[kept] = NULL;
	return list;
}

enum err device_profile_list(char ***out, struct err_ctx *ctx)
{
	char folder[4200], **list;
	struct buf names;
	size_t n = 0;
	enum err e = own_folder(folder, sizeof(folder), ctx);

	buf_init(&names);
	e = e ? e : collect(folder, &names, &n, ctx);
	if (!e && user_folder(folder, sizeof(folder), NULL) == ERR_OK &&
		file_is_dir(folder))
		e = collect(folder, &names, &n, ctx);
	list = e ? NULL : index_names(&names, n);
	buf_release(&names);
	if (!list)
		return e ? e : err_set(ctx, ERR_NOMEM, "out of memory");
	*out = list;
	return ERR_OK;
}

/* Add */

enum err device_profile_check_new(
	const char *name, char *path, size_t cap, struct err_ctx *ctx)
{
	char folder[4200];
	enum err e;

	if (!name[0] || name[0] == '.' || name[0] == '-' || strlen(name) > MAX_NAME ||
		name[strspn(name, LETTERS)] || device_profile_is_path(name))
		return err_set(ctx, ERR_USAGE,
			"'%.80s' is no name for a device: at most %d letters, digits, "
			"'-', '_' and '.', and no '" PROFILE_SUFFIX "'",
			name, MAX_NAME);
	e = profile_locate(path, cap, name, NULL);
	if (e == ERR_OK)
		return err_set(ctx, ERR_EXISTS,
			"device '%s' is there already ('%s'): remove it, or give --name "
			"another one",
			name, path);
	e = user_folder(folder, sizeof(folder), ctx);
	return e ? e : file_in(path, cap, folder, name, ctx);
}

static void line(struct buf *out, const char *key, const char *value)
{
	if (!value[0])
		return;
	buf_printf(out, "%s: \"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *value >= 0 && *value < 32 ? ' ' : *value);
	}
	buf_puts(out, "\"\n");
}

enum err device_profile_write(const struct device_profile *p, const char *about,
	const char *path, struct err_ctx *ctx)
{
	char folder[4200];
	struct buf text;
	enum err e;

	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	buf_init(&text);
	line(&text, "about", about);
	line(&text, "uri", p->uri);
	line(&text, "ssh_config", p->ssh_config);
	line(&text, "cache", p->cache);
	line(&text, "cc", p->cc);
	line(&text, "cflags", p->cflags);
	line(&text, "isa", p->isa);
	line(&text, "cpu", p->cpu);
	buf_printf(&text, "timeout_ms: %u\n", (unsigned)p->timeout_ms);
	if (p->memory_bytes)
		buf_printf(&text, "memory_bytes: %llu\n",
			(unsigned long long)p->memory_bytes);
	line(&text, "sensor", p->sensor);
	e = buf_err(&text, ctx);
	e = e ? e : file_mkdirs(folder, ctx);
	e = e ? e : file_write_atomic(path, text.data, text.len, 0644, ctx);
	buf_release(&text);
	return e;
}
