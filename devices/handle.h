/* What a device handle holds. Internal to devices/: callers use device.h. */
#ifndef HAWSER_DEVICES_HANDLE_H
#define HAWSER_DEVICES_HANDLE_H

#include "devices/device.h"
#include "devices/link.h"
#include "devices/proto/placed.h"

#define N_LOST 32

/* An image that was uploaded, so that it can be sent again to a device that has lost it.
 */
struct upload_note {
	struct hash image;
	char *path;
	struct placed placed; /* its weights in flash; size 0: none */
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
	struct placed in_flash; /* as it was written or found last; size 0: not known */
	struct lost_run lost[N_LOST];
	size_t n_lost;
	unsigned probe_failures;    /* in a row */
	char probe_note[256];	    /* the last one */
	int probe_told;		    /* the user knows it */
	struct instrument *meter;   /* NULL: none, or lost */
	volatile const int *cancel; /* NULL: never */
	struct link link;
};

/* What this host knows better than the device: adds it to the description. */
void identity_tell(const struct device_profile *p, struct device_info *info);
/* ERR_DEVICE when it is not the board that the profile names. */
enum err identity_check(const struct device_profile *p, const struct device_info *info,
	struct err_ctx *ctx);
/* ERR_INVALID, with what differs: another machine answers than before. */
enum err identity_changed(
	const struct device_info *was, const struct device_info *is, struct err_ctx *ctx);

/* What was uploaded by that hash, or NULL. */
const struct upload_note *upload_find(struct device *d, const struct hash *image);
/* One try; noted for upload_find. */
enum err upload_image(struct device *d, const char *path, const struct hash *image,
	struct err_ctx *ctx);
enum err upload_input(struct device *d, const struct run_request *rq,
	const struct hash *input, struct err_ctx *ctx);

/* device.c: a run, and its result fetched and judged. */
enum err run_and_fetch(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx);
/* The same beside the meter, where there is one: with energy, or a note why not. What the
 * device itself says of energy does not count then. ERR_DEVICE: the meter is not there. */
enum err metered_run(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx);
/* It may feed the board: before anything is asked of that. */
enum err metered_open(struct device *d, struct err_ctx *ctx);

/* Uploads go by the debug probe of the transport that was attached, if it has one. */
void probe_begin(struct device *d);
/* Through the debug probe; ERR_LINK. */
enum err probe_write(struct device *d, uint64_t address, const uint8_t *data, size_t len,
	struct err_ctx *ctx);
/* An upload has arrived. */
void probe_worked(struct device *d);

#endif
