/* A shell command of this host that a device's profile names: to switch the device off and on
 * (a USB hub, a smart plug, a relay), to write its flash.
 */
#ifndef HAWSER_DEVICES_TRANSPORT_HOST_COMMAND_H
#define HAWSER_DEVICES_TRANSPORT_HOST_COMMAND_H

#include "src/base/err.h"

/* Runs `command` by /bin/sh on this host, without input, and kills it with all that it started
 * after `timeout_ms`. ERR_TOOL when it cannot be started, does not end, or ends with another
 * code than 0, with the last line that it printed. ERR_CANCELLED once *cancel is not 0 (NULL:
 * never): it is asked to end then, and killed half a second later. */
enum err host_command(const char *command, int timeout_ms, volatile const int *cancel,
	struct err_ctx *ctx);

#endif
