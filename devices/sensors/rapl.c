/* CPU energy counters in the kernel's powercap tree (Intel RAPL; AMD uses the same
 * names).
 *
 * All packages are summed; their subzones are parts of them and psys contains them, so
 * neither is added. Counters wrap at max_energy_range_uj: 32 bits, 44 minutes at 100 W.
 * Since Linux 5.10 energy_uj is readable by root only (side channels).
 */
#include "devices/sensors/sensor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/sensors/sysfs.h"

#define TREE "/sys/class/powercap"
#define MAX_PACKAGE_W 1000

static int denied(struct sensor *s)
{
	snprintf(s->note, sizeof(s->note),
		"energy counters are readable by root only; allow them with: "
		"sudo chmod a+r " TREE "/intel-rapl:*/energy_uj");
	return -EACCES;
}

static int add_zone(void *self, const char *dir)
{
	struct sensor *s = self;
	struct sensor_zone *z = &s->zone[s->n_zones];
	char path[SENSOR_PATH], name[32];
	int64_t max, now;
	int rc;

	if (strncmp(dir, "intel-rapl:", 11) != 0 || strchr(dir + 11, ':') ||
		s->n_zones == SENSOR_ZONES)
		return 0;
	snprintf(path, sizeof(path), TREE "/%s/name", dir);
	if (sysfs_text(s->root, path, name, sizeof(name)) < 0 ||
		strncmp(name, "package", 7) != 0)
		return 0;
	snprintf(path, sizeof(path), TREE "/%s/max_energy_range_uj", dir);
	if (sysfs_number(s->root, path, &max) < 0 || max <= 0)
		return 0;
	snprintf(z->path, sizeof(z->path), TREE "/%s/energy_uj", dir);
	rc = sysfs_number(s->root, z->path, &now);
	if (rc == -EACCES || rc == -EPERM)
		return denied(s);
	if (rc < 0 || now < 0)
		return 0;
	z->last = (uint64_t)now;
	z->max = (uint64_t)max;
	if (s->n_zones == 0)
		snprintf(s->name, sizeof(s->name), "rapl:%s", name);
	else
		strncat(s->name, "+", sizeof(s->name) - strlen(s->name) - 1);
	s->n_zones++;
	return 0;
}

static int rapl_open(struct sensor *s, const char *arg)
{
	uint64_t gap;
	int rc;

	(void)arg;
	rc = sysfs_names(s->root, TREE, add_zone, s);
	if (rc == -EACCES)
		return denied(s);
	if (s->n_zones == 0) {
		snprintf(s->note, sizeof(s->note), "no RAPL package in " TREE);
		return -ENODEV;
	}
	s->is_counter = 1;
	s->interval_ns = 1000000;
	s->max_gap_ns = UINT64_MAX;
	for (size_t i = 0; i < s->n_zones; i++) {
		gap = s->zone[i].max / (2 * MAX_PACKAGE_W) * 1000;
		if (gap < s->max_gap_ns)
			s->max_gap_ns = gap;
	}
	snprintf(s->note, sizeof(s->note),
		"CPU packages, everything that runs on them included; not the board");
	return 0;
}

static int rapl_read(struct sensor *s, uint64_t now_ns, double *value)
{
	(void)now_ns;
	for (size_t i = 0; i < s->n_zones; i++) {
		struct sensor_zone *z = &s->zone[i];
		int64_t v;
		uint64_t now;
		int rc = sysfs_number(s->root, z->path, &v);

		if (rc < 0)
			return rc;
		now = (uint64_t)v;
		if (v < 0 || now > z->max)
			return -ERANGE;
		s->total_uj += (double)(now >= z->last ? now - z->last
						       : z->max - z->last + now + 1);
		z->last = now;
	}
	*value = s->total_uj;
	return 0;
}

const struct sensor_ops sensor_rapl = {"rapl", rapl_open, rapl_read, NULL, 1};
