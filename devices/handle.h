/* What a device handle holds. Internal to devices/: callers use device.h. */
#ifndef HAWSER_DEVICES_HANDLE_H
#define HAWSER_DEVICES_HANDLE_H

#include "devices/device.h"
#include "devices/link.h"

#define N_LOST 32

/* An image that was uploaded, so that it can be sent again to a device that has lost it.
 */
struct upload_note {
	struct hash image;
	char *path;
};

/* A run that was lost with the device: its next attempt gets the next number. */
struct lost_run {
	struct hash image;
	uint32_t process_index, attempt;
};

struct device {
	struct device_profile profile;
	const struct device_driver *driver;
	struct device_info info;
	struct upload_note *uploads;
	size_t n_uploads, cap_uploads;
	struct lost_run lost[N_LOST];
	size_t n_lost;
	struct link link;
};

#endif
