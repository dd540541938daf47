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
	unsigned probe_failures; /* in a row */
	char probe_note[256];	 /* the last one; "" none */
	struct link link;
};

/* What was uploaded by that hash, or NULL. */
const struct upload_note *upload_find(struct device *d, const struct hash *image);
/* One try. */
enum err upload_image(struct device *d, const char *path, const struct hash *image,
	struct err_ctx *ctx);
enum err upload_input(struct device *d, const struct run_request *rq,
	const struct hash *input, struct err_ctx *ctx);

/* Uploads go by the debug probe of the transport that was attached, if it has one. */
void probe_begin(struct device *d);
/* An image has arrived. */
void probe_worked(struct device *d);

#endif
