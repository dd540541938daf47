/* From sensor readings to energy per inference, or to none: a wrong figure is worse.
 *
 * The caller begins, samples while the machine idles, says so, samples while the program
 * runs, and asks afterwards for the energy between two instants. Idle power is taken off.
 * No figure when a sample was lost, a counter may have wrapped, the window is shorter
 * than 100 sensor intervals or its edges are known worse than 2 %, or the idle level
 * wavers by more than a tenth of the result.
 *
 * Memory is fixed: when full, every second sample is dropped and the edges get coarser.
 */
#ifndef HAWSER_DEVICES_SENSORS_METER_H
#define HAWSER_DEVICES_SENSORS_METER_H

#include "devices/sensors/sensor.h"

#define METER_SAMPLES 4096
#define METER_IDLE_INTERVALS 24 /* idle time to sample first, in sensor intervals */

struct meter {
	struct sensor *sensor; /* borrowed; may have no ops */
	uint64_t t[METER_SAMPLES];
	double e[METER_SAMPLES]; /* uJ since begin */
	uint32_t n, n_idle;	 /* the first n_idle are of the idle time */
	uint32_t stride, skipped;
	uint64_t next_ns;
	uint64_t last_ns, max_gap_ns; /* between any two readings after the idle time */
	double last_value, sum_uj;
	int started, invalid; /* errno of a lost sample */
};

struct meter_window {
	uint64_t start_ns, end_ns;
	uint64_t n_inferences;
};

void meter_begin(struct meter *m, struct sensor *s);
/* Reads the sensor if it is due; m->next_ns tells when it is again. */
void meter_sample(struct meter *m, uint64_t now_ns);
void meter_idle_ends(struct meter *m, uint64_t now_ns);
/* NULL and both figures, or the reason why there are none (then NAN). */
const char *meter_result(const struct meter *m, const struct meter_window *w,
	double *energy_uj, double *idle_uw);

#endif
