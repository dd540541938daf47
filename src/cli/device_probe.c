#include "src/cli/device_probe.h"

#include <stdio.h>
#include <string.h>

#include "src/base/stats.h"

#define N_PINGS 200
#define PROBE_UPLOAD_BYTES (2u << 20)
#define FIRST_UPLOAD_BYTES (8u << 10) /* tells slow lines, where that much is enough */
#define FIRST_UPLOADS 3		      /* at most: a hiccup makes no slow line */
#define FAST_BYTES_PER_S 1e6

enum err device_print_json(json_t *o, struct err_ctx *ctx)
{
	int failed =
		!o || json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0;

	json_decref(o);
	if (failed)
		return err_set(ctx, ERR_IO, "cannot write the JSON");
	putchar('\n');
	return ERR_OK;
}

enum err device_time_line(struct device *d, struct line_quality *q, struct err_ctx *ctx)
{
	double rtt[N_PINGS];
	enum err e = ERR_OK;

	for (size_t i = 0; i < N_PINGS; i++) {
		uint64_t ns;

		e = device_ping(d, &ns, ctx);
		if (e)
			return e;
		rtt[i] = (double)ns;
	}
	stats_sort(rtt, N_PINGS);
	q->ping_p50_ns = stats_quantile_sorted(rtt, N_PINGS, 0.5);
	q->ping_p99_ns = stats_quantile_sorted(rtt, N_PINGS, 0.99);
	q->upload_bytes_per_s = 0;
	for (int i = 0; i < FIRST_UPLOADS && !e && q->upload_bytes_per_s < FAST_BYTES_PER_S; i++) {
		double rate;

		e = device_measure_upload(d, FIRST_UPLOAD_BYTES, &rate, ctx);
		if (!e && rate > q->upload_bytes_per_s)
			q->upload_bytes_per_s = rate;
	}
	if (!e && q->upload_bytes_per_s > FAST_BYTES_PER_S)
		e = device_measure_upload(
			d, PROBE_UPLOAD_BYTES, &q->upload_bytes_per_s, ctx);
	snprintf(q->upload_note, sizeof(q->upload_note), "%s", device_upload_note(d));
	return e;
}

void device_print_probe(const struct device_profile *p, const struct device_info *i,
	const struct line_quality *q)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(&i->fingerprint, hex);
	printf("device            %s (%s%s)\n", p->name, p->driver,
		i->simulated	    ? ", simulated"
		: i->instruction_ns ? ", emulated: counts instructions"
		: i->emulated	    ? ", emulated: never timed"
				    : "");
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
	if (i->boots)
		printf("boots             %u, the last one because %s\n",
			(unsigned)i->boots, i->reset);
	if (p->flash.size)
		printf("flash             %u bytes for weights from 0x%08x on, written by: "
		       "%s\n",
			(unsigned)p->flash.size, (unsigned)p->flash.base, p->flash.write);
	printf("clock resolution  %llu ns\n", (unsigned long long)i->clock_resolution_ns);
	printf("evaluates inputs  %s\n", i->can_evaluate ? "yes" : "no");
	printf("energy sensor     %s%s%s\n", i->sensor[0] ? i->sensor : "none",
		i->sensor_note[0] ? ": " : "", i->sensor_note);
	printf("round trip        %.3f ms median, %.3f ms p99 of %d\n",
		q->ping_p50_ns * 1e-6, q->ping_p99_ns * 1e-6, N_PINGS);
	printf("upload            %.4g MB/s, hashed there%s%s\n",
		q->upload_bytes_per_s * 1e-6, q->upload_note[0] ? "; " : "",
		q->upload_note);
}

json_t *device_flash_json(const struct device_flash *f)
{
	return json_pack("{s:I, s:I, s:s}", "base", (json_int_t)f->base, "size",
		(json_int_t)f->size, "write", f->write);
}

json_t *device_probe_json(const struct device_profile *p, const struct device_info *i,
	const struct line_quality *q)
{
	char hex[HASH_HEX + 1];
	json_t *o;

	hash_to_hex(&i->fingerprint, hex);
	o = json_pack(
		"{s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:s, s:I, s:I, s:s, s:I, s:b, s:s, s:s, s:f, "
		"s:f, s:f}",
		"name", p->name, "driver", p->driver, "fingerprint", hex, "simulated",
		i->simulated, "emulated", i->emulated, "boots", (json_int_t)i->boots,
		"reset", i->reset, "agent", i->agent, "protocol", (json_int_t)i->protocol,
		"max_frame_bytes", (json_int_t)i->max_frame_bytes, "description",
		i->description, "clock_resolution_ns", (json_int_t)i->clock_resolution_ns,
		"can_evaluate", i->can_evaluate, "sensor", i->sensor, "sensor_note",
		i->sensor_note, "round_trip_ns", q->ping_p50_ns, "round_trip_p99_ns",
		q->ping_p99_ns, "upload_bytes_per_s", q->upload_bytes_per_s);
	if (p->flash.size)
		json_object_set_new(o, "flash", device_flash_json(&p->flash));
	return o;
}
