/* Tuning from the verdict on times to the generated table: what is stored, what wins, what
 * code generation makes of it. That all schedules give the same bits: test_infer_opt.c;
 * the real tuner on a real device: tests/e2e/tune.sh. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "devices/proto/record.h"
#include "src/codegen/emit.h"
#include "src/eval/tune.h"
#include "src/infer/kernels.h"
#include "src/store/schema.h"
#include "tests/unit/codegen_fixture.h"

#define N_PROCESSES 9

static const struct task_shape slots = {TASK_INTENT_SLOTS, 5, 7};
static const char model[] =
	"enc;v=40;t=12;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
	"conv=0;opt=O2;kern=opt;L=h2k2x8f20r0b8,h2k2x8f24r0b32";

/* ---- the store */

static struct store_wisdom row(uint32_t n, uint8_t schedule)
{
	struct store_wisdom w = {.kernel_set = "x86-avx2",
		.shape = {8, n, 64, 48},
		.n_schedules = 3,
		.schedule = schedule,
		.ratio = 0.9,
		.ratio_ci = {0.88, 0.91},
		.ns = {1000, 900, 1250.5},
		.n_processes = N_PROCESSES};

	hash_bytes(&w.device, "device", 6);
	hash_bytes(&w.tuner, "tuner", 5);
	return w;
}

static void open_store(struct store **s, const struct schema *schema, const char *name)
{
	struct err_ctx ctx = {""};
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ASSERT_OK(store_open_schema(s, path, STORE_WRITE, schema, &ctx), &ctx);
}

static void wisdom_round_trips_once_for_a_key(void **state)
{
	const struct store_wisdom put[] = {row(12, 1), row(13, 0)};
	struct store_wisdom other = row(14, 1), *got, bad = row(15, 3);
	struct err_ctx ctx = {""};
	struct store *s;
	int64_t last;
	size_t n;

	(void)state;
	open_store(&s, &store_schema, "round.db");
	ASSERT_OK(store_last_wisdom(s, NULL, &last, &ctx), &ctx);
	assert_int_equal(last, 0);
	ASSERT_OK(store_put_wisdom(s, put, 2, &ctx), &ctx);
	assert_int_equal(store_put_wisdom(s, put, 1, &ctx), ERR_EXISTS);
	assert_int_equal(store_put_wisdom(s, &bad, 1, &ctx), ERR_INVALID);
	hash_bytes(&other.tuner, "other", 5);
	ASSERT_OK(store_put_wisdom(s, &other, 1, &ctx), &ctx);
	store_close(s);

	open_store(&s, &store_schema, "round.db");
	ASSERT_OK(store_last_wisdom(s, &other.device, &last, &ctx), &ctx);
	assert_int_equal(last, 3);
	ASSERT_OK(store_list_wisdom(
			  s, &put->device, &put->tuner, INT64_MAX, &got, &n, &ctx),
		&ctx);
	assert_int_equal(n, 2);
	assert_true(product_equal(&got[0].shape, &put[0].shape));
	assert_string_equal(got[0].kernel_set, "x86-avx2");
	assert_int_equal(got[0].schedule, 1);
	assert_int_equal(got[0].n_schedules, 3);
	assert_int_equal(got[0].n_processes, N_PROCESSES);
	assert_true(got[0].ratio >= 0.9 && got[0].ratio_ci.hi <= 0.91);
	assert_true(got[0].ns[2] > 1250.4 && got[0].ns[2] < 1250.6);
	assert_int_equal(got[1].schedule, 0);
	free(got);
	ASSERT_OK(
		store_list_wisdom(s, &put->device, &put->tuner, 1, &got, &n, &ctx), &ctx);
	assert_int_equal(n, 1); /* what was known then */
	free(got);
	store_close(s);
}

static void wisdom_is_kept_in_a_database_from_before(void **state)
{
	const struct schema before = {store_schema.steps, 2};
	struct store_wisdom put = row(12, 1), *got;
	struct err_ctx ctx = {""};
	struct hash spec;
	struct store *s;
	int64_t job;
	size_t n;

	(void)state;
	hash_bytes(&spec, "spec", 4);
	open_store(&s, &before, "old.db");
	ASSERT_OK(store_job_open(s, "old", &spec, "", &job, &ctx), &ctx);
	store_close(s);
	open_store(&s, &store_schema, "old.db");
	ASSERT_OK(store_put_wisdom(s, &put, 1, &ctx), &ctx);
	ASSERT_OK(
		store_list_wisdom(s, &put.device, &put.tuner, INT64_MAX, &got, &n, &ctx),
		&ctx);
	assert_int_equal(n, 1);
	free(got);
	assert_int_equal(store_job_open(s, "old", &spec, "", &job, &ctx), ERR_OK);
	store_close(s);
}

/* ---- the verdict */

/* Times of three schedules, as multiples of the first, give or take `noise`. */
static void judge(struct store_wisdom *w, double second, double third, double noise)
{
	double ns[N_PROCESSES * 3];
	struct rng rng;

	rng_init(&rng, 5);
	for (int p = 0; p < N_PROCESSES; p++) {
		double drift =
			1 + 0.3 * p; /* of the whole process: ratios do not see it */

		for (int i = 0; i < 3; i++)
			ns[3 * p + i] = 1000 * drift *
					(1 + noise * (rng_unit(&rng) - 0.5)) *
					(i == 0		 ? 1
						: i == 1 ? second
							 : third);
	}
	*w = row(12, 0);
	tune_judge(w, ns, N_PROCESSES, 1);
}

static void schedule_wins_only_when_it_is_clear(void **state)
{
	static const struct {
		double second, third, noise;
		int winner;
	} cases[] = {
		{0.9, 1.1, 0, 1}, {0.95, 0.9, 0.01, 2}, {1.1, 1.2, 0.01, 0},
		{0.995, 1, 0, 0},   /* half a percent is not worth a build of its own */
		{0.98, 1, 0.30, 0}, /* lost in noise */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_wisdom w;

		judge(&w, cases[i].second, cases[i].third, cases[i].noise);
		assert_int_equal(w.schedule, cases[i].winner);
		assert_true(w.ratio_ci.lo <= w.ratio && w.ratio <= w.ratio_ci.hi);
		assert_true(w.schedule ? w.ratio < 1 : w.ratio >= 1);
		assert_int_equal(w.n_processes, N_PROCESSES);
	}
}

/* ---- the tuner's answer */

static size_t answer(uint8_t *out, size_t cap, float last)
{
	struct put p;

	put_init(&p, out, cap);
	put_u32(&p, TUNE_OUT_MAGIC);
	put_u32(&p, 2);
	for (int i = 0; i < 6; i++)
		put_f32(&p, i < 5 ? 100 : last);
	return p.len;
}

static void answer_that_makes_no_sense_is_a_lost_link(void **state)
{
	const struct store_wisdom rows[] = {row(12, 0), row(13, 0)};
	static const float wrong[] = {0, -1, INFINITY, NAN};
	struct err_ctx ctx = {""};
	uint8_t bytes[64];
	double out[6];
	size_t len = answer(bytes, sizeof(bytes), 7);

	(void)state;
	ASSERT_OK(tune_read(bytes, len, rows, 2, out, &ctx), &ctx);
	assert_true(out[5] >= 7 && out[5] <= 7);
	assert_int_equal(tune_read(bytes, len + 1, rows, 2, out, &ctx), ERR_LINK);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(tune_read(bytes, n, rows, 2, out, &ctx), ERR_LINK);
	for (size_t i = 0; i < 8; i++) {
		bytes[i] ^= 4;
		assert_int_equal(tune_read(bytes, len, rows, 2, out, &ctx), ERR_LINK);
		bytes[i] ^= 4;
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		answer(bytes, sizeof(bytes), wrong[i]);
		assert_int_equal(tune_read(bytes, len, rows, 2, out, &ctx), ERR_LINK);
	}
}

/* ---- code generation */

static void model_for(const struct fixture *f, const char *isa, struct buf *out)
{
	struct target target = {"none", "", isa, FIXTURE_HARNESS};
	struct err_ctx ctx = {""};
	struct program *p;

	buf_init(out);
	ASSERT_OK(codegen_program(&p, &f->in, &target, &ctx), &ctx);
	emit_model(&f->in, p, out);
	ASSERT_OK(buf_err(out, &ctx), &ctx);
	program_free(p);
}

static size_t count(const struct buf *text, const char *what)
{
	size_t n = 0;

	for (const char *c = buf_str(text); (c = strstr(c, what)); c++)
		n++;
	return n;
}

static void products_are_listed_where_schedules_compete(void **state)
{
	struct target target = {"none", "", "x86-avx512vnni", FIXTURE_HARNESS};
	struct product shapes[PRODUCTS_MAX];
	struct err_ctx ctx = {""};
	struct fixture f;
	size_t n, n_f32 = 0;

	(void)state;
	assert_int_equal(fixture_init(&f, model, slots), 0);
	f.in.timed_tokens = 9;
	ASSERT_OK(codegen_products(&f.in, &target, shapes, &n, &ctx), &ctx);
	/* int8: qkv, wo, w1, w2, tags; fp32: qkv, wo, w1, w2; not the intent's one row */
	assert_int_equal(n, 9);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(shapes[i].n, 9);
		n_f32 += shapes[i].bits == 32;
	}
	assert_int_equal(n_f32, 4);
	target.isa = "";
	ASSERT_OK(codegen_products(&f.in, &target, shapes, &n, &ctx), &ctx);
	assert_int_equal(n, 0);
}

static void model_takes_the_schedules_that_were_found(void **state)
{
	const struct tuned tuned[] = {
		{{8, 12, 16, 48}, SCHEDULE_LOW},   /* q, k, v */
		{{32, 12, 16, 24}, SCHEDULE_ROWS}, /* w1 of the second layer */
		{{8, 11, 16, 20}, SCHEDULE_FULL},  /* w1, but another length */
		{{8, 12, 20, 16}, 77},		   /* of a kernel that was */
	};
	struct buf plain, fast;
	struct fixture f;

	(void)state;
	assert_int_equal(fixture_init(&f, model, slots), 0);
	model_for(&f, "x86-avx512vnni", &plain);
	assert_int_equal(count(&plain, "schedule"), 0);
	f.in.tuned = tuned;
	f.in.n_tuned = sizeof(tuned) / sizeof(tuned[0]);
	model_for(&f, "x86-avx512vnni", &fast);
	assert_int_equal(count(&fast, ".schedule = "), 2);
	assert_int_equal(count(&fast, ".schedule = SCHEDULE_LOW}; /* [48, 16] int8"), 1);
	assert_int_equal(count(&fast, ".schedule = SCHEDULE_ROWS}; /* [24, 16] fp32"), 1);
	buf_release(&fast);
	buf_release(&plain);
	model_for(&f, "", &fast); /* portable kernels have one way only */
	assert_int_equal(count(&fast, "schedule"), 0);
	buf_release(&fast);
}

#if defined(__x86_64__)
/* The schedule is part of the build: another image under another key, and its answers
 * are the reference's. */
static void tuned_build_is_another_and_right(void **state)
{
	const struct target target = {"gcc", "", "x86-avx512vnni", FIXTURE_HARNESS};
	const struct tuned tuned = {{8, 12, 16, 48}, SCHEDULE_FULL};
	struct artefact plain, fast;
	struct err_ctx ctx = {""};
	struct fixture f;
	int hit;

	(void)state;
	assert_int_equal(fixture_init(&f, model, slots), 0);
	ASSERT_OK(codegen_build(&f.in, &target, cache, &plain, &hit, &ctx), &ctx);
	f.in.tuned = &tuned;
	f.in.n_tuned = 1;
	ASSERT_OK(codegen_build(&f.in, &target, cache, &fast, &hit, &ctx), &ctx);
	assert_false(hit);
	assert_false(hash_equal(&plain.build, &fast.build));
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vnni"))
		run_image(&fast, "tuned");
	else
		print_message("SKIP running: this processor is no x86-avx512vnni\n");
}

static void tuner_is_built_once_for_its_flags(void **state)
{
	struct target target = {"gcc", "-mavx2 -mfma", "x86-avx2", "linux"};
	struct artefact a, b;
	struct err_ctx ctx = {""};

	(void)state;
	ASSERT_OK(codegen_tuner(&target, OPT_O2, cache, &a, &ctx), &ctx);
	ASSERT_OK(codegen_tuner(&target, OPT_O2, cache, &b, &ctx), &ctx);
	assert_true(hash_equal(&a.build, &b.build));
	assert_true(hash_equal(&a.image, &b.image));
	ASSERT_OK(codegen_tuner(&target, OPT_O3, cache, &b, &ctx), &ctx);
	assert_false(hash_equal(&a.build, &b.build));
	target.cc = "none";
	assert_int_equal(
		codegen_tuner(&target, OPT_O2, cache, &b, &ctx), ERR_UNSUPPORTED);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wisdom_round_trips_once_for_a_key),
		cmocka_unit_test(wisdom_is_kept_in_a_database_from_before),
		cmocka_unit_test(schedule_wins_only_when_it_is_clear),
		cmocka_unit_test(answer_that_makes_no_sense_is_a_lost_link),
		cmocka_unit_test(products_are_listed_where_schedules_compete),
		cmocka_unit_test(model_takes_the_schedules_that_were_found),
#if defined(__x86_64__)
		cmocka_unit_test(tuned_build_is_another_and_right),
		cmocka_unit_test(tuner_is_built_once_for_its_flags),
#endif
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
