/* From an agent's DONE and records to a run_result. Internal to devices/.
 *
 * What a device says of itself cannot be proved from here, but what cannot be true is
 * refused. A timed run is a number only when
 *  - it has the samples that were asked for, each positive and finite, and the CPU clock
 *    goes in every sample or (a device without one) in none: the least of them counts,
 *    and is not a small part of their (geometric) mean;
 *  - a sample lasts at least one step of the clock it was read from;
 *  - the samples of a record fit between its start and end;
 *  - the CPU time is at most the wall time of all threads (CPU_SLACK: the two clocks are
 *    not read at the same instant);
 *  - all records together last no longer than this host's own clock saw between RUN and
 *    DONE (CLOCK_RATE: clocks differ), which no device can lengthen by lying;
 *  - the golden check had something to check and a finite error.
 * A time-out before its time is refused as well: it would blame the candidate. A simulated
 * device's time is virtual, so that the host's clock and clock steps say nothing there; of
 * an emulator that counts instructions (known from the profile) the host's clock does not.
 *
 * What comes beside the number and cannot be true is unknown instead: frequency,
 * temperature, memory, and energy without a sensor or beyond MAX_POWER_W.
 */
#ifndef HAWSER_DEVICES_RESULT_H
#define HAWSER_DEVICES_RESULT_H

#include "devices/device.h"
#include "devices/proto/message.h"

/* A RUN's answer beside what this host knows; all borrowed. */
struct answer {
	const struct run_request *rq;
	const struct device_info *info;
	const struct device_profile *profile;
	struct wire_done done;
	uint64_t seen_ms;    /* from RUN to DONE, by the host's clock */
	const uint8_t *blob; /* the result as fetched */
	size_t len;
};

/* Fills `out` (zeroed by the caller). ERR_LINK when what came cannot be true, and what of
 * it; ERR_UNSUPPORTED when the device has no such mode. */
enum err result_fill(struct run_result *out, const struct answer *a, struct err_ctx *ctx);

#endif
