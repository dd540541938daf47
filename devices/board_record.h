/* What a board's agent tells of itself (struct wire_board) as the lines that other machines
 * write themselves. Internal to devices/.
 */
#ifndef HAWSER_DEVICES_BOARD_RECORD_H
#define HAWSER_DEVICES_BOARD_RECORD_H

#include "devices/device.h"
#include "devices/proto/message.h"

/* Fills description, boots, reset, agent and sensor_note. ERR_LINK: the record is not one. */
enum err board_describe(
	struct device_info *info, const struct wire_welcome *w, struct err_ctx *ctx);

#endif
