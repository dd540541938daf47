/* The local device for real: an agent as a child process, images compiled here. Prints SKIP
 * where there is no compiler.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/eval_record.h"
#include "devices/transport/transport.h"
#include "devices/proto/message.h"
#include "tests/unit/device_images.h"

static void expect_run(struct device *d, const struct image *im)
{
	struct run_result r = run(d, im, RUN_TIME);

	assert_int_equal(r.verdict, VERDICT_OK);
	run_result_release(&r);
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
	assert_int_equal(device_info(a)->protocol, WIRE_VERSION);
	assert_true(device_info(a)->clock_resolution_ns > 0);
	assert_non_null(strstr(device_info(a)->description, "arch: "));
	assert_string_equal(device_info(a)->sensor, "");
	assert_int_equal(device_ping(a, &ns, NULL), ERR_OK);
	device_close(a);
	b = open_local(&p);
	assert_true(hash_equal(&first, &device_info(b)->fingerprint));
	device_close(b);
	p.threads = 2; /* figures of two threads are never those of one */
	b = open_local(&p);
	assert_false(hash_equal(&first, &device_info(b)->fingerprint));
	assert_non_null(strstr(device_info(b)->description, "threads: 2\n"));
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
	assert_int_equal(r.run.steps.n, 0);
	run_result_release(&r);
	rq.phase = 0; /* both phases */
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_OK);
	assert_int_equal(r.run.n, 4);
	assert_int_equal(r.run.steps.n, 4);
	assert_int_equal(r.run.steps.n_cached, 8);
	assert_true(r.run.steps.cpu_ns[0] > 0 && r.run.steps.wall_ns[3] > 0);
	run_result_release(&r);
	rq.n_tokens = 32; /* all: room is made for sixteen steps */
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.run.steps.n_cached, 16);
	run_result_release(&r);
	rq.phase = 1;
	rq.n_tokens = 0;
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
	expect_run(d, &im);
	/* Lost from the cache meanwhile: sent again without being asked. */
	assert_int_equal(unlink(path), 0);
	expect_run(d, &im);
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
		assert_int_equal(
			file_write_atomic(path, b.data, b.len / 2, 0700, NULL), ERR_OK);
		d = open_local(&p);
		upload(d, &im);
		expect_run(d, &im);
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
		expect_run(d, &im);
	}
	device_close(d);
}

/* The driver of a controller of some name, as a carrier that can be cut needs it. */
static const char *controller, *idle_s = "0";

static enum err start_for(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	char agent[512];
	const char *const argv[] = {
		agent, "--sensor", "none", "--for", controller, "--idle-s", idle_s, NULL};
	ssize_t n = readlink("/proc/self/exe", agent, sizeof(agent) - 40);
	enum err e;

	(void)p;
	assert_true(n > 0);
	agent[n] = '\0';
	strcpy(strrchr(agent, '/'), "/../hawser-agent");
	e = transport_pipe_open(out, argv, ctx);
	last_transport = e ? NULL : *out;
	return e;
}

static void local_takes_over_from_itself_only(void **state)
{
	static const struct device_driver driver = {"local", "", start_for};
	struct device_profile p = profile();
	struct device *first, *second;
	struct err_ctx ctx = {{0}};
	uint64_t ns;

	(void)state;
	controller = "'pi' of pid 7 on desk";
	assert_int_equal(device_open_with(&first, &p, &driver, &ctx), ERR_OK);
	controller = "'pi' of pid 70 on desk";
	assert_int_equal(device_open_with(&second, &p, &driver, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, ", for 'pi' of pid 7 on desk"));
	assert_int_equal(device_ping(first, &ns, &ctx), ERR_OK);
	device_close(first);
	/* Cut off, not dead: the line to it says nothing any more. */
	controller = "'pi' of pid 7 on desk";
	for (int frozen = 0; frozen < 2; frozen++) {
		assert_int_equal(device_open_with(&first, &p, &driver, &ctx), ERR_OK);
		if (frozen)
			kill(transport_pipe_pid(last_transport), SIGSTOP);
		if (device_open_with(&second, &p, &driver, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
		assert_int_equal(device_ping(second, &ns, &ctx), ERR_OK);
		assert_int_equal(device_ping(first, &ns, &ctx), ERR_LINK);
		device_close(first);
		device_close(second);
	}
}

static void local_agent_ends_when_nothing_is_asked(void **state)
{
	struct device_profile p = profile();
	struct transport *t;
	struct err_ctx ctx = {{0}};
	uint8_t byte;
	size_t n;

	(void)state;
	controller = "nobody";
	idle_s = "1";
	assert_int_equal(start_for(&p, &t, &ctx), ERR_OK);
	assert_int_equal(t->ops->read(t, &byte, 1, 60000, &n, &ctx), ERR_LINK);
	assert_non_null(strstr(ctx.msg, "exit code 0"));
	t->ops->close(t);
	idle_s = "0";
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

/* uJ by the sensor of an agent that was just started, and what one inference took. */
static double energy_of(const struct device_profile *p, const struct image *im,
	uint32_t phase, double *wall_ns)
{
	struct run_request rq = {.mode = RUN_TIME,
		.image = im->hash,
		.phase = phase,
		.n_samples = 24,
		.min_sample_ns = 50000000};
	struct device *d = open_local(p);
	struct err_ctx ctx = {{0}};
	struct run_result r;
	double uj;

	assert_string_equal(device_info(d)->sensor, "fake");
	upload(d, im);
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_OK);
	assert_int_equal(r.verdict, VERDICT_OK);
	*wall_ns = 0;
	for (uint32_t k = 0; k < r.run.n; k++)
		*wall_ns += (double)r.run.wall_ns[k] / r.run.n;
	uj = r.run.energy_uj;
	run_result_release(&r);
	device_close(d);
	return uj;
}

/* A recorded trace instead of a meter: 1 W while the agent samples idle power, 3 W after.
 * On a busy machine the agent may come too late to see the step; then there must be no
 * figure. Single tokens have none: the window holds the inputs between them, too.
 */
static void local_takes_energy_from_its_sensor(void **state)
{
	struct device_profile p = profile();
	static const char steps[] =
		"interval_ns 10000000\n0 1e6\n245000000 1e6\n245000001 3e6\n";
	double uj = NAN, wall;
	char trace[400];
	struct image im;

	(void)state;
	snprintf(trace, sizeof(trace), "%s/trace", dir);
	assert_int_equal(
		file_write_atomic(trace, steps, strlen(steps), 0644, NULL), ERR_OK);
	if (strlen(trace) + 5 >= sizeof(p.sensor)) {
		print_message("SKIP: the path of the temporary folder is too long\n");
		return;
	}
	snprintf(p.sensor, sizeof(p.sensor), "fake:%.58s", trace);
	compile(&im, "decoder", "-DMODEL_DECODER", 1);
	for (int i = 0; i < 3 && isnan(uj); i++)
		uj = energy_of(&p, &im, 0, &wall);
	if (isnan(uj)) {
		print_message("SKIP: this machine is too busy for a figure\n");
		return;
	}
	assert_true(uj > 1.8e-3 * wall); /* 2 W: 2e-3 uJ per ns */
	assert_true(uj < 2.6e-3 * wall);
	for (int i = 0; i < 2; i++)
		assert_true(isnan(energy_of(&p, &im, 1, &wall)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_times_a_good_image),
		cmocka_unit_test(local_tells_what_it_is),
		cmocka_unit_test(local_returns_golden_outputs),
		cmocka_unit_test(local_steps_a_decoder),
		cmocka_unit_test(local_evaluates_inputs),
		cmocka_unit_test(local_sums_log_likelihoods),
		cmocka_unit_test(local_refuses_a_second_controller),
		cmocka_unit_test(local_keeps_images_and_checks_them),
		cmocka_unit_test(local_resumes_a_cut_upload),
		cmocka_unit_test(local_recovers_when_the_agent_is_killed),
		cmocka_unit_test(local_takes_over_from_itself_only),
		cmocka_unit_test(local_agent_ends_when_nothing_is_asked),
		cmocka_unit_test(local_names_why_it_cannot_start),
		cmocka_unit_test(local_takes_energy_from_its_sensor),
	};

	if (!has_tools())
		return 0;
	return cmocka_run_group_tests(tests, setup, teardown);
}
