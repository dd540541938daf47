/* A job whose device is lost and comes back, at every step that needs it. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "devices/transport/transport.h"
#include "src/eval/finals.h"
#include "tests/unit/eval_fixture.h"

/* ---- this machine, behind a line that is cut at a given write and then does not come back
 * so many times, which takes no time as another machine answers instead */

static struct {
	int cut_at; /* writes from now; 0: never */
	int n_refusals;
	int n_cuts; /* that happened */
} faults;

struct faulty {
	struct transport base;
	struct transport *real;
	int is_cut;
};

static enum err faulty_read(struct transport *t, void *buf, size_t cap, int timeout_ms,
	size_t *n, struct err_ctx *ctx)
{
	struct faulty *f = (struct faulty *)t;

	return f->is_cut ? err_set(ctx, ERR_LINK, "cut")
			 : f->real->ops->read(f->real, buf, cap, timeout_ms, n, ctx);
}

static enum err faulty_write(struct transport *t, const void *data, size_t len,
	int timeout_ms, struct err_ctx *ctx)
{
	struct faulty *f = (struct faulty *)t;

	if (faults.cut_at && !--faults.cut_at) {
		f->is_cut = 1;
		faults.n_cuts++;
	}
	return f->is_cut ? err_set(ctx, ERR_LINK, "cut")
			 : f->real->ops->write(f->real, data, len, timeout_ms, ctx);
}

static uint64_t faulty_now_ms(struct transport *t)
{
	struct faulty *f = (struct faulty *)t;

	return f->real->ops->now_ms(f->real);
}

static void faulty_close(struct transport *t)
{
	struct faulty *f = (struct faulty *)t;

	f->real->ops->close(f->real);
	free(f);
}

static const struct transport_ops faulty_ops = {
	"faulty", faulty_read, faulty_write, faulty_now_ms, faulty_close};

static enum err faulty_start(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	struct faulty *f;
	enum err e;

	if (faults.n_cuts && faults.n_refusals) {
		faults.n_refusals--;
		return err_set(ctx, ERR_INVALID, "another machine answers");
	}
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	e = device_driver_find("local")->start(p, &f->real, ctx);
	if (e) {
		free(f);
		return e;
	}
	f->base.ops = &faulty_ops;
	*out = &f->base;
	return ERR_OK;
}

static const struct device_driver faulty_driver = {"local", "", faulty_start};

static void cut(int at, int n_refusals)
{
	faults.cut_at = at;
	faults.n_refusals = n_refusals;
	faults.n_cuts = 0;
}

/* ---- a session on it, for all tests */

static struct fixture f;
static struct session s;

static const char tuned_space[] =
	"name: tiny\narch: enc\ngenes:\n  vocab_size: [300]\n  seq_len: 24\n"
	"  d_model: 16\n  embed_bits: 8\n  n_layers: 1\n  n_heads: [1, 2]\n  d_head: 8\n"
	"  d_ff: 16\n  bits: 8\n  act: relu\n  kernels: opt\n";

static int setup(void **state)
{
	struct session_device *d = &s.device[0];
	struct device_profile profile;
	struct err_ctx ctx = {""};
	char path[96];

	(void)state;
	prepare(&f, "local");
	strcat(f.text, "tune: yes\ndevice_wait_s: 30\n");
	snprintf(path, sizeof(path), "%s/tiny.yaml", f.dir);
	assert_int_equal(
		file_write_atomic(path, tuned_space, strlen(tuned_space), 0644, NULL),
		ERR_OK);
	open_session(&s, &f);
	profile = *device_profile(d->dev);
	device_close(d->dev);
	if (device_open_with(&d->dev, &profile, &faulty_driver, &ctx))
		fail_msg("%s", ctx.msg);
	d->wisdom.device = d->dev;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	session_close(&s);
	file_remove_tree(f.dir, NULL);
	return 0;
}

static void was_back(uint32_t n_times)
{
	assert_int_equal(faults.n_cuts, 1);
	assert_int_equal(faults.n_refusals, 0);
	assert_int_equal(s.device[0].state.n_recoveries, n_times);
	assert_int_equal(s.device[0].state.state, DEVICE_LEASED);
}

static void device_lost_while_tuning_is_waited_for(void **state)
{
	struct err_ctx ctx = {""};
	struct store_wisdom *rows;
	const struct wisdom *w;
	struct genome g;
	size_t n, known;

	(void)state;
	w = &s.device[0].wisdom;
	space_largest(s.space, &g);
	cut(12, 2);
	if (session_tune(&s, &g, 1, &ctx))
		fail_msg("%s", ctx.msg);
	if (!faults.n_cuts) {
		print_message(
			"SKIP: this machine's kernels have no competing schedules\n");
		skip();
	}
	was_back(1);
	known = w->level[g.opt].n;
	assert_true(known > 0);
	assert_int_equal(
		store_list_wisdom(s.store, &device_info(s.device[0].dev)->fingerprint,
			&w->level[g.opt].tuner.build, INT64_MAX, &rows, &n, NULL),
		ERR_OK);
	assert_int_equal(n, known);
	free(rows);
	/* and is not asked again for what it told */
	cut(1, 0);
	assert_int_equal(session_tune(&s, &g, 1, NULL), ERR_OK);
	assert_int_equal(faults.n_cuts, 0);
}

static size_t n_answers(const struct genome *g)
{
	struct store_accuracy *rows;
	size_t n, count = 0;
	struct hash h;

	genome_hash(g, &h);
	assert_int_equal(
		store_list_accuracy(s.store, s.job_id, &h, &rows, &n, NULL), ERR_OK);
	for (size_t i = 0; i < n; i++)
		count += !strcmp(rows[i].method, "device") &&
			 !strcmp(rows[i].metric, "slot_f1");
	free(rows);
	return count;
}

/* The device stays away: the job ends after its wait, and the same step goes on later. */
static void device_lost_while_finalists_are_verified_is_waited_for(void **state)
{
	struct build_weights w[2] = {{NULL, {{0}}}, {NULL, {{0}}}};
	struct hardware h[2], *of_device[] = {h};
	struct err_ctx ctx = {""};
	struct genome g[2];
	size_t n;

	(void)state;
	s.job.tune = 0;
	space_largest(s.space, &g[0]);
	space_smallest(s.space, &g[1]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			session_inherit(&s, &g[i], &w[i].flat, &n, NULL), ERR_OK);
		hash_bytes(&w[i].hash, w[i].flat, n * sizeof(float));
		assert_int_equal(
			store_put_candidate(s.store, s.job_id, &g[i], "user", 0, NULL),
			ERR_OK);
	}
	if (session_measure(&s, g, w, 2, 1, of_device, &ctx))
		fail_msg("%s", ctx.msg);
	assert_int_equal(h[0].verdict, VERDICT_OK);
	assert_int_equal(h[1].verdict, VERDICT_OK);
	s.job.device_wait_s = 0;
	cut(6, 1);
	assert_int_equal(final_verify(&s, g, w, of_device, 2, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "the same command goes on"));
	assert_int_equal(n_answers(&g[0]) + n_answers(&g[1]), 0);
	assert_int_equal(device_recover(s.device[0].dev, NULL), ERR_OK);
	s.job.device_wait_s = 30;
	cut(6, 2);
	if (final_verify(&s, g, w, of_device, 2, &ctx))
		fail_msg("%s", ctx.msg);
	was_back(2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(n_answers(&g[i]), 1);
		free(w[i].flat);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_lost_while_tuning_is_waited_for),
		cmocka_unit_test(device_lost_while_finalists_are_verified_is_waited_for),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
