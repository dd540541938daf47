/* Every way an image can end on a device, and that nothing of it is left. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/device_images.h"

static void device_refuses_wrong_outputs_before_timing(void **state)
{
	static const struct {
		const char *name, *flags, *detail;
	} cases[] = {
		{"wrong", "-DMODEL_WRONG", "tag logit 11 is 0.25 instead of 0.5"},
		{"nan", "-DMODEL_NAN", "intent logit 1 is"},
	};
	struct device_profile p = profile();
	struct device *d = open_local(&p);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct image im;
		struct run_result r;

		compile(&im, cases[i].name, cases[i].flags, 1);
		upload(d, &im);
		r = run(d, &im, RUN_TIME);
		assert_int_equal(r.verdict, VERDICT_WRONG_OUTPUT);
		assert_non_null(strstr(r.detail, cases[i].detail));
		assert_int_equal(r.run.n, 0);
		assert_null(r.run.wall_ns);
		run_result_release(&r);
	}
	device_close(d);
}

static void device_names_how_an_image_fails(void **state)
{
	static const struct {
		const char *what;
		enum verdict verdict;
		const char *detail;
	} cases[] = {
		{"CRASH", VERDICT_CRASH, "signal 11: about to fail"},
		{"EXIT_3", VERDICT_EXIT, "exit code 3"},
		{"KILL", VERDICT_CRASH, "killed from outside, signal 9"},
		{"LOOP", VERDICT_TIMEOUT, "still running"},
		{"FORK", VERDICT_TIMEOUT, "still running"},
		{"EAT", VERDICT_OOM, "out of memory"},
		{"SILENT", VERDICT_EXIT, "records"},
		{"GARBAGE", VERDICT_EXIT, "records"},
		{"FLOOD", VERDICT_EXIT, "more output"},
		{"BIG", VERDICT_OOM, "memory limit"},
		{"CRUMBS", VERDICT_EXIT, "records"},
	};
	struct device_profile p = profile();
	struct device *d;
	struct image good;
	struct run_result r;

	(void)state;
	p.timeout_ms = 3000;
	p.memory_bytes = 64u << 20;
	d = open_local(&p);
	compile(&good, "good", "-static", 1);
	upload(d, &good);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct image im;
		char flags[64];

		snprintf(flags, sizeof(flags), "-w -DPAYLOAD=%s", cases[i].what);
		compile(&im, cases[i].what, flags, 0);
		upload(d, &im);
		r = run(d, &im, RUN_TIME);
		if (r.verdict != cases[i].verdict || !strstr(r.detail, cases[i].detail))
			fail_msg("%s: %s, '%s'", cases[i].what, verdict_names[r.verdict],
				r.detail);
		run_result_release(&r);
		/* The device is fine. */
		r = run(d, &good, RUN_TIME);
		assert_int_equal(r.verdict, VERDICT_OK);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
		assert_in_range(r.run.peak_rss_bytes, 1, 16u << 20);
#endif
		run_result_release(&r);
	}
	device_close(d);
}

/* Images that run from the device's folder, as the agent there does over SSH. */
static int images_running(int *last)
{
	const char *far = getenv("HAWSER_TEST_IMAGES"), *folder = far ? far : dir;
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while ((e = readdir(proc))) {
		char link[300], exe[512];
		ssize_t len;

		snprintf(link, sizeof(link), "/proc/%.200s/exe", e->d_name);
		len = readlink(link, exe, sizeof(exe) - 1);
		if (len <= 0)
			continue;
		exe[len] = '\0';
		if (strncmp(exe, folder, strlen(folder)) || strstr(exe, "/agent-"))
			continue;
		*last = atoi(e->d_name);
		n++;
	}
	closedir(proc);
	return n;
}

/* Somebody there who kills images as soon as they are to be seen; none in 30 s is a fault. */
static void *kill_images(void *self)
{
	volatile int *left = self;
	time_t begin = time(NULL);
	int last = 0, pid = 0;

	while (*left > 0 && time(NULL) - begin < 30)
		if (images_running(&pid) && pid != last && kill(pid, SIGKILL) == 0) {
			last = pid;
			--*left;
		}
	return NULL;
}

static void device_runs_a_killed_image_again_before_it_blames_it(void **state)
{
	struct run_request rq = {
		.mode = RUN_TIME, .n_samples = 5, .min_sample_ns = 100000000};
	struct device_profile p = profile();
	struct device *d;
	struct image im;

	(void)state;
	p.memory_bytes = 64u << 20;
	d = open_local(&p);
	compile(&im, "good", "-static", 1);
	upload(d, &im);
	rq.image = im.hash;
	for (int n = 1; n <= 3; n++) {
		struct err_ctx ctx = {{0}};
		struct run_result r;
		pthread_t killer;
		int left = n;

		assert_int_equal(pthread_create(&killer, NULL, kill_images, &left), 0);
		assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
		pthread_join(killer, NULL);
		assert_int_equal(left, 0);
		assert_int_equal(r.verdict, n < 3 ? VERDICT_OK : VERDICT_CRASH);
		assert_true(n < 3 || strstr(r.detail, "killed from outside, signal 9"));
		run_result_release(&r);
	}
	device_close(d);
}

static void device_leaves_no_process_behind(void **state)
{
	struct device_profile p = profile();
	struct device *d;
	struct image im;
	struct run_result r;
	int pid;

	(void)state;
	p.timeout_ms = 200;
	d = open_local(&p);
	compile(&im, "fork", "-w -DPAYLOAD=FORK", 0);
	upload(d, &im);
	r = run(d, &im, RUN_TIME);
	assert_int_equal(r.verdict, VERDICT_TIMEOUT);
	assert_int_equal(images_running(&pid), 0);
	run_result_release(&r);
	device_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_refuses_wrong_outputs_before_timing),
		cmocka_unit_test(device_names_how_an_image_fails),
		cmocka_unit_test(device_runs_a_killed_image_again_before_it_blames_it),
		cmocka_unit_test(device_leaves_no_process_behind),
	};

	if (!has_tools())
		return 0;
	return cmocka_run_group_tests(tests, setup, teardown);
}
