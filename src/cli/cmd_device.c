/* `hawser device`: which devices are known, and what one of them says of itself. */
#include "src/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/cli/device_probe.h"
#include "src/store/store.h"

static const char *json_flag, *name, *ssh_config, *cache;

static const struct cli_option options[] = {
	{"name", "NAME", "add: what to call it (default: from the host's name)", 0,
		&name},
	{"ssh-config", "FILE", "add: a file instead of ~/.ssh/config", 0, &ssh_config},
	{"cache", "DIR", "add: the agent's folder there (~/.cache/hawser-agent)", 0,
		&cache},
	{"json", NULL, "print JSON", 0, &json_flag},
	{NULL, NULL, NULL, 0, NULL},
};

/* One line of `device list`. */
struct row {
	const char *name; /* or path */
	struct device_profile profile;
	int loaded;
	const struct store_device_state *known; /* NULL: no controller ever had it */
	int held;				/* by a controller that runs now */
	char state[sizeof(((struct err_ctx *)0)->msg)];
};

/* What the results database tells of devices; nothing where there is none. */
struct known {
	struct store_device_state *list;
	size_t n;
	long holder; /* pid of the controller that runs now; 0 none */
};

static enum err read_known(struct known *k, struct err_ctx *ctx)
{
	char path[1100], host[80];
	struct store *s;
	enum err e;

	memset(k, 0, sizeof(*k));
	if ((e = cli_database(path, sizeof(path), ctx)))
		return e;
	e = store_open(&s, path, STORE_READ, ctx);
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	e = store_list_device_states(s, &k->list, &k->n, ctx);
	store_close(s);
	if (!store_holder(path, &k->holder, host, sizeof(host)))
		k->holder = 0;
	return e;
}

static const struct store_device_state *find_known(
	const struct known *k, const char *which)
{
	for (size_t i = 0; i < k->n; i++)
		if (!strcmp(k->list[i].name, which))
			return &k->list[i];
	return NULL;
}

/* Opening is the only honest way to know whether a device can be had; one that a job holds
 * is left alone. */
static void look_at(struct row *r, const char *which, const struct known *k)
{
	struct err_ctx ctx = {{0}};
	struct device *d = NULL;

	memset(r, 0, sizeof(*r));
	r->name = which;
	r->known = find_known(k, which);
	r->held = r->known && r->known->pid && r->known->pid == k->holder;
	r->loaded = device_profile_load(&r->profile, which, &ctx) == ERR_OK;
	if (r->held)
		snprintf(r->state, sizeof(r->state), "%s",
			device_state_names[r->known->state]);
	else if (r->loaded && device_open(&d, &r->profile, &ctx) == ERR_OK)
		snprintf(r->state, sizeof(r->state), "ready");
	else
		snprintf(r->state, sizeof(r->state), "%s", ctx.msg);
	device_close(d);
}

/* "2026-11-25 23:44", "-" never. */
static void write_time(char *out, size_t cap, int64_t at_s)
{
	time_t t = (time_t)at_s;
	struct tm tm;

	snprintf(out, cap, "-");
	if (at_s > 0 && gmtime_r(&t, &tm))
		strftime(out, cap, "%Y-%m-%d %H:%M", &tm);
}

/* What the last controller left behind: "" when it put the device back in order. */
static void write_left(char *out, size_t cap, const struct row *r)
{
	const struct store_device_state *k = r->known;

	out[0] = '\0';
	if (!k || k->state == DEVICE_IDLE)
		return;
	if (r->held)
		snprintf(out, cap, "%s%s", k->reason[0] ? ": " : "", k->reason);
	else if (k->state == DEVICE_LEASED)
		snprintf(out, cap, " (stale lease: '%s', pid %ld is gone)", k->job,
			k->pid);
	else
		snprintf(out, cap, " (was %s: %s)", device_state_names[k->state],
			k->reason);
}

/* Of a path the file's name. */
static const char *short_name(const struct row *r)
{
	const char *slash = strrchr(r->name, '/');

	return r->loaded && device_profile_is_path(r->name) ? r->profile.name
	       : slash					    ? slash + 1
							    : r->name;
}

static void print_row(const struct row *r)
{
	const struct store_device_state *k = r->known;
	char seen[32], temperature[24] = "-", lease[160] = "-", left[400], flash[64] = "";

	write_time(seen, sizeof(seen), k ? k->seen_s : 0);
	if (k && k->temp_mc != INT32_MIN)
		snprintf(temperature, sizeof(temperature), "%.1f", k->temp_mc / 1000.);
	if (r->held)
		snprintf(lease, sizeof(lease), "%s, pid %ld", k->job, k->pid);
	write_left(left, sizeof(left), r);
	if (r->loaded && r->profile.flash.size)
		snprintf(flash, sizeof(flash), "; %u KB of flash for weights",
			(unsigned)r->profile.flash.size / 1024);
	printf("%-16s %-7s %-22s %-16s %5s  %-20s %s%s%s%s%s\n", short_name(r),
		r->loaded ? r->profile.driver : "?", r->profile.cc, seen, temperature,
		lease, r->state, left, flash, device_profile_is_path(r->name) ? "; " : "",
		device_profile_is_path(r->name) ? r->name : "");
}

static json_t *row_json(const struct row *r)
{
	const struct store_device_state *k = r->known;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "name", short_name(r), "driver",
		r->profile.driver, "cc", r->profile.cc, "state", r->state);

	if (device_profile_is_path(r->name))
		json_object_set_new(o, "path", json_string(r->name));
	if (r->loaded && r->profile.flash.size)
		json_object_set_new(o, "flash", device_flash_json(&r->profile.flash));
	if (!k)
		return o;
	json_object_set_new(o, "last_state", json_string(device_state_names[k->state]));
	json_object_set_new(
		o, "stale_lease", json_boolean(k->state == DEVICE_LEASED && !r->held));
	json_object_set_new(o, "last_reason", json_string(k->reason));
	json_object_set_new(o, "since", json_integer(k->since_s));
	json_object_set_new(o, "last_seen", json_integer(k->seen_s));
	json_object_set_new(o, "recoveries", json_integer(k->n_recoveries));
	if (k->temp_mc != INT32_MIN)
		json_object_set_new(o, "temperature_c", json_real(k->temp_mc / 1000.));
	if (r->held)
		json_object_set_new(o, "lease",
			json_pack("{s:s, s:I, s:s}", "job", k->job, "pid",
				(json_int_t)k->pid, "host", k->host));
	return o;
}

static void list_one(const char *which, const struct known *k, json_t *all)
{
	struct row r;

	look_at(&r, which, k);
	if (json_flag)
		json_array_append_new(all, row_json(&r));
	else
		print_row(&r);
}

static enum err list(int argc, struct err_ctx *ctx)
{
	json_t *all = json_array();
	char **names = NULL;
	struct known k = {NULL, 0, 0};
	enum err e;

	if (argc > 2)
		e = err_set(ctx, ERR_USAGE, "'device list' takes no name");
	else if (!(e = read_known(&k, ctx)))
		e = device_profile_list(&names, ctx);
	if (!e && !json_flag)
		printf("%-16s %-7s %-22s %-16s %5s  %-20s %s\n", "NAME", "DRIVER",
			"COMPILER", "LAST SEEN (UTC)", "C", "LEASE", "STATE");
	for (size_t i = 0; !e && names[i]; i++)
		list_one(names[i], &k, all);
	for (size_t i = 0; !e && i < k.n; i++)
		if (device_profile_is_path(k.list[i].name))
			list_one(k.list[i].name, &k, all);
	free(names);
	free(k.list);
	if (!e && json_flag)
		return device_print_json(all, ctx);
	json_decref(all);
	return e;
}

static enum err probe(int argc, char **argv, struct err_ctx *ctx)
{
	struct device_profile p;
	struct line_quality q;
	struct device *d = NULL;
	enum err e;

	if (argc < 3)
		return err_set(ctx, ERR_USAGE,
			"'device probe' wants a name: 'hawser device list' shows them");
	e = device_profile_load(&p, argv[2], ctx);
	if (!e)
		e = device_open(&d, &p, ctx);
	if (!e)
		e = device_time_line(d, &q, ctx);
	if (!e && json_flag)
		e = device_print_json(device_probe_json(&p, device_info(d), &q), ctx);
	else if (!e)
		device_print_probe(&p, device_info(d), &q);
	device_close(d);
	return e;
}

static enum err add(int argc, char **argv, struct err_ctx *ctx)
{
	struct device_add_options o = {name, ssh_config ? ssh_config : "",
		cache ? cache : "", json_flag != NULL};

	if (argc < 3)
		return err_set(
			ctx, ERR_USAGE, "'device add' wants an address: ssh://USER@HOST");
	return device_add(argv[2], &o, ctx);
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	static const char *const verbs[] = {"list", "probe", "add", NULL};
	int n;
	enum err e = cli_parse(&cmd_device, options, argc, argv, 1, 2, &n, ctx);

	if (e)
		return e;
	if (strcmp(argv[1], "list") == 0)
		return list(n + 1, ctx);
	if (strcmp(argv[1], "probe") == 0)
		return probe(n + 1, argv, ctx);
	if (strcmp(argv[1], "add") == 0)
		return add(n + 1, argv, ctx);
	e = cli_unknown("sub-command", argv[1], verbs, ctx);
	return err_prefix(ctx, e, "device");
}

const struct command cmd_device = {
	.name = "device",
	.summary = "list the devices, ask one what it is, add one over SSH",
	.synopsis = "list [--json]\nprobe NAME [--json]\n"
		    "add ssh://USER@HOST[:PORT] [--name NAME] [--json]",
	.details =
		"list opens every profile of devices/profiles and of your own folder "
		"and says whether\nthe device can be had, when it was last seen, and "
		"which job holds it (--results);\n"
		"so too for devices that were named there by the path of their profile.\n"
		"probe prints what the device says of itself, the round trip of a "
		"request and the\n"
		"rate of an upload. NAME is a profile's name, or the path of a .yaml "
		"file.\n"
		"add connects with your own ssh (keys, known hosts, jump hosts as in "
		"~/.ssh/config; it\n"
		"asks nothing, so connect once by hand first), sends the agent, and "
		"writes a profile with\n"
		"the compiler and flags of that machine to "
		"$XDG_CONFIG_HOME/hawser/devices (~/.config).\n"
		"A profile that is there is never overwritten. Then a known network "
		"is built, sent and\n"
		"run there, and its answers are compared with the host's.",
	.examples = "hawser device list\nhawser device probe local\nhawser device probe "
		    "my/board.yaml --json\n"
		    "hawser device add ssh://pi@raspberrypi.local --name pi",
	.run = run,
};
