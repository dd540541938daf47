/* Recordings of a PPK2: energy of windows whose integral is known, and reasons for none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "devices/instrument/ppk2_csv.h"
#include "src/base/rng.h"
#include "tests/unit/instrument_scene.h"

#define WORD(i) (sizeof(SCENE_PPK2) - 1 + 4 * (size_t)(i)) /* where sample i lies */

static int read_samples(const struct scene *s, const struct buf *b, size_t step,
	struct trace_energy *f, char why[TRACE_WHY])
{
	struct trace_run run = {.n_inferences = s->n_inferences,
		.idle_end = (uint64_t)(s->before_s * 1e5),
		.idle_begin = (uint64_t)((scene_length_s(s) - s->after_s + 0.1) * 1e5),
		.board_ns = s->window_s * 1e9};
	struct trace t;
	struct ppk2 p;
	int ok;

	trace_init(&t, PPK2_BIN);
	ppk2_init(&p, &t, 3300);
	for (size_t at = 0; at < b->len; at += step)
		ppk2_feed(&p, (const uint8_t *)buf_str(b) + at,
			step < b->len - at ? step : b->len - at);
	ok = trace_result(&t, &run, f, why);
	trace_release(&t);
	return ok;
}

static void record(const struct scene *s, struct buf *b)
{
	buf_init(b);
	buf_puts(b, SCENE_PPK2);
	scene_ppk2(s, 0, (int)(scene_length_s(s) * 1e5), b);
}

static void sample_is_read_as_by_hand(void **state)
{
	struct ppk2_calibration c;
	char why[TRACE_WHY];

	(void)state;
	assert_true(ppk2_calibrate(&c, SCENE_PPK2, why));
	/* range 3, ADC 8000: (4 * 8000 - 170) * 1.8 / 163840 / 0.94 = 372.02 mA, gains 1 */
	assert_true(fabs(ppk2_ampere(&c, 3, 8000, 3.3) - 0.372020 * 1.372020) < 1e-5);
}

/* As kits that were never calibrated have it. */
static void numbers_that_a_kit_lacks_are_the_usual_ones(void **state)
{
	struct ppk2_calibration c, whole;
	char why[TRACE_WHY], text[sizeof(SCENE_PPK2) + 16];
	const char *cut = strstr(SCENE_PPK2, "R1: 101.65") + 4;

	(void)state;
	assert_true(ppk2_calibrate(&whole, SCENE_PPK2, why));
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(cut - SCENE_PPK2), SCENE_PPK2,
		"-nan", cut + strlen("101.65"));
	assert_true(ppk2_calibrate(&c, text, why));
	assert_memory_equal(&c, &whole, sizeof(c));
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(cut - SCENE_PPK2), SCENE_PPK2, "0",
		cut + strlen("101.65"));
	assert_true(ppk2_calibrate(&c, text, why));
	assert_memory_equal(&c, &whole, sizeof(c));
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(cut - SCENE_PPK2), SCENE_PPK2,
		"-3", cut + strlen("101.65"));
	assert_false(ppk2_calibrate(&c, text, why));
	assert_non_null(strstr(why, "no sound 'R1'"));
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(cut - SCENE_PPK2), SCENE_PPK2,
		"inf", cut + strlen("101.65"));
	assert_false(ppk2_calibrate(&c, text, why));
}

static void energy_is_the_integral_of_the_window(void **state)
{
	static const struct scene scenes[] = {
		SCENE, {3, 0, 10.1, 3, 0.01, 60, 0, 0, 11}, /* over two ranges */
		{3, 2, 12.3, 3, 20, 400, 100, 0, 999},	    /* the ripple changes range */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		const struct scene *s = &scenes[i];
		double want = scene_net_uj(s);
		struct trace_energy f;
		char why[TRACE_WHY] = "";
		struct buf b;

		record(s, &b);
		if (!read_samples(s, &b, 1 + 4093 * i, &f, why))
			fail_msg("scene %zu: %s", i, why);
		if (getenv("INSTRUMENT_PRINT"))
			print_message("scene %zu: %.6g uJ, %+.5f %%, error %.5f %%\n", i,
				want, (f.energy_uj / want - 1) * 100,
				f.error_uj / want * 100);
		assert_true(fabs(f.energy_uj - want) <= 1e-3 * want);
		assert_true(f.error_uj > 0 && f.error_uj < 0.02 * want);
		assert_true(
			fabs(f.idle_uw - s->idle_mw * 1e3) < 1e-3 * s->idle_mw * 1e3 + 1);
		buf_release(&b);
	}
}

static void set_word(struct buf *b, int i, uint32_t clear, uint32_t set)
{
	uint8_t *at = (uint8_t *)b->data + WORD(i);

	for (int k = 0; k < 4; k++)
		at[k] = (uint8_t)((at[k] & ~(clear >> 8 * k)) | (set >> 8 * k));
}

/* A range and back, every so many samples of the window. */
static void flap(struct buf *b, const struct scene *s, int every)
{
	int i0 = (int)(scene_start_s(s) * 1e5) + 50, n = (int)(s->window_s * 1e5) - 100;

	for (int i = 0; i < n; i += every)
		set_word(b, i0 + i, 7u << 14 | 0x3fff, 3u << 14 | 1500);
}

static void lose(struct buf *b, size_t at, size_t n)
{
	memmove(b->data + at, b->data + at + n, b->len - at - n);
	b->len -= n;
}

static void no_figure_rather_than_a_wrong_one(void **state)
{
	static const struct scene s = {2.5, 0.2, 10.5, 2.5, 4, 33, 0, 0, 100};
	static const struct {
		const char *why;
		int sample; /* that is changed: bits, or a number of bytes lost */
		uint32_t clear, set;
		size_t lost, at;
	} cases[] = {
		{"1 or more samples are missing", 0, 0, 0, 4, WORD(700000)},
		{"5 or more samples are missing", 0, 0, 0, 20, WORD(700000)},
		{"or more samples are missing", 700000, 1u << 20, 1u << 19, 0, 0},
		{"sample", 0, 0, 0, 1, WORD(700000)},
		{"range 6, which", 700000, 7u << 14, 6u << 14, 0, 0},
		{"more current than", 700000, 0, 0x3fff, 0, 0},
		{"pin: 0 instead", -1, 0, 0, 0, 0},
		{"pin: 4 instead", 700000, 1u << 24, 0, 0, 0},
		{"was high already", 0, 0, 1u << 24, 0, 0},
		{"no sound 'R2'", 0, 0, 0, 4, 46},
		{"no sound 'UG4'", 0, 0, 0, 4, sizeof(SCENE_PPK2) - 1 - 28},
		{"calibration has no end", 0, 0, 0, 2, sizeof(SCENE_PPK2) - 1 - 4},
		{"changed its range too often", -2, 0, 0, 0, 0},
		{"pin: 0 instead", 0, 0, 0, 4 * 1700000, 0},
	};
	struct buf b;
	char *whole;
	size_t len;

	(void)state;
	record(&s, &b);
	len = b.len;
	whole = malloc(len);
	assert_non_null(whole);
	memcpy(whole, b.data, len);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trace_energy f = {.energy_uj = -1};
		char why[TRACE_WHY] = "";

		memcpy(b.data, whole, len);
		b.len = len;
		if (cases[i].sample == -2)
			flap(&b, &s, 20);
		for (int k = 0; k < 1550000 && cases[i].sample == -1; k++)
			set_word(&b, k, 1u << 24, 0);
		if (cases[i].sample >= 0)
			set_word(&b, cases[i].sample, cases[i].clear, cases[i].set);
		if (cases[i].lost > 4000)
			b.len = WORD(100000);
		else
			lose(&b, cases[i].at, cases[i].lost);
		if (read_samples(&s, &b, 65536, &f, why))
			fail_msg("case %zu: %g uJ instead of '%s'", i, f.energy_uj,
				cases[i].why);
		if (!strstr(why, cases[i].why))
			fail_msg("case %zu: '%s' instead of '%s'", i, why, cases[i].why);
		assert_true(f.energy_uj == -1);
	}
	free(whole);
	buf_release(&b);
}

/* For instruments that tell falling edges alone the pin falls at once after its rise. */
static void the_pulse_of_a_start_is_no_edge(void **state)
{
	static const struct scene s = {2.5, 0.2, 10.5, 2.5, 4, 33, 0, 0, 100};
	struct trace_energy f;
	char why[TRACE_WHY] = "";
	struct buf b;

	(void)state;
	record(&s, &b);
	set_word(&b, 270001, 1u << 24, 0);
	if (!read_samples(&s, &b, 65536, &f, why))
		fail_msg("%s", why);
	assert_true(fabs(f.energy_uj - scene_net_uj(&s)) < 1e-3 * f.energy_uj);
	buf_release(&b);
}

/* The export of a scene; a fault at sample `at`: `skip` samples left out, or `text`. */
static void export(const struct scene *s, const char *heading, int at, int skip,
	const char *text, struct buf *b)
{
	int start = (int)(scene_start_s(s) * 1e5);
	int end = (int)((scene_start_s(s) + s->window_s) * 1e5);
	int eight = strstr(heading, "D0,") != NULL;

	buf_init(b);
	buf_printf(b, "%s\n", heading);
	for (int i = 0; i < (int)(scene_length_s(s) * 1e5); i++) {
		double uj = scene_uj(s, (i + 1) * 1e-5) - scene_uj(s, i * 1e-5);
		int high = i >= start && i < end;

		if (i >= at && i < at + skip)
			continue;
		if (i == at && text)
			buf_puts(b, text);
		buf_printf(b, "%.10g,%.3f,%d%s\n", i / 100.0, uj / SCENE_VOLT * 1e5, high,
			eight ? ",0,0,0,0,1,0,0" : "0000100");
	}
}

static int read_export(
	const struct scene *s, const struct buf *b, struct trace_energy *f, char *why)
{
	struct trace_run run = {.n_inferences = s->n_inferences,
		.idle_end = (uint64_t)(s->before_s * 1e5),
		.idle_begin = (uint64_t)((scene_length_s(s) - s->after_s + 0.1) * 1e5),
		.board_ns = s->window_s * 1e9};
	struct ppk2_csv p;
	struct trace t;
	int ok;

	trace_init(&t, PPK2_BIN);
	ppk2_csv_init(&p, &t, 3300);
	for (size_t at = 0; at < b->len; at += 4093)
		ppk2_csv_feed(&p, (const uint8_t *)buf_str(b) + at,
			b->len - at < 4093 ? b->len - at : 4093);
	ok = trace_result(&t, &run, f, why);
	trace_release(&t);
	return ok;
}

#define EXPORT "Timestamp(ms),Current(uA),D0-D7"

static void an_export_is_a_recording_too(void **state)
{
	static const struct scene whole = {2.3, 0.1, 10.1, 2.3, 4, 33, 2.5, 0, 100};
	static const struct scene brief = {0.02, 0.01, 0.1, 0.02, 4, 33, 0, 0, 100};
	static const struct {
		const char *heading;
		int skip;
		const char *text, *why; /* NULL: it is sound */
	} cases[] = {
		{EXPORT, 0, NULL, NULL},
		{"Timestamp(ms),Current(uA),D0,D1,D2,D3,D4,D5,D6,D7", 0, NULL, NULL},
		{EXPORT, 1, NULL, "1 samples are missing"},
		{EXPORT, 64, NULL, "64 samples are missing"},
		{EXPORT, 0, "0.07,1,00000000\n", "makes a step of"},
		{EXPORT, 0, "x,1,00000000\n", "a line without time, current or D0"},
		{EXPORT, 0, "7000,,00000000\n", "a line without time, current or D0"},
		{EXPORT, 0, "7000,1,X0000000\n", "a line without time, current or D0"},
		{EXPORT, 0, "7000,9e9,00000000\n", "a current that the meter cannot"},
		{"Timestamp(ms),Current(uA)", 0, NULL, "needs the columns"},
		{"Current(uA),D0-D7", 0, NULL, "needs the columns"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trace_energy f = {.energy_uj = -1};
		char why[TRACE_WHY] = "";
		const struct scene *s = cases[i].why ? &brief : &whole;
		struct buf b;
		int ok;

		export(s, cases[i].heading, 7000, cases[i].skip, cases[i].text, &b);
		ok = read_export(s, &b, &f, why);
		buf_release(&b);
		if (ok != !cases[i].why || (cases[i].why && !strstr(why, cases[i].why)))
			fail_msg("case %zu: %g uJ, '%s'", i, f.energy_uj, why);
		if (ok)
			assert_true(
				fabs(f.energy_uj - scene_net_uj(s)) < 1e-3 * f.energy_uj);
	}
}

static void noise_is_refused(void **state)
{
	struct scene s = SCENE;
	struct rng rng;

	(void)state;
	rng_init(&rng, 3);
	for (int i = 0; i < 3000; i++) {
		struct trace_energy f;
		char why[TRACE_WHY] = "";
		struct buf b;

		buf_init(&b);
		if (i & 1)
			buf_puts(&b, SCENE_PPK2);
		else
			buf_append(&b, SCENE_PPK2, rng_below(&rng, sizeof(SCENE_PPK2)));
		for (uint64_t k = rng_below(&rng, 3000); k; k--)
			buf_putc(&b, (char)rng_below(&rng, 256));
		if (i % 3 == 0)
			b.data[rng_below(&rng, b.len)] ^= 4;
		assert_false(read_samples(&s, &b, 1 + rng_below(&rng, 99), &f, why));
		assert_true(why[0] != '\0');
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample_is_read_as_by_hand),
		cmocka_unit_test(numbers_that_a_kit_lacks_are_the_usual_ones),
		cmocka_unit_test(energy_is_the_integral_of_the_window),
		cmocka_unit_test(no_figure_rather_than_a_wrong_one),
		cmocka_unit_test(the_pulse_of_a_start_is_no_edge),
		cmocka_unit_test(an_export_is_a_recording_too),
		cmocka_unit_test(noise_is_refused),
	};

	return cmocka_run_group_tests_name("instrument_ppk2", tests, NULL, NULL);
}
