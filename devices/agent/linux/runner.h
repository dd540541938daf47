/* Runs of an image on Linux: idle time for the energy meter, the child process, its
 * records checked, the outcome told.
 */
#ifndef HAWSER_DEVICES_AGENT_LINUX_RUNNER_H
#define HAWSER_DEVICES_AGENT_LINUX_RUNNER_H

#include "devices/agent/linux/child.h"
#include "devices/agent/linux/machine.h"
#include "devices/agent/linux/throttle.h"
#include "devices/proto/message.h"
#include "devices/sensors/meter.h"

enum runner_state { RUNNER_NONE, RUNNER_IDLE, RUNNER_CHILD };

struct runner {
	struct machine *machine;
	struct sensor sensor;
	struct meter meter;
	struct child child;
	enum runner_state state;
	struct wire_run rq;
	char image[512], input[512]; /* paths */
	char *emulator;		     /* a program that runs images; NULL: the kernel */
	uint64_t idle_until_ns;
	int start_errno;
	uint32_t freq_before_khz;
	int32_t temp_before_mc;
	struct throttle throttle_before;
};

/* `emulator` (a whole path, or NULL) is borrowed. */
void runner_init(struct runner *r, struct machine *m, const char *sensor, char *emulator);
void runner_release(struct runner *r);
/* Paths are copied; `input` may be "". */
void runner_start(struct runner *r, const struct wire_run *rq, const char *image,
	const char *input);
/* 1 when the run has ended and `done` is filled. */
int runner_poll(struct runner *r, struct wire_done *done);
void runner_cancel(struct runner *r);
/* How long a caller may wait for the child's pipes before it polls again. */
int runner_wait_ms(const struct runner *r);

#endif
