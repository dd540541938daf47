/* What the Linux machine is, which core to measure on, how fast and how hot it is now.
 * Everything under /sys and /proc is read below a root prefix.
 */
#ifndef HAWSER_DEVICES_AGENT_LINUX_MACHINE_H
#define HAWSER_DEVICES_AGENT_LINUX_MACHINE_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

struct machine {
	const char *root;  /* borrowed */
	cpu_set_t allowed; /* what this process was started with */
	int core;	   /* to measure on; -1: any of the allowed */
	int emulated;	   /* programs run here under an emulator: no time counts */
};

/* `cpu`: "auto", "any" or a number. 0, or -1 with a text in `why` (AGENT_WHY bytes).
 * auto: of the allowed cores the fastest kind (cpu_capacity, else maximal frequency),
 * and of those the last, since the first serves most interrupts. */
int machine_init(struct machine *m, const char *root, const char *cpu, char *why);
/* The cores that a measured process gets. */
void machine_child_cpus(const struct machine *m, cpu_set_t *set);
/* Moves this process off the measured core, where there is another. */
void machine_step_aside(const struct machine *m);
/* "key: value" lines that tell what hardware and OS this is; nothing that varies from run
 * to run. */
void machine_describe(const struct machine *m, char *out, size_t cap);
/* The smallest step seen of the monotonic clock. */
uint64_t machine_clock_resolution_ns(void);
uint32_t machine_freq_khz(const struct machine *m); /* 0: not told */
int32_t machine_temp_mc(const struct machine *m);   /* INT32_MIN: not told */
void machine_governor(const struct machine *m, char *out, size_t cap);

#endif
