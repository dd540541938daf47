#include "devices/agent/linux/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "devices/agent/agent.h"
#include "devices/agent/linux/isa.h"
#include "devices/proto/sha256.h"
#include "devices/sensors/sysfs.h"

#define CPU_DIR "/sys/devices/system/cpu/cpu%d/"

static int64_t cpu_number(const struct machine *m, int cpu, const char *file)
{
	char path[128];
	int64_t v = 0;

	snprintf(path, sizeof(path), CPU_DIR "%s", cpu, file);
	return sysfs_number(m->root, path, &v) == 0 ? v : 0;
}

static int64_t speed(const struct machine *m, int cpu)
{
	int64_t capacity = cpu_number(m, cpu, "cpu_capacity");

	return capacity ? capacity : cpu_number(m, cpu, "cpufreq/cpuinfo_max_freq");
}

static int fastest(const struct machine *m)
{
	int best = -1;
	int64_t best_speed = -1;

	for (int i = 0; i < CPU_SETSIZE; i++) {
		int64_t v;

		if (!CPU_ISSET((size_t)i, &m->allowed))
			continue;
		v = speed(m, i);
		if (v >= best_speed) {
			best = i;
			best_speed = v;
		}
	}
	return best;
}

int machine_init(struct machine *m, const char *root, const char *cpu, char *why)
{
	char *end;
	long n;

	m->root = root;
	m->core = -1;
	m->emulated = isa_is_emulated();
	CPU_ZERO(&m->allowed);
	if (sched_getaffinity(0, sizeof(m->allowed), &m->allowed) != 0) {
		snprintf(why, AGENT_WHY, "cannot tell the allowed cores: %s",
			strerror(errno));
		return -1;
	}
	if (strcmp(cpu, "any") == 0)
		return 0;
	if (strcmp(cpu, "auto") == 0) {
		m->core = fastest(m);
		return 0;
	}
	n = strtol(cpu, &end, 10);
	if (end == cpu || *end || n < 0 || n >= CPU_SETSIZE ||
		!CPU_ISSET((size_t)n, &m->allowed)) {
		snprintf(why, AGENT_WHY,
			"core '%.20s' is not one this process may use: give auto, any or "
			"a number",
			cpu);
		return -1;
	}
	m->core = (int)n;
	return 0;
}

void machine_child_cpus(const struct machine *m, cpu_set_t *set)
{
	*set = m->allowed;
	if (m->core < 0)
		return;
	CPU_ZERO(set);
	CPU_SET((size_t)m->core, set);
}

void machine_step_aside(const struct machine *m)
{
	cpu_set_t rest = m->allowed;

	if (m->core < 0 || CPU_COUNT(&rest) < 2)
		return;
	CPU_CLR((size_t)m->core, &rest);
	sched_setaffinity(0, sizeof(rest), &rest);
}

/* Description */

struct text {
	char *at;
	size_t len, cap;
};

static void line(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A line that does not fit is left out as a whole. */
static void line(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < t->cap - t->len)
		t->len += (size_t)n;
	t->at[t->len] = '\0';
}

static void describe_cpu(const struct machine *m, struct text *t)
{
	static const char *const keys[] = {"model name", "cpu family", "model",
		"stepping", "microcode", "CPU implementer", "CPU part", "CPU variant",
		"CPU revision", "uarch", "isa"};
	char v[256], list[512];
	int told;

	if (m->emulated) { /* the file is the host's */
		line(t, "emulated: yes\n");
		told = isa_emulated_features(list, sizeof(list));
	} else {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (isa_cpuinfo(m->root, keys[i], v, sizeof(v)))
				line(t, "%s: %s\n", keys[i], v);
		told = isa_features(m->root, list, sizeof(list));
	}
	if (told)
		line(t, "features: %s\n", list);
}

/* Tells two machines of one model apart without giving the id itself away. */
static void describe_identity(const struct machine *m, struct text *t)
{
	uint8_t hash[SHA256_BYTES];
	struct sha256 st;
	char id[128];

	if (sysfs_text(m->root, "/etc/machine-id", id, sizeof(id)) <= 0)
		return;
	sha256_init(&st);
	sha256_update(&st, "hawser", 6);
	sha256_update(&st, id, strlen(id));
	sha256_final(&st, hash);
	line(t, "machine: %02x%02x%02x%02x%02x%02x\n", hash[0], hash[1], hash[2], hash[3],
		hash[4], hash[5]);
}

void machine_describe(const struct machine *m, char *out, size_t cap)
{
	struct text t = {out, 0, cap};
	struct utsname u;
	char v[128];
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	out[0] = '\0';
	if (uname(&u) == 0) {
		line(&t, "arch: %s\n", u.machine);
		line(&t, "kernel: %s %s\n", u.sysname, u.release);
	}
	if (sysfs_text(m->root, "/proc/device-tree/model", v, sizeof(v)) > 0)
		line(&t, "board: %s\n", v);
	describe_cpu(m, &t);
	line(&t, "cores: %ld\n", sysconf(_SC_NPROCESSORS_CONF));
	if (m->core < 0)
		line(&t, "measured on: any core\n");
	else if (speed(m, m->core))
		line(&t, "measured on: one core of speed %lld\n",
			(long long)speed(m, m->core));
	else
		line(&t, "measured on: one core\n");
	machine_governor(m, v, sizeof(v));
	if (v[0])
		line(&t, "governor: %s\n", v);
	if (pages > 0 && page > 0)
		line(&t, "memory: about %lld MiB\n",
			((long long)pages * page / 1048576 + 127) / 128 * 128);
	describe_identity(m, &t);
}

uint64_t machine_clock_resolution_ns(void)
{
	uint64_t best = UINT64_MAX;
	struct timespec a, b;

	for (int i = 0; i < 1000; i++) {
		uint64_t d;

		clock_gettime(CLOCK_MONOTONIC, &a);
		do {
			clock_gettime(CLOCK_MONOTONIC, &b);
			d = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u +
			    (uint64_t)b.tv_nsec - (uint64_t)a.tv_nsec;
		} while (d == 0);
		best = d < best ? d : best;
	}
	return best;
}

/* State */

static int state_core(const struct machine *m)
{
	return m->core < 0 ? fastest(m) : m->core;
}

uint32_t machine_freq_khz(const struct machine *m)
{
	int64_t v = cpu_number(m, state_core(m), "cpufreq/scaling_cur_freq");

	return v > 0 && v < UINT32_MAX ? (uint32_t)v : 0;
}

void machine_governor(const struct machine *m, char *out, size_t cap)
{
	char path[128];

	snprintf(path, sizeof(path), CPU_DIR "cpufreq/scaling_governor", state_core(m));
	if (sysfs_text(m->root, path, out, cap) < 0)
		out[0] = '\0';
}

struct zone {
	const struct machine *m;
	int64_t temp;
	int found; /* 1: some zone, 2: one that names the CPU */
};

static int look_at_zone(void *self, const char *name)
{
	struct zone *z = self;
	char path[160], type[64] = "";
	int64_t v;
	int cpu;

	if (strncmp(name, "thermal_zone", 12) != 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/class/thermal/%s/type", name);
	if (sysfs_text(z->m->root, path, type, sizeof(type)) < 0)
		type[0] = '\0';
	snprintf(path, sizeof(path), "/sys/class/thermal/%s/temp", name);
	if (sysfs_number(z->m->root, path, &v) != 0 || v < -100000 || v > 250000)
		return 0;
	cpu = strstr(type, "cpu") || strstr(type, "pkg") || strstr(type, "soc");
	if (!z->found || cpu) {
		z->temp = v;
		z->found = 1 + cpu;
	}
	return z->found == 2;
}

int32_t machine_temp_mc(const struct machine *m)
{
	struct zone z = {.m = m};

	sysfs_names(m->root, "/sys/class/thermal", look_at_zone, &z);
	return z.found ? (int32_t)z.temp : INT32_MIN;
}
