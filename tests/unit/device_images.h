/* Images for tests of the local device, compiled by the test: a stand-in model with the real
 * harness, or a payload that misbehaves.
 */
#ifndef HAWSER_TESTS_UNIT_DEVICE_IMAGES_H
#define HAWSER_TESTS_UNIT_DEVICE_IMAGES_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/device.h"
#include "src/base/file.h"

static char dir[256];

struct image {
	char path[400];
	struct hash hash;
};

/* Compiles the stand-in model with the real harness, or a misbehaving payload. */
static inline void compile(
	struct image *im, const char *name, const char *flags, int model)
{
	char cmd[1024];
	struct buf b;

	snprintf(im->path, sizeof(im->path), "%s/%s", dir, name);
	snprintf(cmd, sizeof(cmd),
		"gcc -std=c11 -O1 -D_GNU_SOURCE -I. %s %s -o %.399s -lm 2>&1", flags,
		model ? "tests/golden/payloads/model.c devices/boards/linux/*.c"
		      : "tests/golden/payloads/payload.c",
		im->path);
	assert_int_equal(system(cmd), 0);
	buf_init(&b);
	assert_int_equal(file_read(im->path, 0, &b, NULL), ERR_OK);
	hash_bytes(&im->hash, b.data, b.len);
	buf_release(&b);
}

/* This machine, or the one that tests/e2e/ssh.sh names: an address and the client's file. */
static inline struct device_profile profile(void)
{
	struct device_profile p = {.name = "local",
		.driver = "local",
		.cc = "gcc",
		.cpu = "auto",
		.timeout_ms = 20000,
		.sensor = "none"};
	const char *uri = getenv("HAWSER_TEST_URI"), *file = getenv("HAWSER_TEST_SSH");

	if (uri && file) {
		snprintf(p.driver, sizeof(p.driver), "ssh");
		snprintf(p.uri, sizeof(p.uri), "%s", uri);
		snprintf(p.ssh_config, sizeof(p.ssh_config), "%s", file);
	}
	return p;
}

static inline struct device *open_local(const struct device_profile *p)
{
	struct device *d = NULL;
	struct err_ctx ctx = {{0}};

	if (device_open(&d, p, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	return d;
}

static inline void upload(struct device *d, const struct image *im)
{
	struct err_ctx ctx = {{0}};

	if (device_upload(d, im->path, &im->hash, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
}

static inline struct run_result run(
	struct device *d, const struct image *im, enum run_mode mode)
{
	struct run_request rq = {.mode = mode,
		.image = im->hash,
		.process_index = 7,
		.n_warmup = 2,
		.n_samples = 5,
		.min_sample_ns = 50000};
	struct err_ctx ctx = {{0}};
	struct run_result r;

	if (device_run(d, &rq, &r, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	return r;
}

static inline int has_tools(void)
{
	if (system("gcc --version >/dev/null 2>&1") != 0) {
		print_message("SKIP: no gcc to compile payloads with\n");
		return 0;
	}
	return 1;
}

static inline int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char cache[300];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hawser-device-XXXXXX",
		tmp && tmp[0] ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(cache, sizeof(cache), "%s/cache", dir);
	return setenv("HAWSER_AGENT_CACHE", cache, 1);
}

static inline int teardown(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

#endif
