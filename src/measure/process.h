/* One process of one build on a device, with the device's recovery: below the procedure,
 * above the operations.
 */
#ifndef HAWSER_MEASURE_PROCESS_H
#define HAWSER_MEASURE_PROCESS_H

#include "src/measure/device_ops.h"

/* Process indices of one look; the sim draws its noise from them, so that looks differ.
 */
#define LOOK_STRIDE 1000

/* Uploads and runs, recovering a lost device or link as often as the options allow. A
 * result that is lost even then is returned as such (the device answers again, this
 * process does not get through); a device that can not be recovered is ERR_DEVICE, the
 * cancel flag ERR_CANCELLED. A timed run that claims success without sound samples is a
 * lost link. After ERR_OK the caller releases the result. */
enum err measure_process(const struct measure_session *s, const struct artefact *a,
	enum run_mode mode, uint32_t index, struct run_result *r, struct err_ctx *ctx);

#endif
