/* The key `meter` of a device's profile. Internal to devices/: callers use device.h. */
#ifndef HAWSER_DEVICES_PROFILE_METER_H
#define HAWSER_DEVICES_PROFILE_METER_H

#include "devices/device.h"
#include "src/base/yaml.h"

/* Fills p->meter; the rest of the profile was read before. ERR_INVALID and where. */
enum err profile_meter(const struct yaml_doc *doc, const struct yaml_node *root,
	struct device_profile *p, struct err_ctx *ctx);

#endif
