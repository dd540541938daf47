/* Instruments at their lines, played by a pseudo-terminal: the energy of a run whose integral
 * is known, and what the user hears when something goes wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/instrument/instrument.h"
#include "tests/serial/meter.h"

static const struct scene scene = {2.5, 0.7, 11.00037, 2.9, 4, 33, 2.5, 0, 1000};

static int begin(struct meter_player *p, struct instrument_setup *s)
{
	*s = (struct instrument_setup){.voltage_mv = 3300};
	p->scene = scene;
	if (meter_player_start(p) != 0)
		return -1;
	snprintf(s->kind, sizeof(s->kind), "%s",
		p->kind == METER_PPK2 ? "ppk2" : "lpm01a");
	snprintf(s->port, sizeof(s->port), "%s", p->path);
	return 0;
}

/* One run of the board. 1 and the figures; 0 and the reason. */
static int measure(struct instrument *i, struct meter_player *p, struct trace_energy *f,
	char why[TRACE_WHY])
{
	struct trace_run run = {
		.n_inferences = scene.n_inferences, .board_ns = scene.window_s * 1e9};

	if (!instrument_begin(i, why))
		return 0;
	meter_player_run(p);
	return instrument_end(i, &run, f, why);
}

static void check_figures(const struct meter_player *p, const struct trace_energy *f)
{
	double want = scene_net_uj(&p->scene);

	if (getenv("INSTRUMENT_PRINT"))
		print_message("%.6g uJ, %+.4f %%, idle %.6g mW, window %.4f s\n",
			f->energy_uj, (f->energy_uj / want - 1) * 100, f->idle_uw * 1e-3,
			f->window_ns * 1e-9);
	assert_true(fabs(f->energy_uj - want) <= 2e-3 * want);
	assert_true(fabs(f->idle_uw - scene.idle_mw * 1e3) <= 1e-3 * scene.idle_mw * 1e3);
	assert_true(fabs(f->window_ns * 1e-9 - scene.window_s) < 0.003);
}

static void energy_of_runs_is_their_integral(void **state)
{
	(void)state;
	for (int kind = METER_LPM01A; kind <= METER_PPK2; kind++) {
		struct meter_player p = {.kind = (enum meter_kind)kind};
		struct instrument_setup s;
		struct instrument *i;
		struct err_ctx ctx = {{0}};

		assert_int_equal(begin(&p, &s), 0);
		if (instrument_open(&i, &s, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
		for (int n = 0; n < 2; n++) {
			struct trace_energy f;
			char why[TRACE_WHY] = "";

			if (!measure(i, &p, &f, why))
				fail_msg("%s", why);
			check_figures(&p, &f);
		}
		instrument_close(i);
		/* Another one finds it as the first did. */
		assert_int_equal(instrument_open(&i, &s, &ctx), ERR_OK);
		instrument_close(i);
		meter_player_stop(&p);
	}
}

static void a_recording_is_played_by_the_same_path(void **state)
{
	(void)state;
	for (int kind = METER_LPM01A; kind <= METER_PPK2; kind++) {
		struct meter_player p = {.kind = (enum meter_kind)kind, .whole = 1};
		struct trace_run run = {.n_inferences = scene.n_inferences};
		struct instrument_setup s;
		struct instrument *i;
		struct err_ctx ctx = {{0}};
		struct trace_energy f;
		char why[TRACE_WHY] = "", name[64];

		assert_int_equal(begin(&p, &s), 0);
		s.recorded = 1;
		instrument_name(&s, name, sizeof(name));
		assert_non_null(strstr(name, "recording: "));
		assert_int_equal(instrument_open(&i, &s, &ctx), ERR_OK);
		assert_int_equal(instrument_begin(i, why), 1);
		if (!instrument_end(i, &run, &f, why))
			fail_msg("%s", why);
		check_figures(&p, &f);
		/* A run that failed ends it as well. */
		assert_int_equal(instrument_begin(i, why), 1);
		assert_int_equal(instrument_end(i, NULL, &f, why), 0);
		instrument_close(i);
		meter_player_stop(&p);
	}
}

/* What an instrument has sent, in a file. */
static void a_file_is_a_recording(void **state)
{
	char path[] = "/tmp/hawser-log-XXXXXX";
	struct instrument_setup s = {.kind = "ppk2", .voltage_mv = 3300};
	struct trace_run run = {
		.n_inferences = scene.n_inferences, .board_ns = scene.window_s * 1e9};
	int fd = mkstemp(path);
	struct meter_player p = {.scene = scene};
	struct trace_energy f;
	char why[TRACE_WHY] = "";
	struct instrument *i;
	struct err_ctx ctx = {{0}};
	struct buf b;

	(void)state;
	assert_true(fd >= 0);
	buf_init(&b);
	buf_puts(&b, SCENE_PPK2);
	scene_ppk2(&scene, 0, (int)(scene_length_s(&scene) * 1e5), &b);
	assert_int_equal(write(fd, b.data, b.len), (ssize_t)b.len);
	snprintf(s.port, sizeof(s.port), "%s", path);
	assert_true(instrument_is_recorded(&s));
	for (int n = 0; n < 2; n++) {
		assert_int_equal(instrument_open(&i, &s, &ctx), ERR_OK);
		assert_int_equal(instrument_begin(i, why), 1);
		if (!instrument_end(i, &run, &f, why))
			fail_msg("%s", why);
		check_figures(&p, &f);
		instrument_close(i);
	}
	/* The board says that its window was another one. */
	run.board_ns *= 1.1;
	assert_int_equal(instrument_open(&i, &s, &ctx), ERR_OK);
	assert_int_equal(instrument_begin(i, why), 1);
	assert_int_equal(instrument_end(i, &run, &f, why), 0);
	assert_non_null(strstr(why, "for the board"));
	instrument_close(i);
	/* What the maker's program exports is told from what the kit sends. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "Timestamp(ms),Current(uA)\n", 26, 0), 26);
	assert_int_equal(instrument_open(&i, &s, &ctx), ERR_OK);
	assert_int_equal(instrument_begin(i, why), 1);
	assert_int_equal(instrument_end(i, &run, &f, why), 0);
	assert_non_null(strstr(why, "the export needs the columns"));
	instrument_close(i);
	buf_release(&b);
	close(fd);
	unlink(path);
}

/* Most of these wait: they run side by side. Only the main thread may fail. */
struct fault_case {
	enum meter_kind kind;
	struct meter_faults faults;
	const char *opened_as; /* NULL: what it is */
	const char *why;
};

struct outcome {
	const struct fault_case *of;
	pthread_t thread;
	enum err opened;
	int figure, gone, begins, n_starts;
	double energy_uj;
	char said[768];
};

static void *run_case(void *self)
{
	struct outcome *o = self;
	const struct fault_case *c = o->of;
	struct meter_player p = {.kind = c->kind, .faults = c->faults};
	struct trace_energy f = {.energy_uj = -1};
	struct instrument_setup s;
	struct instrument *i = NULL;
	struct err_ctx ctx = {{0}};
	char why[TRACE_WHY] = "";

	if (begin(&p, &s) != 0)
		return NULL;
	if (c->opened_as)
		snprintf(s.kind, sizeof(s.kind), "%s", c->opened_as);
	o->opened = instrument_open(&i, &s, &ctx);
	if (!o->opened) {
		o->figure = measure(i, &p, &f, why);
		o->energy_uj = f.energy_uj;
		o->gone = instrument_is_gone(i);
		if (o->gone) /* and it says so when it is asked again */
			o->begins = instrument_begin(i, ctx.msg);
		instrument_close(i);
	}
	meter_player_stop(&p);
	o->n_starts = p.n_starts;
	snprintf(o->said, sizeof(o->said), "%s", o->opened ? ctx.msg : why);
	return NULL;
}

#define AT_ONCE 4
#define MAX_CASES 20

static void run_cases(const struct fault_case *c, size_t n, struct outcome *out)
{
	for (size_t from = 0; from < n; from += AT_ONCE) {
		size_t to = from + AT_ONCE < n ? from + AT_ONCE : n;

		for (size_t i = from; i < to; i++) {
			out[i].of = &c[i];
			assert_int_equal(
				pthread_create(&out[i].thread, NULL, run_case, &out[i]),
				0);
		}
		for (size_t i = from; i < to; i++)
			pthread_join(out[i].thread, NULL);
	}
	for (size_t i = 0; i < n; i++)
		if (!strstr(out[i].said, c[i].why))
			fail_msg("case %zu: '%s' instead of '%s'", i, out[i].said,
				c[i].why);
}

static void no_figure_when_something_goes_wrong(void **state)
{
	static const struct fault_case cases[] = {
		{METER_LPM01A, {.loses = 1}, NULL, "999 samples instead of 1000"},
		{METER_PPK2, {.loses = 1}, NULL, "1 or more samples are missing"},
		{METER_PPK2, {.loses = 30000}, NULL, "samples are missing"},
		{METER_LPM01A, {.unplug = 1}, NULL, "the line to the meter was lost"},
		{METER_PPK2, {.unplug = 1}, NULL, "the line to the meter was lost"},
		{METER_LPM01A, {.silent = 1}, NULL, "the meter sent nothing for"},
		{METER_PPK2, {.silent = 1}, NULL, "the meter sent nothing for"},
		{METER_PPK2, {.hot = 1}, NULL, "more current than the meter measures"},
		{METER_LPM01A, {.says = "error: overcurrent, target powered off\r\n"},
			NULL, "reports: error: overcurrent"},
		{METER_LPM01A, {.says = "end\r\nAcquisition completed\r\n"}, NULL,
			"ended its recording"},
		{METER_LPM01A, {.says = "64x9-07\r\n"}, NULL, "damaged line"},
		{METER_PPK2, {.says = "x"}, NULL, "sample"},
		{METER_LPM01A, {.no_edge = 1}, NULL, "pin: 0 instead of 2"},
		{METER_PPK2, {.no_edge = 1}, NULL, "pin: 0 instead of 2"},
		{METER_PPK2, {.no_end = 1}, NULL, "pin: 1 instead of 2"},
		{METER_LPM01A, {.other_hz = 500}, NULL,
			"500 samples a second instead of the 1000"},
	};

	static struct outcome out[MAX_CASES];

	(void)state;
	run_cases(cases, sizeof(cases) / sizeof(cases[0]), out);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(out[i].opened, ERR_OK);
		assert_false(out[i].figure || out[i].begins);
		assert_true(out[i].energy_uj == -1);
		assert_int_equal(out[i].gone, cases[i].faults.unplug);
		assert_int_equal(out[i].n_starts, 1);
	}
}

static void another_thing_at_the_port_is_told(void **state)
{
	static const struct fault_case cases[] = {
		{METER_PPK2, {.mute = 1}, "ppk2",
			"no Power Profiler Kit II: it answers nothing"},
		{METER_PPK2, {0}, "lpm01a", "no X-NUCLEO-LPM01A"},
		{METER_LPM01A, {0}, "ppk2", "no Power Profiler Kit II"},
		{METER_LPM01A, {.greets = "login: \r\n"}, "lpm01a",
			"it answers 'login: '"},
		{METER_LPM01A, {.refuses = "volt"}, "lpm01a",
			"refuses 'volt 3300m': not now"},
		{METER_PPK2, {.greets = "Calibrated: 0\nEND\n"}, "ppk2", "no sound 'R0'"},
	};

	static struct outcome out[MAX_CASES];

	(void)state;
	run_cases(cases, sizeof(cases) / sizeof(cases[0]), out);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(out[i].opened, ERR_DEVICE);
}

static void one_instrument_has_one_controller(void **state)
{
	struct meter_player p = {.kind = METER_PPK2};
	struct instrument_setup s;
	struct instrument *i, *other;
	struct err_ctx ctx = {{0}};

	(void)state;
	assert_int_equal(begin(&p, &s), 0);
	assert_int_equal(instrument_open(&i, &s, &ctx), ERR_OK);
	assert_int_equal(instrument_open(&other, &s, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "is in use by"));
	instrument_close(i);
	meter_player_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(energy_of_runs_is_their_integral),
		cmocka_unit_test(a_recording_is_played_by_the_same_path),
		cmocka_unit_test(a_file_is_a_recording),
		cmocka_unit_test(no_figure_when_something_goes_wrong),
		cmocka_unit_test(another_thing_at_the_port_is_told),
		cmocka_unit_test(one_instrument_has_one_controller),
	};

	return cmocka_run_group_tests_name("instrument_line", tests, NULL, NULL);
}
