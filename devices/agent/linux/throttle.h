/* How often this machine was kept from its full speed: by the CPU quota of the control
 * groups that this process is in (cgroup v1 and v2, parents included), by heat, or by a
 * weak supply. Counters; read before and after a run.
 *
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst;
 * thermal_throttle/ of x86 processors; get_throttled of a Raspberry Pi's firmware.
 */
#ifndef HAWSER_DEVICES_AGENT_LINUX_THROTTLE_H
#define HAWSER_DEVICES_AGENT_LINUX_THROTTLE_H

#include <stdint.h>

#include "devices/agent/linux/machine.h"

struct throttle {
	uint64_t n_quota;  /* periods whose quota was used up */
	uint64_t quota_us; /* time without a CPU for that reason */
	uint64_t n_slowed; /* times that heat slowed the measured cores */
	uint32_t firmware; /* get_throttled: bits 0-3 now, 16-19 since boot */
};

/* What is not there, or not told, counts as zero. */
void throttle_read(const struct machine *m, struct throttle *out);
/* What happened between two readings, at most UINT32_MAX each. A group that was left for
 * another, or a counter that was set back, tells nothing: 0. */
void throttle_between(
	const struct throttle *a, const struct throttle *b, struct throttle *out);

#endif
