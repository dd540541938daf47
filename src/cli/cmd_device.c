/* `hawser device`: which devices are known, and what one of them says of itself. */
#include "src/cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "src/cli/device_probe.h"

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
	const char *name;
	struct device_profile profile;
	int loaded;
	char state[sizeof(((struct err_ctx *)0)->msg)];
};

/* Opening is the only honest way to know whether a device can be had. */
static void look_at(struct row *r, const char *which)
{
	struct err_ctx ctx = {{0}};
	struct device *d = NULL;

	memset(r, 0, sizeof(*r));
	r->name = which;
	r->loaded = device_profile_load(&r->profile, which, &ctx) == ERR_OK;
	if (r->loaded && device_open(&d, &r->profile, &ctx) == ERR_OK)
		snprintf(r->state, sizeof(r->state), "ready");
	else
		snprintf(r->state, sizeof(r->state), "%s", ctx.msg);
	device_close(d);
}

static enum err list(int argc, struct err_ctx *ctx)
{
	json_t *all = json_array();
	char **names;
	enum err e;

	if (argc > 2)
		e = err_set(ctx, ERR_USAGE, "'device list' takes no name");
	else
		e = device_profile_list(&names, ctx);
	if (e) {
		json_decref(all);
		return e;
	}
	if (!json_flag)
		printf("%-16s %-8s %-28s %s\n", "NAME", "DRIVER", "COMPILER", "STATE");
	for (size_t i = 0; names[i]; i++) {
		struct row r;

		look_at(&r, names[i]);
		if (json_flag)
			json_array_append_new(
				all, json_pack("{s:s, s:s, s:s, s:s}", "name", r.name,
					     "driver", r.profile.driver, "cc",
					     r.profile.cc, "state", r.state));
		else
			printf("%-16s %-8s %-28s %s\n", r.name,
				r.loaded ? r.profile.driver : "?", r.profile.cc, r.state);
	}
	free(names);
	if (json_flag)
		return device_print_json(all, ctx);
	json_decref(all);
	return ERR_OK;
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
	.details = "list opens every profile of devices/profiles and of your own folder "
		   "and says whether\nthe device can be had.\n"
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
