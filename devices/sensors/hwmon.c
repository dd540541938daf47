/* Board power meters behind the kernel's hwmon tree: INA219, INA226, INA230, INA238 (one
 * channel, power1_input in uW) and INA3221 (three channels, volts times amperes; Jetson).
 *
 * hwmonN numbers change at boot: chips are found by name, rails by label. An INA3221's
 * labels "NC" and "sum of shunt voltages" are no rails; VDD_IN and POM_5V_IN are the
 * board's whole input, so channels are never summed.
 */
#include "devices/sensors/sensor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/sensors/sysfs.h"

#define TREE "/sys/class/hwmon"

struct rail {
	struct sensor *s;
	const char *want; /* label asked for, or "" */
	int found;	  /* 1 a rail, 2 the board's input or the one asked for: stop */
	int rc;
};

static int is_input(const char *label)
{
	return strcmp(label, "VDD_IN") == 0 || strcmp(label, "POM_5V_IN") == 0;
}

static void take(struct rail *r, const char *dir, const char *chip, const char *label,
	const char *path, const char *path2)
{
	struct sensor *s = r->s;
	char p[SENSOR_PATH];
	int64_t ms;

	snprintf(s->name, sizeof(s->name), "hwmon:%.20s:%.30s", chip, label);
	snprintf(s->zone[0].path, sizeof(s->zone[0].path), "%s", path);
	snprintf(s->zone[0].path2, sizeof(s->zone[0].path2), "%s", path2);
	s->n_zones = 1;
	snprintf(p, sizeof(p), TREE "/%.63s/update_interval", dir);
	s->interval_ns = 2000000;
	if (sysfs_number(s->root, p, &ms) == 0 && ms > 0 && ms < 60000)
		s->interval_ns = (uint64_t)ms * 1000000;
}

static void try_channel(struct rail *r, const char *dir, const char *chip, int ch)
{
	char power[SENSOR_PATH], volt[SENSOR_PATH], amp[SENSOR_PATH], p[SENSOR_PATH];
	char label[48];
	const char *root = r->s->root;
	int64_t v;
	int rc, wanted;

	snprintf(p, sizeof(p), TREE "/%.63s/in%d_label", dir, ch);
	if (sysfs_text(root, p, label, sizeof(label)) < 0)
		snprintf(label, sizeof(label), "channel%d", ch);
	if (strcmp(label, "NC") == 0 || strstr(label, "sum of"))
		return;
	wanted = r->want[0] ? strcmp(label, r->want) == 0 : is_input(label);
	if ((r->want[0] && !wanted) || (r->found && !wanted))
		return;
	snprintf(power, sizeof(power), TREE "/%.63s/power%d_input", dir, ch);
	snprintf(volt, sizeof(volt), TREE "/%.63s/in%d_input", dir, ch);
	snprintf(amp, sizeof(amp), TREE "/%.63s/curr%d_input", dir, ch);
	rc = sysfs_number(root, power, &v);
	if (rc == 0) {
		take(r, dir, chip, label, power, "");
	} else if (rc == -EACCES) {
		r->rc = rc;
		return;
	} else if (sysfs_number(root, volt, &v) == 0 &&
		   sysfs_number(root, amp, &v) == 0) {
		take(r, dir, chip, label, volt, amp);
	} else {
		return;
	}
	r->found = wanted ? 2 : 1;
}

static int try_chip(void *self, const char *dir)
{
	struct rail *r = self;
	char p[SENSOR_PATH], chip[32];

	snprintf(p, sizeof(p), TREE "/%.63s/name", dir);
	if (sysfs_text(r->s->root, p, chip, sizeof(chip)) < 0 ||
		strncmp(chip, "ina", 3) != 0)
		return 0;
	for (int ch = 1; ch <= 3 && r->found < 2; ch++)
		try_channel(r, dir, chip, ch);
	return r->found == 2;
}

static int hwmon_open(struct sensor *s, const char *arg)
{
	struct rail r = {.s = s, .want = arg};

	sysfs_names(s->root, TREE, try_chip, &r);
	if (r.found) {
		snprintf(s->note, sizeof(s->note),
			"the rail that the meter sits in, with everything on it");
		return 0;
	}
	if (r.rc == -EACCES) {
		snprintf(s->note, sizeof(s->note),
			"the power meter is not readable by this user; allow it with: "
			"sudo chmod a+r " TREE "/hwmon*/power1_input");
		return -EACCES;
	}
	snprintf(s->note, sizeof(s->note), "no INA2xx or INA3221 %s in " TREE,
		arg[0] ? "rail of that label" : "meter");
	return -ENODEV;
}

static int hwmon_read(struct sensor *s, uint64_t now_ns, double *value)
{
	const struct sensor_zone *z = &s->zone[0];
	int64_t a, b;
	int rc = sysfs_number(s->root, z->path, &a);

	(void)now_ns;
	if (rc < 0)
		return rc;
	if (!z->path2[0]) {
		*value = (double)a;
		return 0;
	}
	rc = sysfs_number(s->root, z->path2, &b);
	if (rc < 0)
		return rc;
	*value = (double)a * (double)b; /* mV * mA = uW */
	return 0;
}

const struct sensor_ops sensor_hwmon = {"hwmon", hwmon_open, hwmon_read, NULL, 1};
