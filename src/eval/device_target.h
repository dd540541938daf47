/* What a build for a device is compiled and linked with: its profile's compiler and flags,
 * and for a board without an operating system the window that it reported.
 */
#ifndef HAWSER_EVAL_DEVICE_TARGET_H
#define HAWSER_EVAL_DEVICE_TARGET_H

#include "devices/device.h"
#include "src/codegen/codegen.h"

struct device_target {
	struct target target; /* leads into the device's profile and into this struct */
	struct memories memories;
	char cflags[700];
};
/* ERR_DEVICE when the window that it reports makes no sense. */
enum err device_target(
	struct device_target *out, const struct device *d, struct err_ctx *ctx);

#endif
