/* Single lies of welcomes, DONEs and records, for tests/unit/test_hostile_agent.c. */
#ifndef HAWSER_TESTS_UNIT_HOSTILE_LIES_H
#define HAWSER_TESTS_UNIT_HOSTILE_LIES_H

#include "tests/unit/hostile_agent.h"

#define ESCAPES "../../etc/passwd\x1b[2J\x1b]0;owned\a\r\n<b>%s%n"

/* ---- welcomes */

#define WELCOME(name, statement)                                                         \
	static void name(struct wire_welcome *w)                                         \
	{                                                                                \
		statement;                                                               \
	}
WELCOME(w_tiny_frames, w->max_payload = 0)
WELCOME(w_huge_frames, w->max_payload = UINT32_MAX)
WELCOME(w_no_window, w->window = 0)
WELCOME(w_wide_window, w->window = UINT16_MAX)
WELCOME(w_no_storage, w->storage_bytes = 0)
WELCOME(w_all_storage, w->storage_bytes = UINT32_MAX)
WELCOME(w_no_output, w->output_bytes = 0)
WELCOME(w_all_output, w->output_bytes = UINT32_MAX)
WELCOME(w_coarse_clock, w->clock_resolution_ns = UINT32_MAX)
WELCOME(w_no_clock, w->clock_resolution_ns = 0)
WELCOME(w_long_text, w->description_len = sizeof(w->description))
WELCOME(w_old_nonce, w->host_nonce--)
WELCOME(w_no_session, w->session = 0)
WELCOME(w_other_session, w->session++)
WELCOME(w_version, w->version = 9)
WELCOME(w_flags, w->flags = ~WIRE_IS_BOARD)
WELCOME(w_board, w->flags |= WIRE_IS_BOARD)
WELCOME(w_no_sensor, w->sensor[0] = '\0')

static void w_texts(struct wire_welcome *w)
{
	snprintf(w->agent, sizeof(w->agent), "%s", ESCAPES);
	snprintf(w->sensor, sizeof(w->sensor), "%s", ESCAPES);
	snprintf(w->sensor_note, sizeof(w->sensor_note), "%s", ESCAPES);
}

/* ---- DONEs */

#define DONE(name, statement)                                                            \
	static void name(struct wire_done *d)                                            \
	{                                                                                \
		statement;                                                               \
	}
DONE(d_outcome, d->outcome = 200)
DONE(d_agent_fault, d->outcome = OUTCOME_AGENT_FAULT)
DONE(d_unsupported, d->outcome = OUTCOME_UNSUPPORTED)
DONE(d_cancelled, d->outcome = OUTCOME_CANCELLED)
DONE(d_early_timeout, (d->outcome = OUTCOME_TIMEOUT, d->output_len = d->output_crc = 0))
DONE(d_crash_with_result, d->outcome = OUTCOME_CRASH)
DONE(d_wrong, d->outcome = OUTCOME_WRONG_OUTPUT)
DONE(d_no_result, d->output_len = d->output_crc = 0)
DONE(d_short, d->output_len -= 4)
DONE(d_long, d->output_len += 4)
DONE(d_huge, d->output_len = UINT32_MAX)
DONE(d_much, d->output_len = 64u << 20)
DONE(d_crc, d->output_crc ^= 0x80000000u)
DONE(d_rss_huge, d->peak_rss_bytes = (uint64_t)1 << 63)
DONE(d_rss_none, d->peak_rss_bytes = 0)
DONE(d_hot, d->temp_after_mc = INT32_MAX)
DONE(d_cold, d->temp_after_mc = INT32_MIN + 1)
DONE(d_fast, d->freq_before_khz = d->freq_after_khz = UINT32_MAX)
DONE(d_throttled, d->n_quota = d->quota_us = d->n_slowed = UINT32_MAX)
DONE(d_energy_nan, d->energy_uj = NAN)
DONE(d_energy_negative, d->energy_uj = -1)
DONE(d_energy_infinite, d->energy_uj = INFINITY)
DONE(d_energy_huge, d->energy_uj = 1e300)
DONE(d_wall, d->wall_ns = d->cpu_ns = UINT64_MAX)

static void d_texts(struct wire_done *d)
{
	snprintf(d->detail, sizeof(d->detail), "%s", ESCAPES);
	snprintf(d->governor, sizeof(d->governor), "\x1b[31m../x");
	snprintf(d->energy_note, sizeof(d->energy_note), "%s", ESCAPES);
}

static void d_crash_texts(struct wire_done *d)
{
	d_texts(d);
	d->outcome = OUTCOME_CRASH;
	d->output_len = d->output_crc = 0;
}

/* ---- records: MAGIC, GOLDEN (8 + 30), TIME (8 + 40 + samples), END (8 + 8) */

#define GOLDEN 12
#define TIME (GOLDEN + GOLDEN_BYTES + 8)
#define SAMPLES (TIME + TIME_HEAD_BYTES)

static void set_uint(uint8_t *at, uint64_t v, size_t n)
{
	struct put p;

	put_init(&p, at, n);
	put_uint(&p, v, n);
}

static void set_f32(uint8_t *at, float v)
{
	struct put p;

	put_init(&p, at, 4);
	put_f32(&p, v);
}

static float f32_at(const uint8_t *at)
{
	struct get g;

	get_init(&g, at, 4);
	return get_f32(&g);
}

static int is_timed(uint32_t len)
{
	return len > SAMPLES + 16;
}

/* Lies about a timed run alone: its golden run was sound. */
#define TIMED(name, statement)                                                           \
	static void name(uint8_t *s, uint32_t *len)                                      \
	{                                                                                \
		(void)s;                                                                 \
		if (is_timed(*len)) {                                                    \
			statement;                                                       \
		}                                                                        \
	}
TIMED(r_negative, set_f32(s + SAMPLES, -5))
TIMED(r_nan, set_f32(s + SAMPLES + 8, NAN))
TIMED(r_infinite, set_f32(s + SAMPLES + 16, INFINITY))
TIMED(r_zero, set_f32(s + SAMPLES, 0))
TIMED(r_tiny, set_f32(s + SAMPLES, 1e-30f))
TIMED(r_cpu_nan, set_f32(s + SAMPLES + 4, NAN))
TIMED(r_cpu_negative, set_f32(s + SAMPLES + 4, -1))
TIMED(r_cpu_none_once, set_f32(s + SAMPLES + 4, 0))
TIMED(r_cpu_hardly, set_f32(s + SAMPLES + 4, 1e-30f))
TIMED(r_cpu_huge, set_f32(s + SAMPLES + 4, 1e12f))
TIMED(r_wall_huge, set_f32(s + SAMPLES, 1e12f))
TIMED(r_fewer, set_uint(s + TIME, 3, 4))
TIMED(r_many, set_uint(s + TIME, UINT32_MAX, 4))
TIMED(r_inner_none, set_uint(s + TIME + 4, 0, 4))
TIMED(r_inner_huge, (set_uint(s + TIME + 4, UINT32_MAX, 4),
			    set_uint(s + TIME + 24, 4ull * UINT32_MAX, 8)))
TIMED(r_backwards, set_uint(s + TIME + 8, UINT64_MAX, 8))
TIMED(r_no_span, set_uint(s + TIME + 16, 0, 8))
TIMED(r_inferences, set_uint(s + TIME + 24, 1, 8))
TIMED(r_end, set_uint(s + *len - 8, 7, 8))
TIMED(r_kind, set_uint(s + TIME - 8, 77, 4))
TIMED(r_record_len, set_uint(s + TIME - 4, UINT32_MAX, 4))
TIMED(r_short, *len -= 5)
TIMED(r_empty, *len = 1)
TIMED(r_long, (memset(s + *len, 0, 9), *len += 9))

/* Consistent in itself, and longer than anybody waited for it. */
static void r_slow(uint8_t *s, uint32_t *len)
{
	if (!is_timed(*len))
		return;
	for (int i = 0; i < 8; i++)
		set_f32(s + SAMPLES + 4 * i, 1e9f * f32_at(s + SAMPLES + 4 * i));
	set_uint(s + TIME + 16, (uint64_t)1 << 62, 8);
}

static void r_unchecked(uint8_t *s, uint32_t *len)
{
	(void)len;
	set_uint(s + GOLDEN, 0, 4);
}

static void r_worst(uint8_t *s, uint32_t *len)
{
	struct put p;

	(void)len;
	put_init(&p, s + GOLDEN + 5, 8);
	put_f64(&p, INFINITY);
}

static void r_failed(uint8_t *s, uint32_t *len)
{
	(void)len;
	s[GOLDEN + 4] = 0;
}

static void r_noise(uint8_t *s, uint32_t *len)
{
	for (uint32_t i = 0; i < *len; i++)
		s[i] = (uint8_t)rng_below(&liar.rng, 256);
}

/* Evaluations: more inputs, labels and tokens than there are. */
static void r_eval(uint8_t *s, uint32_t *len)
{
	struct get g;

	get_init(&g, s + 4, 4);
	if (*len > 40 && get_u32(&g) == RECORD_OUTPUT)
		for (int i = 20; i < 36; i += 4)
			set_uint(s + i, UINT32_MAX, 4);
}

#endif
