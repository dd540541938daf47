/* A device whose disk is full: a small file system of the test's own, where this process
 * may mount one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "src/measure/measure.h"
#include "tests/unit/device_images.h"

#define N_IMAGES 4

static char full[300];
static struct image images[N_IMAGES];

/* Two images of four fit. */
static int mount_small(void)
{
	char options[64];
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(images[0].path, 0, &b, NULL), ERR_OK);
	snprintf(options, sizeof(options), "size=%zu,mode=700", b.len * 5 / 2);
	buf_release(&b);
	snprintf(full, sizeof(full), "%s/full", dir);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       file_mkdirs(full, NULL) == ERR_OK &&
	       mount("full", full, "tmpfs", 0, options) == 0 &&
	       setenv("HAWSER_AGENT_CACHE", full, 1) == 0;
}

static int count(const char *suffix)
{
	DIR *folder = opendir(full);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(folder)))
		n += strstr(e->d_name, suffix) != NULL;
	closedir(folder);
	return n;
}

/* Takes all that is left but `room` bytes. */
static void fill(const char *path, off_t room)
{
	static const char block[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - room), 0);
	close(fd);
}

static void expect_run(struct device *d, const struct image *im)
{
	struct run_result r = run(d, im, RUN_TIME);

	assert_string_equal(r.detail, "");
	assert_int_equal(r.verdict, VERDICT_OK);
	run_result_release(&r);
}

static enum err measure(struct device *d, const struct image *im, struct measure_job *job)
{
	struct artefact a = {.image = im->hash};
	struct measure_options o;
	struct err_ctx ctx = {{0}};
	enum err e;

	measure_options_default(&o);
	o.min_processes = o.max_processes = 2;
	o.retries = 1;
	snprintf(a.path, sizeof(a.path), "%s", im->path);
	memset(job, 0, sizeof(*job));
	job->artefact = &a;
	job->look = 1;
	e = measure_run(d, NULL, job, 1, &o, NULL, NULL, NULL, NULL, &ctx);
	measurement_release(&job->m);
	return e;
}

static void full_disk_takes_images_as_long_as_old_ones_can_go(void **state)
{
	struct device_profile p = profile();
	struct device *d;

	(void)state;
	d = open_local(&p);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < N_IMAGES; i++) {
			upload(d, &images[i]);
			expect_run(d, &images[i]);
			assert_int_equal(count(".part"), 0);
		}
	assert_int_equal(count(".img"), 2);
	expect_run(d, &images[0]); /* one that went is sent again */
	device_close(d);
}

static void full_disk_is_the_device_s_fault_and_leaves_nothing(void **state)
{
	struct device_profile p = profile();
	struct device *d = open_local(&p);
	struct err_ctx ctx = {{0}};
	struct measure_job job;
	struct image small;
	char filler[320];

	(void)state;
	snprintf(filler, sizeof(filler), "%s/filler", full);
	for (int i = 0; i < N_IMAGES; i++) {
		char hex[HASH_HEX + 1], path[400];

		hash_to_hex(&images[i].hash, hex);
		snprintf(path, sizeof(path), "%s/%s.img", full, hex);
		unlink(path);
	}
	fill(filler, 300000);
	assert_int_equal(
		device_upload(d, images[0].path, &images[0].hash, &ctx), ERR_FULL);
	assert_non_null(strstr(ctx.msg, "the device has no space left: "));
	assert_int_equal(count(".img") + count(".part"), 0);
	assert_int_equal(measure(d, &images[0], &job), ERR_OK);
	assert_int_equal(job.verdict, VERDICT_DEVICE_LOST);
	assert_false(verdict_blames_candidate(job.verdict));
	assert_non_null(strstr(job.detail, "no space left"));
	assert_int_equal(count(".img") + count(".part"), 0);
	/* The next job, which fits, goes on; and all do with the room back. */
	compile(&small, "small", "-DMODEL_SPIN=207", 1);
	assert_int_equal(measure(d, &small, &job), ERR_OK);
	assert_int_equal(job.verdict, VERDICT_OK);
	unlink(filler);
	assert_int_equal(measure(d, &images[0], &job), ERR_OK);
	assert_int_equal(job.verdict, VERDICT_OK);
	device_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_disk_takes_images_as_long_as_old_ones_can_go),
		cmocka_unit_test(full_disk_is_the_device_s_fault_and_leaves_nothing),
	};
	int failed;

	if (!has_tools() || setup(NULL))
		return 0;
	for (int i = 0; i < N_IMAGES; i++) {
		char name[32], flags[64];

		snprintf(name, sizeof(name), "image-%d", i);
		snprintf(flags, sizeof(flags), "-static -DMODEL_SPIN=%d", 300 + i);
		compile(&images[i], name, flags, 1);
	}
	if (!mount_small()) {
		print_message("SKIP: no small file system can be mounted\n");
		teardown(NULL);
		return 0;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	umount(full);
	teardown(NULL);
	return failed;
}
