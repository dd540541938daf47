/* Switches a device off and on by the command of its profile (a USB hub, a smart plug, a
 * relay): the last rung before a device is given up.
 */
#ifndef HAWSER_DEVICES_TRANSPORT_POWER_H
#define HAWSER_DEVICES_TRANSPORT_POWER_H

#include "src/base/err.h"

/* Runs `command` by /bin/sh on this host, without input, its output thrown away, and kills
 * it with all that it started after `timeout_ms`. ERR_TOOL when it cannot be started, does
 * not end, or ends with another code than 0. */
enum err power_cycle(const char *command, int timeout_ms, struct err_ctx *ctx);

#endif
