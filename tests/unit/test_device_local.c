/* The local device for real: an agent as a child process, images compiled here, every way an
 * image can end. Prints SKIP where there is no compiler or no agent.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/device.h"
#include "devices/eval_record.h"
#include "devices/transport/transport.h"
#include "src/base/file.h"

static char dir[256];

struct image {
	char path[400];
	struct hash hash;
};

/* Compiles the stand-in model with the real harness, or a misbehaving payload. */
static void compile(struct image *im, const char *name, const char *flags, int model)
{
	char cmd[1024];
	struct buf b;

	snprintf(im->path, sizeof(im->path), "%s/%s", dir, name);
	snprintf(cmd, sizeof(cmd), "gcc -std=c11 -O1 -D_GNU_SOURCE -I. %s %s -o %s -lm 2>&1", flags,
		model ? "tests/golden/payloads/model.c devices/boards/linux/*.c"
		      : "tests/golden/payloads/payload.c",
		im->path);
	assert_int_equal(system(cmd), 0);
	buf_init(&b);
	assert_int_equal(file_read(im->path, 0, &b, NULL), ERR_OK);
	hash_bytes(&im->hash, b.data, b.len);
	buf_release(&b);
}

static struct device_profile profile(void)
{
	struct device_profile p = {.name = "local",
		.driver = "local",
		.cc = "gcc",
		.cpu = "auto",
		.timeout_ms = 20000,
		.sensor = "none"};

	return p;
}

static struct device *open_local(const struct device_profile *p)
{
	struct device *d = NULL;
	struct err_ctx ctx = {{0}};

	if (device_open(&d, p, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	return d;
}

static void upload(struct device *d, const struct image *im)
{
	struct err_ctx ctx = {{0}};

	if (device_upload(d, im->path, &im->hash, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
}

static struct run_result run(struct device *d, const struct image *im, enum run_mode mode)
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

static int has_tools(void)
{
	const char *own = getenv("HAWSER_AGENT");

	if (system("gcc --version >/dev/null 2>&1") != 0) {
		print_message("SKIP: no gcc to compile payloads with\n");
		return 0;
	}
	(void)own;
	return 1;
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char cache[300];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hawser-device-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(cache, sizeof(cache), "%s/cache", dir);
	return setenv("HAWSER_AGENT_CACHE", cache, 1);
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

static void local_times_a_good_image(void **state)
{
	struct device_profile p = profile();
	struct device *d = open_local(&p);
	struct image im;
	struct run_result r;

	(void)state;
	compile(&im, "good", "", 1);
	upload(d, &im);
	r = run(d, &im, RUN_TIME);
	assert_string_equal(r.detail, "");
	assert_int_equal(r.verdict, VERDICT_OK);
	assert_int_equal(r.run.n, 5);
	assert_int_equal(r.run.index, 7);
	assert_true(r.run.inner >= 1);
	assert_true(r.golden_error >= 0 && r.golden_error <= 1e-3);
	for (uint32_t i = 0; i < r.run.n; i++)
		assert_true(r.run.wall_ns[i] > 0 &&
			    r.run.wall_ns[i] * (float)r.run.inner >= 25000);
	assert_true(r.run.peak_rss_bytes > 0);
	assert_true(isnan(r.run.energy_uj));
	run_result_release(&r);
	device_close(d);
}

static void local_tells_what_it_is(void **state)
{
	struct device_profile p = profile();
	struct device *a = open_local(&p), *b;
	struct hash first = device_info(a)->fingerprint;
	uint64_t ns;

	(void)state;
	assert_false(device_info(a)->simulated);
	assert_true(device_info(a)->can_evaluate);
	assert_int_equal(device_info(a)->protocol, 1);
	assert_true(device_info(a)->clock_resolution_ns > 0);
	assert_non_null(strstr(device_info(a)->description, "arch: "));
	assert_string_equal(device_info(a)->sensor, "");
	assert_int_equal(device_ping(a, &ns, NULL), ERR_OK);
	device_close(a);
	b = open_local(&p);
	assert_true(hash_equal(&first, &device_info(b)->fingerprint));
	device_close(b);
}

static void local_returns_golden_outputs(void **state)
{
	struct device_profile p = profile();
	struct device *d = open_local(&p);
	struct eval_reader reader;
	struct eval_result e;
	struct image im;
	struct run_result r;

	(void)state;
	compile(&im, "good", "", 1);
	upload(d, &im);
	r = run(d, &im, RUN_GOLDEN);
	assert_int_equal(r.verdict, VERDICT_OK);
	assert_true(eval_output_open(&reader, r.output, r.output_len));
	assert_int_equal(eval_output_next(&reader, &e), 1);
	assert_int_equal(e.n, 3);
	assert_int_equal(e.intent, 1);
	assert_int_equal(eval_tag(&e, 1), 1);
	assert_true(eval_logit(e.intent_logits, 1) == 1.5f);
	assert_int_equal(eval_output_next(&reader, &e), 0);
	run_result_release(&r);
	device_close(d);
}

static void local_refuses_wrong_outputs_before_timing(void **state)
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

static void local_steps_a_decoder(void **state)
{
	struct device_profile p = profile();
	struct device *d = open_local(&p);
	struct run_request rq = {.mode = RUN_TIME, .n_samples = 4, .phase = 1};
	struct err_ctx ctx = {{0}};
	struct run_result r;
	struct image im;

	(void)state;
	compile(&im, "decoder", "-DMODEL_DECODER", 1);
	upload(d, &im);
	rq.image = im.hash;
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_OK);
	assert_int_equal(r.run.inner, 16); /* steps after a prefill of 8 of 32 */
	run_result_release(&r);
	compile(&im, "good", "", 1); /* an encoder has no steps */
	upload(d, &im);
	rq.image = im.hash;
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_EXIT);
	assert_non_null(strstr(r.detail, "encoder"));
	run_result_release(&r);
	device_close(d);
}

static struct run_result evaluate(
	struct device *d, const struct image *im, const struct buf *in)
{
	struct run_request rq = {.mode = RUN_EVAL,
		.image = im->hash,
		.input = (const uint8_t *)in->data,
		.input_len = in->len};
	struct err_ctx ctx = {{0}};
	struct run_result r;

	if (device_run(d, &rq, &r, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	return r;
}

static void local_evaluates_inputs(void **state)
{
	struct device_profile p = profile();
	struct device *d = open_local(&p);
	struct eval_reader reader;
	struct eval_result e;
	struct image im;
	struct run_result r;
	struct buf in;

	(void)state;
	compile(&im, "good", "", 1);
	upload(d, &im);
	buf_init(&in);
	eval_input_begin(&in, EVAL_LOGITS);
	for (int32_t i = 0; i < 500; i++) {
		int32_t ids[32];

		for (int32_t k = 0; k < 32; k++)
			ids[k] = (i + 3 * k) % 11;
		eval_input_add(&in, ids, 1 + (uint32_t)i % 32);
	}
	r = evaluate(d, &im, &in);
	assert_int_equal(r.verdict, VERDICT_OK);
	assert_true(eval_output_open(&reader, r.output, r.output_len));
	assert_int_equal(reader.n_inputs, 500);
	for (uint32_t i = 0; i < 500; i++) {
		assert_int_equal(eval_output_next(&reader, &e), 1);
		assert_int_equal(e.n, 1 + i % 32);
		assert_int_equal(e.intent, i % 11 % 3);
		assert_int_equal(eval_tag(&e, e.n - 1), (i + 3 * (e.n - 1)) % 11 % 4);
	}
	assert_int_equal(eval_output_next(&reader, &e), 0);
	run_result_release(&r);
	buf_reset(&in);
	eval_input_begin(&in, 0);
	eval_input_add(&in, (const int32_t[]){11}, 1);
	r = evaluate(d, &im, &in);
	assert_int_equal(r.verdict, VERDICT_EXIT);
	assert_non_null(strstr(r.detail, "out of range"));
	run_result_release(&r);
	buf_release(&in);
	device_close(d);
}

static void local_sums_log_likelihoods(void **state)
{
	/* Logit 3 on the successor, 0 on ten others. */
	const double hit = log(exp(3) + 10) - 3, miss = log(exp(3) + 10);
	struct device_profile p = profile();
	struct device *d = open_local(&p);
	struct eval_reader reader;
	struct eval_result e;
	struct image im;
	struct run_result r;
	struct buf in;

	(void)state;
	compile(&im, "decoder", "-DMODEL_DECODER", 1);
	upload(d, &im);
	buf_init(&in);
	eval_input_begin(&in, EVAL_LM | EVAL_WIDE);
	eval_input_add(&in, (const int32_t[]){1, 2, 3, 7}, 4);
	r = evaluate(d, &im, &in);
	assert_int_equal(r.verdict, VERDICT_OK);
	assert_true(eval_output_open(&reader, r.output, r.output_len));
	assert_int_equal(eval_output_next(&reader, &e), 1);
	assert_int_equal(e.n_scored, 3);
	assert_true(fabs(e.nll - (2 * hit + miss)) < 1e-9);
	run_result_release(&r);
	buf_release(&in);
	device_close(d);
}

static void local_names_how_an_image_fails(void **state)
{
	static const struct {
		const char *what;
		enum verdict verdict;
		const char *detail;
	} cases[] = {
		{"CRASH", VERDICT_CRASH, "signal 11: about to fail"},
		{"EXIT_3", VERDICT_EXIT, "exit code 3"},
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
		run_result_release(&r);
	}
	device_close(d);
}

/* Programs that were started from our folder. */
static int n_left_running(void)
{
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
		n += strncmp(exe, dir, strlen(dir)) == 0;
	}
	closedir(proc);
	return n;
}

static void local_leaves_no_process_behind(void **state)
{
	struct device_profile p = profile();
	struct device *d;
	struct image im;
	struct run_result r;

	(void)state;
	p.timeout_ms = 200;
	d = open_local(&p);
	compile(&im, "fork", "-w -DPAYLOAD=FORK", 0);
	upload(d, &im);
	r = run(d, &im, RUN_TIME);
	assert_int_equal(r.verdict, VERDICT_TIMEOUT);
	assert_int_equal(n_left_running(), 0);
	run_result_release(&r);
	device_close(d);
}

static void local_refuses_a_second_controller(void **state)
{
	struct device_profile p = profile();
	struct device *a = open_local(&p), *b = NULL;
	struct err_ctx ctx = {{0}};

	(void)state;
	assert_int_equal(device_open(&b, &p, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "held by pid "));
	device_close(a);
	device_close(open_local(&p));
}

static void local_keeps_images_and_checks_them(void **state)
{
	struct device_profile p = profile();
	struct device *d = open_local(&p);
	char hex[HASH_HEX + 1], path[512];
	struct err_ctx ctx = {{0}};
	struct image im;
	struct run_result r;
	struct stat before, after;

	(void)state;
	compile(&im, "kept", "-DMODEL_SPIN=201", 1);
	upload(d, &im);
	device_close(d);
	hash_to_hex(&im.hash, hex);
	snprintf(path, sizeof(path), "%s/cache/%s.img", dir, hex);
	assert_int_equal(stat(path, &before), 0);
	d = open_local(&p);
	upload(d, &im);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino); /* not sent again */
	device_close(d);
	/* Damage on the device's disk is found before the image is run. */
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(truncate(path, 1000), 0);
	d = open_local(&p);
	upload(d, &im);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	r = run(d, &im, RUN_TIME);
	assert_int_equal(r.verdict, VERDICT_OK);
	run_result_release(&r);
	/* Lost from the cache meanwhile: sent again without being asked. */
	assert_int_equal(unlink(path), 0);
	r = run(d, &im, RUN_TIME);
	assert_int_equal(r.verdict, VERDICT_OK);
	run_result_release(&r);
	hash_bytes(&im.hash, "other", 5);
	assert_int_equal(device_upload(d, im.path, &im.hash, &ctx), ERR_INVALID);
	device_close(d);
}

static void local_resumes_a_cut_upload(void **state)
{
	struct device_profile p = profile();
	struct device *d;
	char hex[HASH_HEX + 1], path[512];
	struct image im;
	struct run_result r;
	struct buf b;

	(void)state;
	compile(&im, "cut", "-DMODEL_SPIN=202", 1);
	hash_to_hex(&im.hash, hex);
	snprintf(path, sizeof(path), "%s/cache/%s.part", dir, hex);
	buf_init(&b);
	assert_int_equal(file_read(im.path, 0, &b, NULL), ERR_OK);
	/* A sound part is continued, a damaged one replaced. */
	for (int damaged = 0; damaged < 2; damaged++) {
		b.data[100] = (char)(b.data[100] ^ damaged);
		assert_int_equal(file_write_atomic(path, b.data, b.len / 2, 0700, NULL), ERR_OK);
		d = open_local(&p);
		upload(d, &im);
		r = run(d, &im, RUN_TIME);
		assert_int_equal(r.verdict, VERDICT_OK);
		run_result_release(&r);
		device_close(d);
		snprintf(path, sizeof(path), "%s/cache/%s.img", dir, hex);
		assert_int_equal(unlink(path), 0);
		snprintf(path, sizeof(path), "%s/cache/%s.part", dir, hex);
	}
	buf_release(&b);
}

/* A driver that remembers its transport, so that the test can kill the agent. */
static struct transport *last_transport;

static enum err start_known(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	enum err e = device_driver_find("local")->start(p, out, ctx);

	last_transport = e ? NULL : *out;
	return e;
}

static void local_recovers_when_the_agent_is_killed(void **state)
{
	static const struct device_driver known = {"local", "", start_known};
	struct device_profile p = profile();
	struct device *d;
	struct err_ctx ctx = {{0}};
	struct image im;
	struct run_result r;

	(void)state;
	compile(&im, "good", "", 1);
	assert_int_equal(device_open_with(&d, &p, &known, &ctx), ERR_OK);
	upload(d, &im);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kill(transport_pipe_pid(last_transport), SIGKILL), 0);
		r = run(d, &im, RUN_TIME);
		assert_int_equal(r.verdict, VERDICT_LINK_LOST);
		assert_non_null(strstr(r.detail, "signal 9"));
		run_result_release(&r);
		if (device_recover(d, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
		r = run(d, &im, RUN_TIME);
		assert_int_equal(r.verdict, VERDICT_OK);
		run_result_release(&r);
	}
	device_close(d);
}

static void local_names_why_it_cannot_start(void **state)
{
	struct device_profile p = profile();
	struct device *d = NULL;
	struct err_ctx ctx = {{0}};
	char cache[300];

	(void)state;
	snprintf(p.cpu, sizeof(p.cpu), "9999");
	assert_int_equal(device_open(&d, &p, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "core '9999'"));
	p = profile();
	snprintf(cache, sizeof(cache), "%s/open", dir);
	assert_int_equal(mkdir(cache, 0700), 0);
	assert_int_equal(chmod(cache, 0777), 0);
	setenv("HAWSER_AGENT_CACHE", cache, 1);
	assert_int_equal(device_open(&d, &p, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "written by others"));
	snprintf(cache, sizeof(cache), "%s/cache", dir);
	setenv("HAWSER_AGENT_CACHE", cache, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_times_a_good_image),
		cmocka_unit_test(local_tells_what_it_is),
		cmocka_unit_test(local_returns_golden_outputs),
		cmocka_unit_test(local_refuses_wrong_outputs_before_timing),
		cmocka_unit_test(local_steps_a_decoder),
		cmocka_unit_test(local_evaluates_inputs),
		cmocka_unit_test(local_sums_log_likelihoods),
		cmocka_unit_test(local_names_how_an_image_fails),
		cmocka_unit_test(local_leaves_no_process_behind),
		cmocka_unit_test(local_refuses_a_second_controller),
		cmocka_unit_test(local_keeps_images_and_checks_them),
		cmocka_unit_test(local_resumes_a_cut_upload),
		cmocka_unit_test(local_recovers_when_the_agent_is_killed),
		cmocka_unit_test(local_names_why_it_cannot_start),
	};

	if (!has_tools())
		return 0;
	return cmocka_run_group_tests(tests, setup, teardown);
}
