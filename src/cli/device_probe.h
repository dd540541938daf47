/* What a device says of itself and what its line can do, for `hawser device`. */
#ifndef HAWSER_CLI_DEVICE_PROBE_H
#define HAWSER_CLI_DEVICE_PROBE_H

#include <jansson.h>

#include "devices/device.h"

/* What the link to a device can do. */
struct line_quality {
	double ping_p50_ns, ping_p99_ns, upload_bytes_per_s;
	char upload_note[256]; /* as device_upload_note */
};

enum err device_time_line(struct device *d, struct line_quality *q, struct err_ctx *ctx);
void device_print_probe(const struct device_profile *p, const struct device_info *i,
	const struct line_quality *q);
json_t *device_flash_json(const struct device_flash *f);
json_t *device_probe_json(const struct device_profile *p, const struct device_info *i,
	const struct line_quality *q);
/* Prints and releases it. */
enum err device_print_json(json_t *o, struct err_ctx *ctx);

/* A known network, built with the profile's compiler and flags: do its answers agree with
 * the host's there, and how fast does it come to them? */
struct device_health {
	enum verdict verdict;
	char detail[256];
	double latency_us, golden_error; /* when the verdict is ok */
};
enum err device_check_health(
	const char *name, struct device_health *h, struct err_ctx *ctx);

struct device_add_options {
	const char *name; /* NULL: from the host's name */
	const char *ssh_config, *cache;
	int json;
};
/* Asks the machine at `uri` what it is, writes a profile for it and checks its health. */
enum err device_add(
	const char *uri, const struct device_add_options *o, struct err_ctx *ctx);

#endif
