/* Energy sensors: one table, one way to read them.
 *
 * A sensor is either a counter of energy or a meter of power. Both are read at the
 * caller's times; the clock is passed in, so recorded traces and tests need no waiting.
 * What a figure covers (a CPU package, a board's input) is in `note`: figures of
 * different sensors do not compare.
 */
#ifndef HAWSER_DEVICES_SENSORS_SENSOR_H
#define HAWSER_DEVICES_SENSORS_SENSOR_H

#include <stddef.h>
#include <stdint.h>

#define SENSOR_ZONES 4
#define SENSOR_PATH 256

struct sensor_zone {
	char path[SENSOR_PATH];	 /* counter file; power file, or voltage */
	char path2[SENSOR_PATH]; /* current, when power is the product of both */
	uint64_t last, max;	 /* counter: last reading, largest value */
};

struct sensor_trace; /* recorded: fake.c */

struct sensor {
	const struct sensor_ops *ops; /* NULL: none */
	char name[64];		      /* "rapl:package-0"; "" */
	char note[192];		      /* what it covers, or why there is none */
	char root[SENSOR_PATH];
	int is_counter;	      /* value is energy in uJ since open; else power in uW */
	uint64_t interval_ns; /* the sensor's own update interval */
	uint64_t max_gap_ns; /* counter: longer without a reading may hide a wrap; 0: none
			      */
	size_t n_zones;	     /* summed */
	struct sensor_zone zone[SENSOR_ZONES];
	double total_uj;
	struct sensor_trace *trace;
};

struct sensor_ops {
	const char *name; /* "rapl" */
	/* `arg` is what follows "name:" in the profile, or "". 0 when found; else -errno,
	 * with a note for people. */
	int (*open)(struct sensor *s, const char *arg);
	/* 0, or -errno: this sample is lost. */
	int (*read)(struct sensor *s, uint64_t now_ns, double *value);
	void (*close)(struct sensor *s);
	int automatic; /* tried for "auto" */
};

extern const struct sensor_ops sensor_rapl, sensor_hwmon, sensor_fake;

/* `want`: "auto", "none", or "name" or "name:arg". `root` is a prefix for /sys; "" the
 * real one. 0 when there is a sensor; -ENODEV when there is none ("none" and "auto"
 * without one); other -errno when one was asked for by name and cannot be used. */
int sensor_open(struct sensor *s, const char *want, const char *root);
int sensor_read(struct sensor *s, uint64_t now_ns, double *value);
void sensor_close(struct sensor *s);

#endif
