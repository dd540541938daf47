/* Ten candidates on three machines that are not this one: built as a user's builds are, and
 * run by the real agent of that machine, itself under QEMU's user mode. Every answer is held
 * against the reference in double precision, by the image, and against this machine's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <sys/stat.h>

#include "devices/cpu_arch.h"
#include "devices/device.h"
#include "devices/eval_record.h"
#include "tests/unit/codegen_fixture.h"
#include "tests/unit/cross.h"

struct candidate {
	const char *name;
	struct task_shape task;
	const char *text;
};

#define SLOTS                                                                            \
	{                                                                                \
		TASK_INTENT_SLOTS, 5, 7                                                  \
	}
#define CLASSIFY                                                                         \
	{                                                                                \
		TASK_CLASSIFY, 3, 0                                                      \
	}
#define LM                                                                               \
	{                                                                                \
		TASK_LM, 0, 0                                                            \
	}

static const struct candidate candidates[] = {
	{"fp32 post, FFN rank", SLOTS,
		"enc;v=60;t=20;d=32;e=32;eb=32;act=gelu;norm=ln;place=post;pool=mean;abs="
		"1;rel=0;conv=0;opt=O2;kern=opt;L=h2k2x16f64r0b32,h2k1x16f48r8b32"},
	{"int8 pre, conv, relative positions", SLOTS,
		"enc;v=60;t=24;d=48;e=48;eb=8;act=gelu;norm=ln;place=pre;pool=max;abs=0;"
		"rel=8;conv=3;opt=O2;kern=opt;L=h3k1x16f96r0b8,h3k3x16f80r0b8"},
	{"int4, factorised embedding", CLASSIFY,
		"enc;v=60;t=16;d=64;e=16;eb=4;act=relu;norm=rms;place=pre;pool=first;abs="
		"0;rel=4;conv=0;opt=O2;kern=opt;L=h4k2x16f96r0b4"},
	{"shared layers, int8", SLOTS,
		"enc;v=40;t=12;d=32;e=32;eb=8;act=silu;norm=ln;place=pre;pool=mean;abs=1;"
		"rel=0;conv=5;opt=O2;kern=opt;L=h2k2x16f64r0b8,h2k2x16f64r0b8s"},
	{"mixed bits, int8 attention", SLOTS,
		"enc;v=60;t=20;d=32;e=16;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=opt;attn=8;"
		"L=h2k2x16f64r0b32,h2k1x16f64r8b8,h4k4x8f64r0b4"},
	{"static scales", SLOTS,
		"enc;v=50;t=19;d=33;e=33;eb=8;act=gelu;norm=ln;place=post;pool=mean;abs="
		"1;rel=2;conv=0;opt=O2;kern=opt;as=static;"
		"L=h2k1x11f45r0b8,h2k2x11f40r0b4"},
	{"decoder fp32, fp16 kept", LM,
		"dec;v=45;t=48;d=32;e=32;eb=32;act=gelu;norm=ln;place=pre;pool=mean;abs="
		"1;rel=3;conv=0;opt=O2;kern=opt;kv=16;L=h4k2x8f64r0b32"},
	{"decoder int8, int8 kept, factorised", LM,
		"dec;v=64;t=40;d=32;e=10;eb=8;act=silu;norm=rms;place=pre;pool=mean;abs="
		"0;rel=8;conv=3;opt=O2;kern=opt;kv=8;"
		"L=h2k1x16f64r0b8,h2k1x16f64r0b8s"},
	{"decoder int4 post, FFN rank", LM,
		"dec;v=64;t=36;d=33;e=11;eb=4;act=relu;norm=rms;place=post;pool=mean;abs="
		"1;rel=0;conv=0;opt=O2;kern=opt;L=h2k2x9f35r6b4"},
	{"decoder static, mixed bits", LM,
		"dec;v=64;t=32;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;"
		"rel=8;conv=3;opt=O2;kern=opt;kv=8;as=static;"
		"L=h2k1x16f64r0b8,h2k1x16f64r7b4"},
};
#define N_CANDIDATES (sizeof(candidates) / sizeof(candidates[0]))
#define LABELLED 1 /* evaluated */
#define SCORED 7

static const struct emulated {
	const char *machine;
	size_t cross;	    /* in crosses[] */
	const char *cpu;    /* has the best level of its kind */
	const char *cflags; /* of that level */
	const char *lesser; /* a core that has not */
	const char *word;   /* what that one lacks first */
	const char *flag;
} machines[] = {
	{"aarch64", 0, "max", "-march=armv8.2-a+dotprod+i8mm", "cortex-a76", "'i8mm'",
		"'+i8mm'"},
	{"armhf", 1, "max", "-march=armv7-a -mfpu=neon-vfpv4", "cortex-a8", "'vfpv4'",
		"'-mfpu=neon-vfpv4'"},
	{"riscv64", 2, "rv64,v=true", "-march=rv64gcv", "rv64", "'v'", "'v'"},
};

/* Where the programs that are tested lie: HERE/tests/test_x. */
static void beside(const char *name, char *out, size_t cap)
{
	char exe[2048];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	*strrchr(exe, '/') = '\0';
	snprintf(out, cap, "%s/%s", exe, name);
}

static void build(const struct candidate *c, const char *cc, const char *cflags,
	const char *broken, struct fixture *f, struct artefact *a)
{
	struct target target = {cc, cflags, "auto", "linux"};
	struct err_ctx ctx = {""};
	int hit;

	assert_int_equal(fixture_init(f, c->text, c->task), 0);
	f->in.broken_kernel = broken;
	ASSERT_OK(codegen_build(&f->in, &target, shared_cache(), a, &hit, &ctx), &ctx);
}

static struct run_result run(
	struct device *d, const struct artefact *a, const struct run_request *rq)
{
	struct err_ctx ctx = {""};
	struct run_result r;

	ASSERT_OK(device_upload(d, a->path, &a->image, &ctx), &ctx);
	ASSERT_OK(device_run(d, rq, &r, &ctx), &ctx);
	return r;
}

static struct run_result run_golden(struct device *d, const struct artefact *a)
{
	struct run_request rq = {.mode = RUN_GOLDEN, .image = a->image};

	return run(d, a, &rq);
}

/* The agent of `m` as the local device, or this machine's; each has images of its own. */
static struct device *open_device(
	const struct emulated *m, const char *emulator, const char *cpu)
{
	struct device_profile p = {.name = "em",
		.driver = "local",
		.cpu = "any",
		.timeout_ms = 60000,
		.sensor = "none"};
	char agent[4200], name[64], script[4096], images[4200];
	struct err_ctx ctx = {""};
	struct device *d = NULL;
	struct buf text;

	snprintf(images, sizeof(images), "%s/images-%s", dir, m ? m->machine : "own");
	setenv("HAWSER_AGENT_CACHE", images, 1);
	buf_init(&text);
	if (m) {
		snprintf(name, sizeof(name), "hawser-agent-%s", m->machine);
		beside(name, agent, sizeof(agent));
		buf_printf(&text,
			"#!/bin/sh\nq=$(command -v %s)\n"
			"exec \"$q\" -cpu %s '%s' --emulator \"$q\" \"$@\"\n",
			emulator, cpu, agent);
		snprintf(script, sizeof(script), "%.3000s/agent", dir);
		ASSERT_OK(
			file_write_atomic(script, text.data, text.len, 0755, &ctx), &ctx);
		assert_int_equal(chmod(script, 0755), 0);
		setenv("HAWSER_AGENT", script, 1);
	}
	ASSERT_OK(device_open(&d, &p, &ctx), &ctx);
	unsetenv("HAWSER_AGENT");
	buf_release(&text);
	return d;
}

static struct run_result evaluate(
	struct device *d, const struct artefact *a, const struct fixture *f)
{
	int lm = f->in.task.kind == TASK_LM;
	struct run_request rq = {.mode = RUN_EVAL, .image = a->image};
	const int32_t *ids = f->ids;
	struct run_result r;
	struct buf in;

	buf_init(&in);
	eval_input_begin(&in, lm ? EVAL_LM : EVAL_LOGITS);
	for (int k = 0; k < FIXTURE_N_GOLDEN; ids += f->len[k++])
		eval_input_add(&in, ids, f->len[k]);
	rq.input = (const uint8_t *)in.data;
	rq.input_len = in.len;
	r = run(d, a, &rq);
	assert_int_equal(r.verdict, VERDICT_OK);
	buf_release(&in);
	return r;
}

static double log_likelihood(const struct run_result *r)
{
	struct eval_reader reader;
	struct eval_result e;
	double sum = 0;

	assert_true(eval_output_open(&reader, r->output, r->output_len));
	while (eval_output_next(&reader, &e) == 1)
		sum += e.nll;
	return sum;
}

/* What this machine answers, once for all others. */
static struct run_result native[N_CANDIDATES];
static double native_nll;

static void answer_natively(void)
{
	struct run_result r;
	struct artefact a;
	struct fixture f;
	struct device *d;

	if (native[0].output)
		return;
	d = open_device(NULL, NULL, NULL);
	assert_false(device_info(d)->emulated);
	for (size_t i = 0; i < N_CANDIDATES; i++) {
		build(&candidates[i], "gcc", "", NULL, &f, &a);
		native[i] = run_golden(d, &a);
		assert_int_equal(native[i].verdict, VERDICT_OK);
		if (i != SCORED)
			continue;
		r = evaluate(d, &a, &f);
		native_nll = log_likelihood(&r);
		run_result_release(&r);
	}
	device_close(d);
}

static double far_apart(const uint8_t *a, const uint8_t *b, size_t n)
{
	double worst = 0, largest = 0;

	for (size_t i = 0; a && i < n; i++)
		largest = fmax(largest, fabs((double)eval_logit(b, i)));
	for (size_t i = 0; a && i < n; i++)
		worst = fmax(
			worst, fabs((double)eval_logit(a, i) - (double)eval_logit(b, i)));
	return worst / (1 + largest);
}

/* The largest difference of two answers to the golden inputs, as the harness counts it. */
static double difference(const struct run_result *a, const struct run_result *b)
{
	struct eval_reader ra, rb;
	struct eval_result x, y;
	double worst = 0;

	assert_true(eval_output_open(&ra, a->output, a->output_len));
	assert_true(eval_output_open(&rb, b->output, b->output_len));
	assert_int_equal(ra.n_inputs, FIXTURE_N_GOLDEN);
	while (eval_output_next(&ra, &x) == 1) {
		assert_int_equal(eval_output_next(&rb, &y), 1);
		assert_int_equal(x.n, y.n);
		worst = fmax(
			worst, far_apart(x.intent_logits, y.intent_logits, ra.n_intents));
		worst = fmax(worst,
			far_apart(x.tag_logits, y.tag_logits, (size_t)x.n * ra.n_tags));
	}
	assert_int_equal(eval_output_next(&rb, &y), 0);
	return worst;
}

/* ---- instructions, where the emulator has plugins */

static double count_once(
	const struct emulated *m, const char *image, const char *n_samples)
{
	const char *emulator = crosses[m->cross].emulator[0];
	char plugin[2100];
	const char *const argv[] = {emulator, "-cpu", m->cpu, "-plugin", plugin, "-d",
		"plugin", image, "time", "0", n_samples, "0", "0", "0", NULL};
	struct buf text;
	const char *at;
	double n = 0;

	beside("count.so", plugin, sizeof(plugin));
	buf_init(&text);
	if (access(plugin, R_OK) == 0 &&
		!process_run_command(argv, NULL, 60, NULL, &text, NULL) &&
		(at = strstr(buf_str(&text), "instructions ")))
		n = strtod(at + 13, NULL);
	buf_release(&text);
	return n;
}

/* Of one more timed inference of the whole input, two clock readings included; of a decoder
 * of the prefill, and of another and sixteen steps after it. */
static void print_count(
	const struct emulated *m, const struct candidate *c, const struct artefact *a)
{
	double one = count_once(m, a->path, "1"), three = count_once(m, a->path, "3");

	if (!(one > 0 && three > one)) {
		print_message("SKIP: no instruction counts: %s has no plugins\n",
			crosses[m->cross].emulator[0]);
		return;
	}
	print_message("# %-8s %-36s %8.1f thousand instructions%s\n", m->machine, c->name,
		(three - one) / 2e3,
		c->task.kind == TASK_LM ? " (two prefills, 16 steps)" : "");
}

/* ---- the checks */

/* Returns the error as a share of what is allowed. */
static double check_candidate(
	const struct emulated *m, struct device *d, size_t i, int count)
{
	const struct candidate *c = &candidates[i];
	struct artefact a;
	struct fixture f;
	struct run_result r;
	double apart, tolerance, share;

	build(c, crosses[m->cross].cc, m->cflags, NULL, &f, &a);
	tolerance = reference_tolerance(&f.genome);
	r = run_golden(d, &a);
	if (r.verdict != VERDICT_OK)
		fail_msg("%s on %s: %s (%s)", c->name, m->machine,
			verdict_names[r.verdict], r.detail);
	apart = difference(&r, &native[i]);
	if (!(r.golden_error <= tolerance) || !(apart <= 2 * tolerance))
		fail_msg("%s on %s: %g from the reference, %g from this machine", c->name,
			m->machine, r.golden_error, apart);
	share = r.golden_error / tolerance;
	run_result_release(&r);
	if (count)
		print_count(m, c, &a);
	return share;
}

/* Evaluation through the protocol: the labelled outputs are the golden run's, bit for bit;
 * a decoder's log likelihood is this machine's within rounding. */
static void check_evaluation(const struct emulated *m, struct device *d)
{
	struct run_result r, g;
	struct artefact a;
	struct fixture f;
	double nll;

	build(&candidates[LABELLED], crosses[m->cross].cc, m->cflags, NULL, &f, &a);
	r = evaluate(d, &a, &f);
	g = run_golden(d, &a);
	assert_int_equal(r.output_len, g.output_len);
	assert_memory_equal(r.output, g.output, g.output_len);
	run_result_release(&r);
	run_result_release(&g);
	build(&candidates[SCORED], crosses[m->cross].cc, m->cflags, NULL, &f, &a);
	r = evaluate(d, &a, &f);
	nll = log_likelihood(&r);
	run_result_release(&r);
	assert_true(nll > 0 && fabs(nll - native_nll) < 0.01 * native_nll);
}

/* A kernel with a mistake is a wrong output there too. */
static void check_wrong(const struct emulated *m, struct device *d)
{
	char path[4200];
	struct err_ctx ctx = {""};
	struct run_result r;
	struct artefact a;
	struct fixture f;
	struct buf text;
	char *at;

	buf_init(&text);
	ASSERT_OK(file_read("src/infer/ref/norm_ln.c", 1 << 16, &text, &ctx), &ctx);
	at = strstr(text.data, "+ bias[i]");
	assert_non_null(at);
	*at = '-';
	snprintf(path, sizeof(path), "%.3000s/norm_ln.c", dir);
	ASSERT_OK(file_write_atomic(path, text.data, text.len, 0644, &ctx), &ctx);
	buf_release(&text);
	build(&candidates[3], crosses[m->cross].cc, m->cflags, path, &f, &a);
	r = run_golden(d, &a);
	assert_int_equal(r.verdict, VERDICT_WRONG_OUTPUT);
	run_result_release(&r);
}

static void check_never_timed(struct device *d, const struct artefact *a)
{
	struct run_request rq = {
		.mode = RUN_TIME, .image = a->image, .n_samples = 3, .n_warmup = 1};
	struct err_ctx ctx = {""};
	struct run_result r;

	assert_true(device_info(d)->emulated);
	assert_int_equal(device_run(d, &rq, &r, &ctx), ERR_UNSUPPORTED);
	assert_non_null(strstr(ctx.msg, "'em' is emulated"));
}

/* A core without the level: told by its own agent, refused before anything is sent. */
static void check_lesser(
	const struct emulated *m, const char *emulator, const struct artefact *a)
{
	struct device *d = open_device(m, emulator, m->lesser);
	struct err_ctx ctx = {""};

	assert_int_equal(device_upload(d, a->path, &a->image, &ctx), ERR_UNSUPPORTED);
	if (!strstr(ctx.msg, m->word) || !strstr(ctx.msg, m->flag))
		fail_msg("%s", ctx.msg);
	device_close(d);
}

static void check_machine(const struct emulated *m)
{
	const struct cross *c = &crosses[m->cross];
	const char *emulator = cross_ready(c);
	const struct cpu_arch *t;
	struct artefact a;
	struct device *d;
	struct fixture f;
	char machine[64];
	double worst = 0;

	if (!emulator)
		skip();
	answer_natively();
	d = open_device(m, emulator, m->cpu);
	cpu_arch_line(device_info(d)->description, "arch", machine, sizeof(machine));
	t = cpu_arch_find(machine);
	assert_non_null(t);
	assert_string_equal(t->name, m->machine);
	assert_string_equal(t->cc, c->cc);
	assert_string_equal(
		cpu_arch_level_after(t, NULL, device_info(d)->description)->cflags,
		m->cflags);
	for (size_t i = 0; i < N_CANDIDATES; i++)
		worst = fmax(worst, check_candidate(m, d, i, i % 3 == 0));
	print_message(
		"# %-8s largest error %.2f of what is allowed\n", m->machine, worst);
	check_evaluation(m, d);
	check_wrong(m, d);
	build(&candidates[LABELLED], c->cc, m->cflags, NULL, &f, &a);
	check_never_timed(d, &a);
	device_close(d);
	check_lesser(m, emulator, &a);
}

static void aarch64_answers_as_this_machine(void **state)
{
	(void)state;
	check_machine(&machines[0]);
}

static void armhf_answers_as_this_machine(void **state)
{
	(void)state;
	check_machine(&machines[1]);
}

static void riscv64_answers_as_this_machine(void **state)
{
	(void)state;
	check_machine(&machines[2]);
}

static int teardown(void **state)
{
	for (size_t i = 0; i < N_CANDIDATES; i++)
		if (native[i].output)
			run_result_release(&native[i]);
	return remove_dir(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aarch64_answers_as_this_machine),
		cmocka_unit_test(armhf_answers_as_this_machine),
		cmocka_unit_test(riscv64_answers_as_this_machine),
	};

	return cmocka_run_group_tests(tests, make_dir, teardown);
}
