/* Weights in a board's flash, for images that would not fit its RAM with them
 * (devices/proto/placed.h): where the profile lets them be, and how they come there. Internal
 * to devices/.
 *
 * An image checks its weights by their CRC-32 before it runs, and runs nothing with others. So
 * nothing is believed from one session to the next: what the flash holds is found out by that
 * check, and written where it fails, or where something else was written by this handle.
 */
#ifndef HAWSER_DEVICES_FLASH_H
#define HAWSER_DEVICES_FLASH_H

#include "devices/handle.h"
#include "src/base/yaml.h"

/* The profile's mapping `flash`. */
enum err flash_parse(struct device_profile *p, struct yaml_doc *doc,
	const struct yaml_node *n, struct err_ctx *ctx);
/* ERR_DEVICE when the agent does not let images read what the profile gives them. */
enum err flash_check(const struct device_profile *p, const struct device_info *info,
	struct err_ctx *ctx);

/* Before a run: writes the image's weights when the flash is known to hold others. */
enum err flash_prepare(struct device *d, const struct hash *image, struct err_ctx *ctx);
/* Did the image end for want of its weights? */
int flash_is_stale(
	struct device *d, const struct hash *image, const struct wire_done *done);
/* Writes an image's weights. The device may have been reset meanwhile: its session is a new one
 * then, and its memory empty. ERR_DEVICE with what the profile's command said last. */
enum err flash_write(struct device *d, const struct hash *image, struct err_ctx *ctx);

#endif
