/* Where device profiles lie: the user's folder, then Hawser's own. Internal to devices/:
 * callers use device.h.
 */
#ifndef HAWSER_DEVICES_PROFILE_FOLDER_H
#define HAWSER_DEVICES_PROFILE_FOLDER_H

#include <stddef.h>

#include "src/base/err.h"

#define PROFILE_SUFFIX ".yaml"

/* The file of a device's name, or the path itself where a path is given. */
enum err profile_locate(char *out, size_t cap, const char *name, struct err_ctx *ctx);

#endif
