/* Values of a device profile's keys, and the key `meter` with keys of its own. Internal to
 * devices/: callers use device.h.
 *
 * A key that is not there leaves what is in `out`. ERR_INVALID or ERR_PARSE, and where.
 */
#ifndef HAWSER_DEVICES_PROFILE_KEYS_H
#define HAWSER_DEVICES_PROFILE_KEYS_H

#include "devices/device.h"
#include "src/base/yaml.h"

struct profile_keys { /* all borrowed */
	struct yaml_doc *doc;
	const struct yaml_node *root; /* the mapping */
	struct err_ctx *ctx;
};

enum err key_text(const struct profile_keys *l, const char *key, char *out, size_t cap);
enum err key_bytes(const struct profile_keys *l, const char *key, uint64_t *out);
enum err key_small(const struct profile_keys *l, const char *key, int64_t lo, int64_t hi,
	uint32_t *out);
/* Fills p->meter; the rest of the profile was read before. */
enum err profile_meter(const struct profile_keys *profile, struct device_profile *p);

#endif
