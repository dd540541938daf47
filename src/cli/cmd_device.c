/* `hawser device`: which devices are known, and what one of them says of itself. */
#include "src/cli/cli.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "devices/device.h"
#include "src/base/stats.h"

#define N_PINGS 200
#define PROBE_UPLOAD_BYTES (2u << 20)

static const char *json_flag;

static const struct cli_option options[] = {
	{"json", NULL, "print JSON", 0, &json_flag},
	{NULL, NULL, NULL, 0, NULL},
};

static enum err print_json(json_t *o, struct err_ctx *ctx)
{
	int failed =
		!o || json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0;

	json_decref(o);
	if (failed)
		return err_set(ctx, ERR_IO, "cannot write the JSON");
	putchar('\n');
	return ERR_OK;
}

/* One line of `device list`. */
struct row {
	const char *name;
	struct device_profile profile;
	int loaded;
	char state[sizeof(((struct err_ctx *)0)->msg)];
};

/* Opening is the only honest way to know whether a device can be had. */
static void look_at(struct row *r, const char *name)
{
	struct err_ctx ctx = {{0}};
	struct device *d = NULL;

	memset(r, 0, sizeof(*r));
	r->name = name;
	r->loaded = device_profile_load(&r->profile, name, &ctx) == ERR_OK;
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
		return print_json(all, ctx);
	json_decref(all);
	return ERR_OK;
}

/* What the link to a device can do. */
struct line_quality {
	double ping_p50_ns, ping_p99_ns, upload_bytes_per_s;
};

static enum err time_line(struct device *d, struct line_quality *q, struct err_ctx *ctx)
{
	double rtt[N_PINGS];

	for (size_t i = 0; i < N_PINGS; i++) {
		uint64_t ns;
		enum err e = device_ping(d, &ns, ctx);

		if (e)
			return e;
		rtt[i] = (double)ns;
	}
	stats_sort(rtt, N_PINGS);
	q->ping_p50_ns = stats_quantile_sorted(rtt, N_PINGS, 0.5);
	q->ping_p99_ns = stats_quantile_sorted(rtt, N_PINGS, 0.99);
	return device_measure_upload(d, PROBE_UPLOAD_BYTES, &q->upload_bytes_per_s, ctx);
}

static void print_probe(const struct device_profile *p, const struct device_info *i,
	const struct line_quality *q)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(&i->fingerprint, hex);
	printf("device            %s (%s%s)\n", p->name, p->driver,
		i->simulated ? ", simulated" : "");
	printf("fingerprint       %.*s\n", HASH_SHORT, hex);
	printf("agent             %s, protocol %u, frames of %u bytes\n", i->agent,
		i->protocol, i->max_frame_bytes);
	for (const char *s = i->description; *s;) {
		const char *colon = strchr(s, ':');
		int line = (int)strcspn(s, "\n");
		int key = colon && colon < s + line ? (int)(colon - s) : 0;

		printf("%-17.*s %.*s\n", key, s, key ? line - key - 2 : line,
			key ? colon + 2 : s);
		s += line + (s[line] == '\n');
	}
	printf("clock resolution  %llu ns\n", (unsigned long long)i->clock_resolution_ns);
	printf("evaluates inputs  %s\n", i->can_evaluate ? "yes" : "no");
	printf("energy sensor     %s%s%s\n", i->sensor[0] ? i->sensor : "none",
		i->sensor_note[0] ? ": " : "", i->sensor_note);
	printf("round trip        %.3f ms median, %.3f ms p99 of %d\n",
		q->ping_p50_ns * 1e-6, q->ping_p99_ns * 1e-6, N_PINGS);
	printf("upload            %.1f MB/s, hashed there\n",
		q->upload_bytes_per_s * 1e-6);
}

static json_t *probe_json(const struct device_profile *p, const struct device_info *i,
	const struct line_quality *q)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(&i->fingerprint, hex);
	return json_pack(
		"{s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:s, s:I, s:b, s:s, s:s, s:f, s:f, "
		"s:f}",
		"name", p->name, "driver", p->driver, "fingerprint", hex, "simulated",
		i->simulated, "agent", i->agent, "protocol", (json_int_t)i->protocol,
		"max_frame_bytes", (json_int_t)i->max_frame_bytes, "description",
		i->description, "clock_resolution_ns", (json_int_t)i->clock_resolution_ns,
		"can_evaluate", i->can_evaluate, "sensor", i->sensor, "sensor_note",
		i->sensor_note, "round_trip_ns", q->ping_p50_ns, "round_trip_p99_ns",
		q->ping_p99_ns, "upload_bytes_per_s", q->upload_bytes_per_s);
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
		e = time_line(d, &q, ctx);
	if (!e && json_flag)
		e = print_json(probe_json(&p, device_info(d), &q), ctx);
	else if (!e)
		print_probe(&p, device_info(d), &q);
	device_close(d);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	static const char *const verbs[] = {"list", "probe", NULL};
	int n;
	enum err e = cli_parse(&cmd_device, options, argc, argv, 1, 2, &n, ctx);

	if (e)
		return e;
	if (strcmp(argv[1], "list") == 0)
		return list(n + 1, ctx);
	if (strcmp(argv[1], "probe") == 0)
		return probe(n + 1, argv, ctx);
	e = cli_unknown("sub-command", argv[1], verbs, ctx);
	return err_prefix(ctx, e, "device");
}

const struct command cmd_device = {
	.name = "device",
	.summary = "list the devices and ask one what it is",
	.synopsis = "list [--json]\nprobe NAME [--json]",
	.details = "list opens every profile of devices/profiles and says whether the "
		   "device can be had.\n"
		   "probe prints what the device says of itself, the round trip of a "
		   "request and the\n"
		   "rate of an upload. NAME is a profile's name, or the path of a .yaml "
		   "file.",
	.examples = "hawser device list\nhawser device probe local\nhawser device probe "
		    "my/board.yaml --json",
	.run = run,
};
