/* From an agent's DONE and records to a run_result. Internal to devices/. */
#ifndef HAWSER_DEVICES_RESULT_H
#define HAWSER_DEVICES_RESULT_H

#include "devices/device.h"
#include "devices/proto/message.h"

/* Fills `out` (zeroed by the caller). ERR_LINK when what came cannot be true;
 * ERR_UNSUPPORTED when the device has no such mode. `blob` is the result as fetched. */
enum err result_fill(struct run_result *out, const struct run_request *rq,
	const struct wire_done *done, const uint8_t *blob, size_t len,
	struct err_ctx *ctx);

#endif
