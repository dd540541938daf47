/* What keeps a Linux machine from its full speed: read on fixture trees, and in a real
 * control group with a quota where this process may make one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/agent/linux/throttle.h"
#include "tests/unit/device_images.h"

#define HOT "/sys/devices/system/cpu/cpu3/thermal_throttle/"
#define FIRMWARE "/sys/devices/platform/soc/soc:firmware/get_throttled"

static void put_text(const char *tree, const char *path, const char *text)
{
	char full[600], *slash;

	snprintf(full, sizeof(full), "%s/%s%s", dir, tree, path);
	slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(file_mkdirs(full, NULL), ERR_OK);
	*slash = '/';
	assert_int_equal(file_write_atomic(full, text, strlen(text), 0644, NULL), ERR_OK);
}

static struct throttle read_tree(const char *tree)
{
	char root[400];
	struct machine m = {.root = root, .core = 3};
	struct throttle t;

	snprintf(root, sizeof(root), "%s/%s", dir, tree);
	throttle_read(&m, &t);
	return t;
}

static void quota_is_read_of_the_group_and_its_parents(void **state)
{
	static const char two[] = "usage_usec 7\nnr_periods 10\nnr_throttled 4\n"
				  "throttled_usec 1500\n";
	static const char one[] =
		"nr_periods 9\nnr_throttled 2\nthrottled_time 5000999\n";
	static const struct {
		const char *cgroup, *stat, *text;
		uint64_t n, us;
	} cases[] = {
		{"0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.stat", two, 4, 1500},
		{"0::/a/b\n", "/sys/fs/cgroup/a/cpu.stat", two, 4, 1500},
		{"0::/\n", "/sys/fs/cgroup/cpu.stat", two, 4, 1500},
		{"0::/../x\n", "/sys/fs/cgroup/cpu.stat", two, 4, 1500},
		{"1:name=systemd:/\n0::/a\n", "/sys/fs/cgroup/unified/a/cpu.stat", two, 4,
			1500},
		{"0::/a/b\n", "/sys/fs/cgroup/a/c/cpu.stat", two, 0, 0},
		{"5:cpuset:/\n4:cpu,cpuacct:/docker/f00\n",
			"/sys/fs/cgroup/cpu,cpuacct/docker/f00/cpu.stat", one, 2, 5000},
		{"4:cpu,cpuacct:/docker/f00\n", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
			one, 2, 5000},
		{"3:cpu:/x\n", "/sys/fs/cgroup/cpu/x/cpu.stat", one, 2, 5000},
		{"3:cpuset:/x\n", "/sys/fs/cgroup/cpuset/x/cpu.stat", one, 0, 0},
		{"3:cpu:/x\n", "/sys/fs/cgroup/cpu/x/cpu.stat", "nr_throttled", 0, 0},
		{"3:cpu:/x\n", "/sys/fs/cgroup/cpu/x/cpu.stat", "\n\n-\nnr_throttled x\n",
			0, 0},
		{"rubbish\n3:cpu\n:::\n", "/sys/fs/cgroup/cpu.stat", two, 0, 0},
		{"", "/sys/fs/cgroup/cpu.stat", two, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char tree[32];
		struct throttle t;

		snprintf(tree, sizeof(tree), "quota-%zu", i);
		put_text(tree, "/proc/self/cgroup", cases[i].cgroup);
		put_text(tree, cases[i].stat, cases[i].text);
		t = read_tree(tree);
		if (t.n_quota != cases[i].n || t.quota_us != cases[i].us)
			fail_msg("case %zu: %llu periods, %llu us", i,
				(unsigned long long)t.n_quota,
				(unsigned long long)t.quota_us);
	}
}

static void quotas_of_nested_groups_add_up(void **state)
{
	struct throttle t;

	(void)state;
	put_text("nested", "/proc/self/cgroup", "0::/a/b/c\n");
	put_text("nested", "/sys/fs/cgroup/a/b/c/cpu.stat", "nr_throttled 1\n");
	put_text("nested", "/sys/fs/cgroup/a/b/cpu.stat", "nr_throttled 20\n");
	put_text("nested", "/sys/fs/cgroup/a/cpu.stat", "nr_throttled 300\n");
	t = read_tree("nested");
	assert_int_equal(t.n_quota, 321);
}

static void heat_is_read_of_the_measured_core(void **state)
{
	struct throttle a, b, t;

	(void)state;
	a = read_tree("heat");
	assert_true(a.n_quota == 0 && a.n_slowed == 0 && a.firmware == 0);
	put_text("heat", HOT "core_throttle_count", "7\n");
	put_text("heat", HOT "package_throttle_count", "30\n");
	put_text("heat",
		"/sys/devices/system/cpu/cpu0/thermal_throttle/"
		"core_throttle_count",
		"1000\n");
	a = read_tree("heat");
	assert_int_equal(a.n_slowed, 37);
	put_text("heat", HOT "core_throttle_count", "9\n");
	b = read_tree("heat");
	throttle_between(&a, &b, &t);
	assert_int_equal(t.n_slowed, 2);
	throttle_between(&b, &a, &t); /* set back */
	assert_int_equal(t.n_slowed, 0);
	a.n_quota = 1;
	b.n_quota = (uint64_t)1 << 40;
	throttle_between(&a, &b, &t);
	assert_int_equal(t.n_quota, UINT32_MAX);
}

static void firmware_tells_now_and_since_the_first_reading(void **state)
{
	static const struct {
		const char *before, *after;
		uint64_t n;
	} cases[] = {
		{"0\n", "0\n", 0},
		{"50000\n", "50000\n", 0}, /* long ago */
		{"0\n", "40004\n", 1},	   /* throttled now */
		{"0\n", "40000\n", 1},	   /* in between */
		{"50005\n", "50000\n", 1}, /* when it began */
		{"0x80008\n", "0x80008\n", 1},
		{"rubbish\n", "rubbish\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct throttle a, b, t;

		put_text("pi", FIRMWARE, cases[i].before);
		a = read_tree("pi");
		put_text("pi", FIRMWARE, cases[i].after);
		b = read_tree("pi");
		throttle_between(&a, &b, &t);
		if (t.n_slowed != cases[i].n)
			fail_msg("case %zu: %llu", i, (unsigned long long)t.n_slowed);
	}
}

/* ---- a real quota */

static char group[200];

static int write_to(const char *folder, const char *file, const char *text)
{
	char path[300];
	FILE *f;
	int ok;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = fopen(path, "w");
	if (!f)
		return 0;
	ok = fputs(text, f) >= 0;
	return fclose(f) == 0 && ok;
}

/* So little of a core that it is used up on a busy machine too; by either version. */
static int set_quota(int on)
{
	return (write_to(group, "cpu.cfs_period_us", "100000") &&
		       write_to(group, "cpu.cfs_quota_us", on ? "3000" : "-1")) ||
	       write_to(group, "cpu.max", on ? "3000 100000" : "max 100000");
}

static int make_group(char *home, size_t cap)
{
	static const char *const mounts[] = {
		"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(group, sizeof(group), "%s/hawser-test-%d", mounts[i],
			(int)getpid());
		snprintf(home, cap, "%s", mounts[i]);
		if (mkdir(group, 0755) != 0)
			continue;
		if (set_quota(0))
			return 1;
		rmdir(group);
	}
	return 0;
}

/* Only from the groups' root, where it can go back to. */
static int is_at_home(void)
{
	char text[4096] = "";
	FILE *f = fopen("/proc/self/cgroup", "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	const char *line = strstr(text, ":cpu:/");

	text[n] = '\0';
	if (f)
		fclose(f);
	line = line ? line + 5 : strstr(text, ":cpu,cpuacct:/");
	if (line && *line == ':')
		line += 13;
	if (!line && (line = strstr(text, "0::/")))
		line += 3;
	return line && line[0] == '/' && (line[1] == '\n' || !line[1]);
}

static void agent_marks_a_run_whose_quota_was_used_up(void **state)
{
	struct run_request rq = {
		.mode = RUN_TIME, .n_samples = 3, .min_sample_ns = 1000000};
	struct device_profile p = profile();
	struct err_ctx ctx = {{0}};
	struct run_result r = {0};
	struct image im;
	struct device *d = NULL;
	char home[200];
	enum err e;

	(void)state;
	if (!has_tools())
		return;
	compile(&im, "good", "", 1);
	if (!is_at_home() || !make_group(home, sizeof(home)) ||
		!write_to(group, "cgroup.procs", "0")) {
		print_message("SKIP: no control group with a CPU quota can be made\n");
		rmdir(group);
		return;
	}
	e = device_open(&d, &p, &ctx);
	if (!e)
		e = device_upload(d, im.path, &im.hash, &ctx);
	rq.image = im.hash;
	if (!e)
		set_quota(1);
	/* Where neighbours leave less than the quota, it is not used up. */
	for (int i = 0; !e && !process_throttled(&r.run) && i < 8; i++) {
		run_result_release(&r);
		e = device_run(d, &rq, &r, &ctx);
	}
	set_quota(0);
	write_to(home, "cgroup.procs", "0");
	device_close(d);
	for (int i = 0; rmdir(group) != 0 && i < 100; i++)
		usleep(10000); /* the kernel takes the agent out a moment later */
	if (e)
		fail_msg("%s", ctx.msg);
	assert_int_equal(r.verdict, VERDICT_OK);
	assert_true(process_throttled(&r.run));
	assert_true(r.run.n_quota > 0 && r.run.quota_us > 1000);
	run_result_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quota_is_read_of_the_group_and_its_parents),
		cmocka_unit_test(quotas_of_nested_groups_add_up),
		cmocka_unit_test(heat_is_read_of_the_measured_core),
		cmocka_unit_test(firmware_tells_now_and_since_the_first_reading),
		cmocka_unit_test(agent_marks_a_run_whose_quota_was_used_up),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
