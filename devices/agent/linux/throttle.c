#include "devices/agent/linux/throttle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/sensors/sysfs.h"

#define CGROUPS "/sys/fs/cgroup"
#define PATH_BYTES 512
#define NOW_BITS 0xfu /* under-voltage, capped, throttled, soft limit of heat */
#define EVER_SHIFT 16

/* The number behind `key` at the beginning of a line; 0 when there is none. */
static uint64_t field(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *l = text; l; l = strchr(l, '\n')) {
		l += *l == '\n';
		if (strncmp(l, key, n) == 0 && l[n] == ' ')
			return strtoull(l + n + 1, NULL, 10);
	}
	return 0;
}

/* One group's own counters. */
static void add_group(
	const struct machine *m, const char *mount, const char *group, struct throttle *t)
{
	char path[PATH_BYTES + 128], text[1024];

	snprintf(path, sizeof(path), "%s%s/cpu.stat", mount, group);
	if (sysfs_text(m->root, path, text, sizeof(text)) < 0)
		return;
	t->n_quota += field(text, "nr_throttled");
	t->quota_us +=
		field(text, "throttled_usec") + field(text, "throttled_time") / 1000;
}

/* A quota of any parent holds as well, and is counted there. In a container the mounted
 * folder is one of the parents. */
static void add_groups(
	const struct machine *m, const char *mount, const char *group, struct throttle *t)
{
	char at[PATH_BYTES];
	char *slash;

	if ((size_t)snprintf(at, sizeof(at), "%s", group) >= sizeof(at))
		return;
	while ((slash = strrchr(at, '/'))) {
		if (slash[1])
			add_group(m, mount, at, t);
		*slash = '\0';
	}
	add_group(m, mount, "", t);
}

static int has_controller(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *c = list; *c; c += strcspn(c, ",")) {
		c += *c == ',';
		if (strncmp(c, name, n) == 0 && (c[n] == ',' || !c[n]))
			return 1;
	}
	return 0;
}

/* A line "id:controllers:/group"; version 2 has no controllers. */
static void add_line(const struct machine *m, char *line, struct throttle *t)
{
	char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
	char mount[PATH_BYTES];

	if (!group || group[1] != '/')
		return;
	*group++ = '\0';
	list++;
	if (strncmp(group, "/..", 3) == 0)
		group = "/"; /* outside of what this namespace shows */
	if (!*list) {
		add_groups(m, CGROUPS, group, t);
		add_groups(m, CGROUPS "/unified", group, t);
	} else if (has_controller(list, "cpu") &&
		   (size_t)snprintf(mount, sizeof(mount), CGROUPS "/%s", list) <
			   sizeof(mount)) {
		add_groups(m, mount, group, t);
	}
}

static void read_quota(const struct machine *m, struct throttle *t)
{
	char text[4096], *save = NULL;

	if (sysfs_text(m->root, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		add_line(m, l, t);
}

static uint64_t core_count(const struct machine *m, int cpu)
{
	static const char *const files[] = {"core", "package"};
	char path[128];
	uint64_t sum = 0;
	int64_t v;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path),
			"/sys/devices/system/cpu/cpu%d/thermal_throttle/"
			"%s_throttle_count",
			cpu, files[i]);
		if (sysfs_number(m->root, path, &v) == 0 && v > 0)
			sum += (uint64_t)v;
	}
	return sum;
}

static void read_heat(const struct machine *m, struct throttle *t)
{
	char text[32];

	for (int i = 0; i < CPU_SETSIZE; i++)
		if (m->core < 0 ? CPU_ISSET((size_t)i, &m->allowed) : i == m->core)
			t->n_slowed += core_count(m, i);
	if (sysfs_text(m->root, "/sys/devices/platform/soc/soc:firmware/get_throttled",
		    text, sizeof(text)) > 0)
		t->firmware = (uint32_t)strtoul(text, NULL, 16);
}

void throttle_read(const struct machine *m, struct throttle *out)
{
	memset(out, 0, sizeof(*out));
	read_quota(m, out);
	read_heat(m, out);
}

static uint64_t grown(uint64_t a, uint64_t b)
{
	uint64_t d = b > a ? b - a : 0;

	return d < UINT32_MAX ? d : UINT32_MAX;
}

void throttle_between(
	const struct throttle *a, const struct throttle *b, struct throttle *out)
{
	uint32_t since = (b->firmware & ~a->firmware) >> EVER_SHIFT;

	out->n_quota = grown(a->n_quota, b->n_quota);
	out->quota_us = grown(a->quota_us, b->quota_us);
	out->firmware = (a->firmware | b->firmware | since) & NOW_BITS;
	out->n_slowed = grown(a->n_slowed, b->n_slowed);
	if (!out->n_slowed && out->firmware)
		out->n_slowed = 1;
}
