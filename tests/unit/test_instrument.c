/* Recordings of instruments beside the board: energy of windows whose integral is known,
 * and every reason for none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "devices/instrument/lpm01a.h"
#include "tests/unit/instrument_scene.h"
#include "src/base/rng.h"

#define HZ 1000

struct text {
	struct scene scene;
	struct buf b;
};

static void record(struct text *x, const struct scene *s, uint32_t hz, int both)
{
	int ms = (int)(scene_length_s(s) * 1000);

	x->scene = *s;
	buf_init(&x->b);
	buf_puts(&x->b, "PowerShield > ack output energy\r\nPowerShield > ack start\r\n");
	scene_lpm01a(s, hz, both, 0, ms * (int)hz / 1000, &x->b);
	buf_printf(&x->b, "TimeStamp: %03ds %03dms, buff 00%%\r\nend\r\n", ms / 1000,
		ms % 1000);
}

static int read_text(
	const struct text *x, double board_s, struct trace_energy *f, char why[TRACE_WHY])
{
	struct trace_run run = {.n_inferences = x->scene.n_inferences};
	struct trace t;
	struct lpm01a p;
	int ok;

	trace_init(&t, 1);
	lpm01a_init(&p, &t);
	lpm01a_feed(&p, (const uint8_t *)buf_str(&x->b), x->b.len);
	if (t.interval_ns > 0) {
		run.idle_end = (uint64_t)(x->scene.before_s * 1e9 / t.interval_ns);
		run.idle_begin =
			(uint64_t)((scene_length_s(&x->scene) - x->scene.after_s + 0.1) *
				   1e9 / t.interval_ns);
	}
	run.board_ns = board_s * 1e9;
	ok = trace_result(&t, &run, f, why);
	trace_release(&t);
	return ok;
}

static void energy_is_the_integral_of_the_window(void **state)
{
	static const struct {
		struct scene s;
		uint32_t hz;
		int both;
	} cases[] = {
		{SCENE, 1000, 0},
		{SCENE, 1000, 1},
		{SCENE, 5000, 0},
		{{3, 0, 12.34567, 4, 0.02, 31, 0, 0, 77}, 1000, 1},
		{{4, 2, 30.5, 4, 20, 33, 9, 0.002, 123456}, 2000, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct scene *s = &cases[i].s;
		double want = scene_net_uj(s),
		       idle = (s->idle_mw + s->drift_mw / 2) * 1e3;
		struct trace_energy f;
		char why[TRACE_WHY] = "";
		struct text x;

		record(&x, s, cases[i].hz, cases[i].both);
		if (!read_text(&x, s->window_s, &f, why))
			fail_msg("case %zu: %s", i, why);
		if (getenv("INSTRUMENT_PRINT"))
			print_message("case %zu: %.6g uJ, %+.4f %%, error %.4f %%\n", i,
				want, (f.energy_uj / want - 1) * 100,
				f.error_uj / want * 100);
		assert_true(fabs(f.energy_uj - want) <= 1e-3 * want);
		assert_true(fabs(f.energy_uj - want) <= f.error_uj + 2e-4 * want);
		assert_true(f.error_uj > 0 && f.error_uj < 0.02 * want);
		assert_true(fabs(f.idle_uw - idle) <= 1e-3 * idle + 1e-3);
		assert_true(fabs(f.window_ns * 1e-9 - s->window_s) < 2.0 / cases[i].hz);
		buf_release(&x.b);
	}
}

/* Replaces the first `from` behind the `nth` time stamp. */
static void change(struct text *x, int nth, const char *from, const char *to)
{
	char *at = x->b.data, *end;
	struct buf b;

	for (int i = 0; i < nth; i++) {
		at = strstr(at, "TimeStamp");
		assert_non_null(at++);
	}
	at = strstr(at, from);
	assert_non_null(at);
	end = at + strlen(from);
	buf_init(&b);
	buf_append(&b, x->b.data, (size_t)(at - x->b.data));
	buf_puts(&b, to);
	buf_append(&b, end, x->b.len - (size_t)(end - x->b.data));
	buf_release(&x->b);
	x->b = b;
}

static void no_figure_rather_than_a_wrong_one(void **state)
{
	static const struct {
		const char *why;
		struct scene s;
		int nth; /* time stamp behind which `from` becomes `to` */
		const char *from, *to;
		double board_s; /* 0: the true one */
	} cases[] = {
		{"shorter than 10 s", {3, 1, 9.99, 3, 4, 33, 0, 0, 10}, 0, "", "", 0},
		{"11.000 s for the meter, 11.300 s for the board", SCENE, 0, "", "",
			11.3},
		{"damaged line: '#", SCENE, 7, "\n33", "\n#", 0},
		{"999 samples in 1000 ms are no rate", SCENE, 1, "4000-09\r\n", "", 0},
		{"999 samples instead of 1000", SCENE, 7, "\r\n3", "\r\nack 3", 0},
		{"1001 samples instead of 1000", SCENE, 8, "-08\r\n",
			"-08\r\n3300-08\r\n", 0},
		{"damaged line: '33", SCENE, 7, "-08\r\n", "08\r\n", 0},
		{"damaged line: '", SCENE, 7, "-08\r\n", "-08", 0},
		{"damaged line: '?", SCENE, 7, "\n3", "\n\x83", 0},
		{"instead of 2000 between", SCENE, 7, "TimeStamp: 007s",
			"TimeStamp: 008s", 0},
		{"stands still or goes back", SCENE, 6, "TimeStamp: 006s",
			"TimeStamp: 003s", 0},
		{"buffer ran full", SCENE, 7, "buff 01%", "buff 100%", 0},
		{"reports: error: overcurrent", SCENE, 7, "TimeStamp",
			"error: overcurrent\r\nTimeStamp", 0},
		{"current was recorded", SCENE, 0, "output energy", "output current", 0},
		{"pin: 1 instead", SCENE, 0, "event 7 ris\r\n", "", 0},
		{"pin: 1 instead", SCENE, 0, "event 8 fal\r\n", "", 0},
		{"pin: 3 instead", SCENE, 0, "event 7 ris\r\n",
			"event 6 ris\r\nevent 7 ris\r\n", 0},
		{"an edge is missing: event 8 follows 6", SCENE, 0, "event 7", "event 6",
			0},
		{"not a rise and a fall", SCENE, 0, "event 7 ris", "event 7 fal", 0},
		{"damaged line: 'event", SCENE, 0, "event 7 ris", "event 7 xis", 0},
		{"before it shows that no sample", SCENE, 16, "TimeStamp", "end\r\n", 0},
		{"does not tell its sampling rate", SCENE, 1, "TimeStamp", "end\r\n", 0},
		{"less than 2 s of idle", {3, 1, 11, 1.5, 4, 33, 0, 0, 10}, 0, "", "", 0},
		{"less than 2 s of idle", {2, 1, 11, 3, 4, 33, 0, 0, 10}, 0, "", "", 0},
		{"idle level is not steady", {3, 1, 11, 3, 4, 33, 0, 6, 10}, 0, "", "",
			0},
		{"cannot be told from idle", {3, 1, 11, 3, 33, 4, 0, 0, 10}, 0, "", "",
			0},
		{"nothing was inferred", {3, 1, 11, 3, 4, 33, 0, 0, 0}, 0, "", "", 0},
		{"no such instrument", {3, 1, 11, 3, 4, 40000, 0, 0, 10}, 0, "", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trace_energy f = {.energy_uj = -1};
		double board_s = cases[i].board_s;
		char why[TRACE_WHY] = "";
		struct text x;

		record(&x, &cases[i].s, HZ, 1);
		change(&x, cases[i].nth, cases[i].from, cases[i].to);
		if (read_text(&x, board_s > 0 ? board_s : cases[i].s.window_s, &f, why))
			fail_msg("case %zu: %g uJ instead of '%s'", i, f.energy_uj,
				cases[i].why);
		if (!strstr(why, cases[i].why))
			fail_msg("case %zu: '%s' instead of '%s'", i, why, cases[i].why);
		assert_true(f.energy_uj == -1);
		buf_release(&x.b);
	}
}

static void a_slow_recording_has_too_few_samples(void **state)
{
	struct scene s = {8, 0, 20, 8, 4, 33, 0, 0, 10};
	struct trace_energy f;
	char why[TRACE_WHY];
	struct text x;

	(void)state;
	record(&x, &s, 20, 1);
	assert_false(read_text(&x, 20, &f, why));
	assert_string_equal(why, "the window has only 400 samples, fewer than 1000");
	buf_release(&x.b);
}

static void a_recording_without_end_is_bounded(void **state)
{
	struct trace t;

	(void)state;
	trace_init(&t, 1);
	for (uint32_t i = 0; i <= TRACE_BINS; i++)
		trace_sample(&t, 1, 0);
	assert_string_equal(t.fault, "the recording is too long");
	trace_release(&t);
	trace_init(&t, 1);
	for (uint32_t i = 0; i < 100; i++) {
		for (int k = 0; k < 5; k++)
			trace_sample(&t, 1, 0);
		trace_add_edge(&t, i & 1 ? TRACE_FALL : TRACE_RISE);
	}
	assert_int_equal(t.n_edges, 100);
	trace_release(&t);
}

static void damage_gives_no_wrong_figure(void **state)
{
	struct scene s = SCENE;
	struct trace_energy f;
	char why[TRACE_WHY];
	struct text x, y;
	struct rng rng;
	double want = scene_net_uj(&s);
	int n_refused = 0, n = 400;

	(void)state;
	rng_init(&rng, 5);
	record(&x, &s, HZ, 1);
	y = x;
	for (int i = 0; i < n; i++) {
		size_t at = rng_below(&rng, x.b.len);
		char was = x.b.data[at];

		y.b.len = i & 1 ? x.b.len : at;
		x.b.data[at] ^= (char)(1 << rng_below(&rng, 8));
		if (!read_text(&y, s.window_s, &f, why))
			n_refused++;
		else /* a digit for another one cannot be seen; it is one of 11000 */
			assert_true(fabs(f.energy_uj - want) < 2e-3 * want);
		x.b.data[at] = was;
	}
	assert_true(n_refused > n / 2 && n_refused < n);
	buf_release(&x.b);
}

static void noise_is_refused(void **state)
{
	static const char *const bits[] = {"TimeStamp: ", "001s 000ms, buff 00%", "\r\n",
		"event ", "7", "8 ris", "6409-07", "-", "ack ", "end", "PowerShield > ",
		"4294967295", "9999+99", "error", " ", "\n"};
	struct rng rng;

	(void)state;
	rng_init(&rng, 9);
	for (int i = 0; i < 2000; i++) {
		struct text x = {.scene = SCENE};
		struct trace_energy f;
		char why[TRACE_WHY] = "";

		buf_init(&x.b);
		for (uint64_t k = rng_below(&rng, 200); k; k--) {
			if (rng_below(&rng, 4))
				buf_puts(&x.b, bits[rng_below(&rng, 16)]);
			else
				buf_putc(&x.b, (char)rng_below(&rng, 256));
		}
		assert_false(read_text(&x, 11, &f, why));
		assert_true(why[0] != '\0');
		buf_release(&x.b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(energy_is_the_integral_of_the_window),
		cmocka_unit_test(no_figure_rather_than_a_wrong_one),
		cmocka_unit_test(a_slow_recording_has_too_few_samples),
		cmocka_unit_test(a_recording_without_end_is_bounded),
		cmocka_unit_test(damage_gives_no_wrong_figure),
		cmocka_unit_test(noise_is_refused),
	};

	return cmocka_run_group_tests_name("instrument", tests, NULL, NULL);
}
