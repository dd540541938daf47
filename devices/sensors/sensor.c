#include "devices/sensors/sensor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct sensor_ops *const sensors[] = {
	&sensor_rapl,
	&sensor_hwmon,
	&sensor_fake,
};
#define N_SENSORS (sizeof(sensors) / sizeof(sensors[0]))

static void clear(struct sensor *s, const char *root)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->root, sizeof(s->root), "%s", root);
}

static int try_open(struct sensor *s, const struct sensor_ops *ops, const char *arg)
{
	int rc = ops->open(s, arg);

	if (rc == 0)
		s->ops = ops;
	return rc;
}

static int open_auto(struct sensor *s, const char *root)
{
	char note[sizeof(s->note)] = "no energy sensor found (powercap, hwmon)";
	int denied = 0;

	for (size_t i = 0; i < N_SENSORS; i++) {
		int rc;

		if (!sensors[i]->automatic)
			continue;
		clear(s, root);
		rc = try_open(s, sensors[i], "");
		if (rc == 0)
			return 0;
		/* One that is there but closed to us is worth telling. */
		if (rc == -EACCES && !denied) {
			memcpy(note, s->note, sizeof(note));
			denied = 1;
		}
	}
	clear(s, root);
	memcpy(s->note, note, sizeof(note));
	return -ENODEV;
}

int sensor_open(struct sensor *s, const char *want, const char *root)
{
	size_t n = strcspn(want, ":");
	const char *arg = want[n] ? want + n + 1 : "";

	clear(s, root);
	if (strlen(root) >= sizeof(s->root)) {
		snprintf(s->note, sizeof(s->note), "the root folder's name is too long");
		return -ENAMETOOLONG;
	}
	if (strcmp(want, "none") == 0)
		return -ENODEV;
	if (strcmp(want, "auto") == 0)
		return open_auto(s, root);
	for (size_t i = 0; i < N_SENSORS; i++)
		if (strlen(sensors[i]->name) == n &&
			memcmp(want, sensors[i]->name, n) == 0)
			return try_open(s, sensors[i], arg);
	snprintf(s->note, sizeof(s->note),
		"unknown sensor '%.32s': use auto, none, rapl, hwmon or fake:FILE", want);
	return -EINVAL;
}

int sensor_read(struct sensor *s, uint64_t now_ns, double *value)
{
	return s->ops ? s->ops->read(s, now_ns, value) : -ENODEV;
}

void sensor_close(struct sensor *s)
{
	if (s->ops && s->ops->close)
		s->ops->close(s);
	s->ops = NULL;
}
