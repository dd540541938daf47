#include <stdio.h>
#include <string.h>

#include "devices/flash.h"
#include "devices/profile_folder.h"
#include "devices/profile_keys.h"
#include "devices/transport/dial.h"
#include "devices/transport/ssh.h"
#include "src/base/yaml.h"

static const char *const keys[] = {"driver", "uri", "port", "baud", "emulator", "board",
	"cpuid", "window", "probe", "ssh_config", "cache", "cc", "cflags", "isa", "cpu",
	"threads", "timeout_ms", "memory_bytes", "flash_bytes", "ram_bytes", "sensor",
	"sysfs_root", "law", "about", "health_factor", "power_cycle", "flash", "meter",
	NULL};

/* A mapping of numbers becomes "key=value,..." for the agent, which knows the keys. */
static enum err law(const struct profile_keys *l, char *out, size_t cap)
{
	const struct yaml_node *n = yaml_get(l->root, "law");
	size_t len = 0;

	if (!n)
		return ERR_OK;
	if (yaml_kind(n) != YAML_MAPPING)
		return yaml_err(l->doc, n, ERR_INVALID, l->ctx,
			"'law' must be a mapping of keys to numbers");
	for (size_t i = 0; i < yaml_count(n); i++) {
		const struct yaml_node *value = yaml_value(n, i);
		const char *s;
		double number;
		enum err e = yaml_double(l->doc, value, 0, 1e18, &number, l->ctx);

		if (!e)
			e = yaml_str(l->doc, value, &s, l->ctx);
		if (e)
			return e;
		len += (size_t)snprintf(out + len, cap - len, "%s%s=%s", len ? "," : "",
			yaml_key(n, i), s);
		if (len >= cap)
			return yaml_err(
				l->doc, n, ERR_INVALID, l->ctx, "'law' is too long");
	}
	return ERR_OK;
}

/* A URI says which driver it is for. */
static enum err check_uri(const struct profile_keys *l, struct device_profile *p)
{
	const struct yaml_node *n = yaml_get(l->root, "uri");
	struct ssh_address a;
	struct err_ctx why = {{0}};
	enum err e = key_text(l, "uri", p->uri, sizeof(p->uri));

	if (e || !n)
		return e;
	if (ssh_address_parse(&a, p->uri, &why) != ERR_OK)
		return yaml_err(l->doc, n, ERR_INVALID, l->ctx, "%s", why.msg);
	snprintf(p->driver, sizeof(p->driver), "ssh");
	n = yaml_get(l->root, "driver");
	e = key_text(l, "driver", p->driver, sizeof(p->driver));
	if (!e && strcmp(p->driver, "ssh") != 0)
		return yaml_err(l->doc, n, ERR_INVALID, l->ctx,
			"driver '%s' knows no 'uri'", p->driver);
	return e;
}

static enum err check_ssh(const struct profile_keys *l, struct device_profile *p)
{
	enum err e = key_text(l, "ssh_config", p->ssh_config, sizeof(p->ssh_config));

	e = e ? e : key_text(l, "cache", p->cache, sizeof(p->cache));
	if (!e && p->cache[0] && p->cache[0] != '/')
		return yaml_err(l->doc, yaml_get(l->root, "cache"), ERR_INVALID, l->ctx,
			"'cache' must be a whole path, from '/'");
	return e;
}

static enum err check_probe(const struct profile_keys *l, struct device_profile *p)
{
	enum err e = key_text(l, "probe", p->probe, sizeof(p->probe));

	if (e || !p->probe[0] || strcmp(p->probe, "none") == 0 ||
		dial_is_address(p->probe))
		return e;
	return yaml_err(l->doc, yaml_get(l->root, "probe"), ERR_INVALID, l->ctx,
		"'probe' must be HOST:PORT of a GDB server, the path of its socket, or none");
}

static enum err check_serial(const struct profile_keys *l, struct device_profile *p)
{
	enum err e = key_text(l, "port", p->port, sizeof(p->port));

	e = e ? e : key_text(l, "emulator", p->emulator, sizeof(p->emulator));
	e = e ? e : key_text(l, "board", p->board, sizeof(p->board));
	e = e ? e : key_text(l, "cpuid", p->cpuid, sizeof(p->cpuid));
	e = e ? e : key_text(l, "window", p->window, sizeof(p->window));
	e = e ? e : key_small(l, "baud", 300, 4000000, &p->baud);
	e = e ? e : check_probe(l, p);
	if (e || strcmp(p->driver, "serial") != 0)
		return e;
	if (!p->port[0] == !p->emulator[0])
		return yaml_err(l->doc, l->root, ERR_INVALID, l->ctx,
			"driver 'serial' needs either 'port: /dev/serial/by-id/...' or "
			"'emulator: COMMAND'");
	if (!p->emulator[0])
		return ERR_OK;
	if (!p->board[0] || strspn(p->board, "abcdefghijklmnopqrstuvwxyz0123456789-_") !=
				    strlen(p->board))
		return yaml_err(l->doc, l->root, ERR_INVALID, l->ctx,
			"an emulator needs 'board: NAME', a folder of devices/boards, "
			"for its firmware");
	return ERR_OK;
}

static enum err check_driver(const struct profile_keys *l, struct device_profile *p)
{
	const struct yaml_node *n;
	enum err e = check_uri(l, p);
	char known[128] = "";

	if (e || p->driver[0])
		return e;
	e = yaml_require(l->doc, l->root, "driver", &n, l->ctx);
	if (!e)
		e = key_text(l, "driver", p->driver, sizeof(p->driver));
	if (!e && strcmp(p->driver, "ssh") == 0)
		return yaml_err(l->doc, n, ERR_INVALID, l->ctx,
			"driver 'ssh' needs 'uri: ssh://USER@HOST'");
	if (e || device_driver_find(p->driver))
		return e;
	for (size_t i = 0; device_driver_at(i); i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			i ? ", " : "", device_driver_at(i)->name);
	return yaml_err(l->doc, n, ERR_INVALID, l->ctx,
		"unknown driver '%s': use one of %s", p->driver, known);
}

static enum err check_cpu(const struct profile_keys *l, const struct device_profile *p)
{
	if (strcmp(p->cpu, "auto") == 0 || strcmp(p->cpu, "any") == 0 ||
		(p->cpu[0] && p->cpu[strspn(p->cpu, "0123456789")] == '\0'))
		return ERR_OK;
	return yaml_err(l->doc, yaml_get(l->root, "cpu"), ERR_INVALID, l->ctx,
		"'cpu' must be auto, any or the number of a core");
}

static enum err check_cc(const struct profile_keys *l, const struct device_profile *p)
{
	if (p->cc[0])
		return ERR_OK;
	return yaml_err(l->doc, yaml_get(l->root, "cc"), ERR_INVALID, l->ctx,
		"'cc' is empty: name the target's compiler");
}

/* What tells a sick device, and what may cure it. */
static enum err care(const struct profile_keys *l, struct device_profile *p)
{
	const struct yaml_node *n = yaml_get(l->root, "health_factor");
	enum err e = key_text(l, "power_cycle", p->power_cycle, sizeof(p->power_cycle));

	if (e || !n)
		return e;
	e = yaml_double(l->doc, n, 0, 1e6, &p->health_factor, l->ctx);
	if (!e && p->health_factor != 0 && p->health_factor <= 1)
		return yaml_err(l->doc, n, ERR_INVALID, l->ctx,
			"'health_factor' must be above 1, or 0 for no check");
	return e;
}

static enum err flash(const struct profile_keys *l, struct device_profile *p)
{
	const struct yaml_node *n = yaml_get(l->root, "flash");

	return n ? flash_parse(p, l->doc, n, l->ctx) : ERR_OK;
}

static enum err load(const struct profile_keys *l, struct device_profile *p)
{
	enum err e = yaml_check_keys(l->doc, l->root, keys, l->ctx);
	char about[512];

	e = e ? e : check_driver(l, p);
	snprintf(p->cc, sizeof(p->cc), "%s",
		strcmp(p->driver, "sim") == 0 ? "none" : "gcc");
	e = e ? e : key_text(l, "cc", p->cc, sizeof(p->cc));
	e = e ? e : check_cc(l, p);
	e = e ? e : check_ssh(l, p);
	e = e ? e : check_serial(l, p);
	e = e ? e : key_text(l, "cflags", p->cflags, sizeof(p->cflags));
	e = e ? e : key_text(l, "isa", p->isa, sizeof(p->isa));
	e = e ? e : key_text(l, "cpu", p->cpu, sizeof(p->cpu));
	e = e ? e : check_cpu(l, p);
	e = e ? e : key_small(l, "threads", 1, DEVICE_MAX_THREADS, &p->threads);
	e = e ? e : key_small(l, "timeout_ms", 10, 24 * 3600 * 1000, &p->timeout_ms);
	e = e ? e : key_bytes(l, "memory_bytes", &p->memory_bytes);
	e = e ? e : key_bytes(l, "flash_bytes", &p->flash_bytes);
	e = e ? e : key_bytes(l, "ram_bytes", &p->ram_bytes);
	e = e ? e : key_text(l, "sensor", p->sensor, sizeof(p->sensor));
	e = e ? e : key_text(l, "sysfs_root", p->sysfs_root, sizeof(p->sysfs_root));
	e = e ? e : key_text(l, "about", about, sizeof(about));
	e = e ? e : care(l, p);
	e = e ? e : flash(l, p);
	e = e ? e : profile_meter(l, p);
	return e ? e : law(l, p->sim_law, sizeof(p->sim_law));
}

static void set_name(struct device_profile *p, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	path = slash ? slash + 1 : path;
	n = strlen(path) - strlen(PROFILE_SUFFIX);
	if (n >= sizeof(p->name))
		n = sizeof(p->name) - 1;
	memcpy(p->name, path, n);
	p->name[n] = '\0';
}

enum err device_profile_load(
	struct device_profile *p, const char *name_or_path, struct err_ctx *ctx)
{
	struct device_profile q = {.cpu = "auto",
		.threads = 1,
		.baud = 115200,
		.sensor = "auto",
		.timeout_ms = 60000,
		.health_factor = 3};
	struct profile_keys l = {.ctx = ctx};
	char path[4400];
	enum err e = profile_locate(path, sizeof(path), name_or_path, ctx);

	if (!e)
		e = yaml_open(&l.doc, path, ctx);
	if (e)
		return e;
	l.root = yaml_root(l.doc);
	set_name(&q, path);
	e = load(&l, &q);
	yaml_close(l.doc);
	if (!e)
		*p = q;
	return e;
}
