/* Agents that lie, lie by lie: no crash, an end to everything, nothing unprintable, no file,
 * and no number in the store but the honest one where the lie was beside it.
 */
#include "tests/unit/hostile_session.h"

#include "tests/unit/hostile_lies.h"

static struct facts honest;

/* ---- answers */

static uint32_t request_of(const uint8_t *payload)
{
	struct get g;
	struct wire_header h;

	get_init(&g, payload, WIRE_HEADER_BYTES);
	assert_true(get_header(&g, &h));
	return h.request;
}

static void a_silence(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)type;
	(void)payload;
	*len = 0;
}

static void a_stall(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)payload;
	if (type == WIRE_DONE || type == WIRE_BEAT)
		*len = 0;
}

static void a_twice(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)type;
	liar_say_payload(payload, *len);
	liar_say_payload(payload, *len);
}

/* Answers to what nobody asked, before and after the true one. */
static void a_unasked(uint8_t type, uint8_t *payload, size_t *len)
{
	static const uint8_t types[] = {WIRE_DONE, WIRE_DATA, WIRE_BEAT, WIRE_ERROR,
		WIRE_OFFER | WIRE_ANSWER, WIRE_PUT | WIRE_ANSWER, WIRE_PING | WIRE_ANSWER,
		WIRE_HELLO | WIRE_ANSWER, 0xab};
	static const uint8_t body[200] = {1, 2, 3};
	uint32_t n = request_of(payload);

	(void)type;
	for (size_t i = 0; i < sizeof(types); i++)
		for (uint32_t d = 0; d < 3; d++)
			liar_say(types[i], n + 1 + d * d * 1000, body, d * 100);
	liar_say_payload(payload, *len);
	liar_say(WIRE_DONE, n - 1, body, sizeof(body));
	*len = 0;
}

/* The first answer of this type, for ever. */
static void repeat_first(uint8_t wanted, uint8_t type, uint8_t *payload, size_t *len)
{
	static uint8_t first[LIAR_LONGEST];
	static size_t first_len;

	if (type == (WIRE_HELLO | WIRE_ANSWER))
		first_len = 0;
	if (type != wanted)
		return;
	if (!first_len) {
		memcpy(first, payload, *len);
		first_len = *len;
	}
	memcpy(payload, first, first_len);
	*len = first_len;
}

static void a_old_done(uint8_t type, uint8_t *payload, size_t *len)
{
	uint32_t n = request_of(payload);

	if (type != WIRE_DONE)
		return;
	repeat_first(WIRE_DONE, type, payload, len);
	set_uint(payload + 5, n, 4); /* as the answer to this RUN */
}

static void a_old_data(uint8_t type, uint8_t *payload, size_t *len)
{
	uint32_t n = request_of(payload);

	repeat_first(WIRE_DATA, type, payload, len);
	if (type == WIRE_DATA)
		set_uint(payload + 5, n, 4);
}

/* The true ones of a result do not come. */
static void a_no_data(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)payload;
	if (type == WIRE_DATA)
		*len = 0;
}

static void a_no_have(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)payload;
	if (type == (WIRE_PUT | WIRE_ANSWER))
		*len = 0;
}

static void a_data_elsewhere(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)len;
	if (type == WIRE_DATA)
		set_uint(payload + WIRE_HEADER_BYTES, UINT32_MAX - 3, 4);
}

static void a_data_long(uint8_t type, uint8_t *payload, size_t *len)
{
	if (type != WIRE_DATA)
		return;
	memset(payload + *len, 'x', LIAR_LONGEST - 1000 - *len);
	*len = LIAR_LONGEST - 1000;
}

static void a_complete(uint8_t type, uint8_t *payload, size_t *len)
{
	if (type == (WIRE_OFFER | WIRE_ANSWER))
		payload[*len - 1] = 1;
}

static void a_has_all(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)len;
	if (type == (WIRE_OFFER | WIRE_ANSWER) || type == (WIRE_PUT | WIRE_ANSWER))
		set_uint(payload + WIRE_HEADER_BYTES, UINT32_MAX, 4);
}

static void a_has_none(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)len;
	if (type == (WIRE_OFFER | WIRE_ANSWER) || type == (WIRE_PUT | WIRE_ANSWER))
		set_uint(payload + WIRE_HEADER_BYTES, 0, 4);
}

/* Refusals of every kind, in turn. */
static void a_refuses(uint8_t type, uint8_t *payload, size_t *len)
{
	struct wire_error e = {.code = (uint16_t)(1 + rng_below(&liar.rng, 13))};
	struct put p;

	if (type == (WIRE_HELLO | WIRE_ANSWER) || type == WIRE_DATA)
		return;
	snprintf(e.text, sizeof(e.text), "%s", ESCAPES);
	payload[0] = WIRE_ERROR;
	put_init(&p, payload + WIRE_HEADER_BYTES, 400);
	put_error(&p, &e);
	*len = WIRE_HEADER_BYTES + p.len;
}

static void a_refuses_hello(uint8_t type, uint8_t *payload, size_t *len)
{
	struct wire_header h = {WIRE_ERROR, 0, request_of(payload)};
	struct wire_error e = {.code = WIRE_E_LEASED};
	struct put p;

	(void)type;
	snprintf(e.text, sizeof(e.text), "%s", ESCAPES);
	put_init(&p, payload, 400);
	put_header(&p, &h);
	put_error(&p, &e);
	*len = p.len;
}

static void a_ping(uint8_t type, uint8_t *payload, size_t *len)
{
	if (type == (WIRE_PING | WIRE_ANSWER))
		payload[*len - 1] ^= 1;
}

static void a_escapes(uint8_t type, uint8_t *payload, size_t *len)
{
	if (type == (WIRE_HELLO | WIRE_ANSWER)) /* the end of the description */
		memset(payload + *len - 20, 0x1b, 20);
}

/* ---- without end */

static void f_zeros(void)
{
	static const uint8_t zeros[4096];

	buf_append(&liar.in, zeros, sizeof(zeros));
}

static void f_noise(void)
{
	uint8_t b[4096];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(1 + rng_below(&liar.rng, 255));
	buf_append(&liar.in, b, sizeof(b));
}

static void f_beats(void)
{
	liar_say(WIRE_BEAT, liar.request, NULL, 0);
}

static void f_data(void)
{
	liar_say(WIRE_DATA, liar.request, "\0\0\0\0stale", 9);
}

static void f_have(void)
{
	liar_say(WIRE_PUT | WIRE_ANSWER, liar.request, "\0\0\0\0", 5);
}

/* ---- another machine after the first session */

static void s_other_machine(uint32_t n)
{
	if (n > 1)
		liar_describe("simulated: 1\nlaw: of another\n");
}

static void s_simulated(uint32_t n)
{
	if (n > 1)
		liar.sim.about.flags |= WIRE_IS_SIMULATED;
}

static void a_lost_once(uint8_t type, uint8_t *payload, size_t *len)
{
	if (liar.n_sessions == 1)
		a_stall(type, payload, len);
}

/* ---- */

#define W(what, f, kept)                                                                 \
	{                                                                                \
		.name = what, .welcome = f, .stored = kept                               \
	}
#define D(what, f, kept)                                                                 \
	{                                                                                \
		.name = what, .done = f, .stored = kept                                  \
	}
#define R(what, f, kept)                                                                 \
	{                                                                                \
		.name = what, .records = f, .stored = kept                               \
	}
#define A(what, f, kept)                                                                 \
	{                                                                                \
		.name = what, .answer = f, .stored = kept                                \
	}
#define F(what, f)                                                                       \
	{                                                                                \
		.name = what, .flood = f, .stored = 1                                    \
	}
static const struct lie lies[] = {
	W("no frames", w_tiny_frames, 0),
	W("huge frames", w_huge_frames, 1),
	W("no window", w_no_window, 0),
	W("wide window", w_wide_window, 1),
	W("no storage", w_no_storage, 1),
	W("endless storage", w_all_storage, 1),
	W("no output", w_no_output, 0),
	W("endless output", w_all_output, 1),
	W("coarse clock", w_coarse_clock, 0),
	W("clock without steps", w_no_clock, 1),
	W("huge description", w_long_text, 0),
	W("old nonce", w_old_nonce, 0),
	W("no session", w_no_session, 0),
	W("another session", w_other_session, 0),
	W("unknown version", w_version, 0),
	W("all flags of a machine", w_flags, 1),
	W("a board without a record", w_board, 0),
	W("energy without a sensor", w_no_sensor, 1),
	W("texts of a welcome", w_texts, 1),
	D("outcome 200", d_outcome, 0),
	D("agent fault", d_agent_fault, 0),
	D("unsupported", d_unsupported, 0),
	D("cancelled", d_cancelled, 0),
	D("early time-out", d_early_timeout, 0),
	D("crash with a result", d_crash_with_result, 0),
	D("wrong output", d_wrong, 0),
	D("no result", d_no_result, 0),
	D("short result", d_short, 0),
	D("long result", d_long, 0),
	{.name = "huge result", .welcome = w_all_output, .done = d_huge},
	{.name = "64 MB that never come", .welcome = w_all_output, .done = d_much},
	D("other result", d_crc, 0),
	D("huge memory", d_rss_huge, 1),
	D("no memory", d_rss_none, 1),
	D("hot", d_hot, 1),
	D("cold", d_cold, 1),
	D("fast", d_fast, 1),
	D("throttled without end", d_throttled, 1),
	D("energy NaN", d_energy_nan, 1),
	D("negative energy", d_energy_negative, 1),
	D("infinite energy", d_energy_infinite, 1),
	D("huge energy", d_energy_huge, 1),
	D("endless process", d_wall, 1),
	D("texts of a result", d_texts, 1),
	D("texts of a crash", d_crash_texts, 0),
	R("negative time", r_negative, 0),
	R("time NaN", r_nan, 0),
	R("infinite time", r_infinite, 0),
	R("no time", r_zero, 0),
	R("tiny time", r_tiny, 0),
	R("CPU time NaN", r_cpu_nan, 0),
	R("negative CPU time", r_cpu_negative, 0),
	R("no CPU time once", r_cpu_none_once, 0),
	R("hardly any CPU time once", r_cpu_hardly, 0),
	R("huge CPU time", r_cpu_huge, 0),
	R("huge time", r_wall_huge, 0),
	R("longer than anybody waited", r_slow, 0),
	R("fewer samples", r_fewer, 0),
	R("4 G samples", r_many, 0),
	R("batches of none", r_inner_none, 0),
	R("batches of 4 G", r_inner_huge, 0),
	R("backwards", r_backwards, 0),
	R("no span", r_no_span, 0),
	R("one inference", r_inferences, 0),
	R("wrong END", r_end, 0),
	R("unknown record", r_kind, 0),
	R("huge record", r_record_len, 0),
	R("cut records", r_short, 0),
	R("one byte", r_empty, 0),
	R("more than END", r_long, 0),
	R("golden check of nothing", r_unchecked, 0),
	R("infinite golden error", r_worst, 0),
	R("failed and ok", r_failed, 0),
	R("noise", r_noise, 0),
	R("evaluation of 4 G inputs", r_eval, 1),
	A("silence", a_silence, 0),
	A("stall", a_stall, 0),
	A("everything three times", a_twice, 1),
	A("answers to nothing", a_unasked, 1),
	A("the first DONE again", a_old_done, 0),
	A("the first DATA again", a_old_data, 1),
	A("DATA elsewhere", a_data_elsewhere, 0),
	A("DATA of 64 KB", a_data_long, 0),
	A("has what it has not", a_complete, 0),
	A("has more than there is", a_has_all, 0),
	A("never has anything", a_has_none, 0),
	A("refuses", a_refuses, 0),
	A("refuses HELLO", a_refuses_hello, 0),
	A("another PING", a_ping, 1),
	A("escapes in the description", a_escapes, 1),
	F("zeros for ever", f_zeros),
	F("noise for ever", f_noise),
	{.name = "BEATs for ever", .flood = f_beats, .endless = 1},
	F("stale DATA for ever", f_data),
	F("empty HAVEs for ever", f_have),
	{.name = "stale DATA instead", .flood = f_data, .answer = a_no_data},
	{.name = "empty HAVEs instead",
		.flood = f_have,
		.answer = a_no_have,
		.stored = 1},
	{.name = "a run without end", .endless = 1},
	{.name = "becomes another machine",
		.session = s_other_machine,
		.answer = a_lost_once},
	{.name = "becomes simulated", .session = s_simulated, .answer = a_lost_once},
	{.name = "lost once, honest then", .answer = a_lost_once, .stored = 1},
};

static void honest_agent_is_measured(void **state)
{
	static const struct lie truth = {.name = "the truth"};

	(void)state;
	honest = session_with(&truth, 1);
	assert_string_equal(honest.why, "");
	assert_int_equal(honest.n_stored, 1);
	assert_true(honest.energy_uj > 0 && honest.peak_rss_bytes > 0);
}

static void liars_put_no_number_into_the_store(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct facts f = session_with(&lies[i], i);

		print_message("%s: %s, %llu ms: %s\n", lies[i].name,
			f.n_stored     ? "kept"
			: f.n_failures ? "failed"
				       : "nothing",
			(unsigned long long)liar.now_ms, f.why);
		if (f.n_stored != (uint32_t)lies[i].stored ||
			(f.n_stored && f.latency_ns != honest.latency_ns)) {
			print_message(
				"WRONG: %u numbers, %g ns\n", f.n_stored, f.latency_ns);
			wrong++;
		}
		if (!f.n_stored && !f.why[0])
			fail_msg(
				"'%s': nobody says why there is no number", lies[i].name);
	}
	assert_int_equal(wrong, 0);
}

/* What is beside the number and cannot be true is unknown. */
static void liars_are_not_believed_beside_the_number(void **state)
{
	static const struct lie beside[] = {
		W("", w_no_sensor, 1),
		D("", d_energy_nan, 1),
		D("", d_energy_negative, 1),
		D("", d_energy_infinite, 1),
		D("", d_energy_huge, 1),
		D("", d_rss_huge, 1),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		struct facts f = session_with(&beside[i], i);

		assert_int_equal(f.n_stored, 1);
		assert_true(i == 5 ? f.peak_rss_bytes == 0 : isnan(f.energy_uj));
	}
}

/* What a program at the other end of a pipe says on its standard error. */
static void words_of_an_agent_are_bounded_and_printable(void **state)
{
	static const char *const escapes[] = {
		"/bin/sh", "-c", "printf '\\033[2J\\033]0;x\\007last\\200' >&2", NULL};
	static const char *const noisy[] = {
		"/bin/sh", "-c", "exec cat /dev/zero >&2", NULL};
	struct err_ctx ctx = {{0}};
	struct transport *t;
	uint8_t b[64];
	size_t n;

	(void)state;
	assert_int_equal(transport_pipe_open(&t, escapes, &ctx), ERR_OK);
	assert_int_equal(t->ops->read(t, b, sizeof(b), 5000, &n, &ctx), ERR_LINK);
	assert_non_null(strstr(ctx.msg, "?[2J?]0;x?last?"));
	t->ops->close(t);
	assert_int_equal(transport_pipe_open(&t, noisy, &ctx), ERR_OK);
	assert_int_equal(t->ops->read(t, b, sizeof(b), 200, &n, &ctx), ERR_TIMEOUT);
	for (const char *s = transport_pipe_words(t); *s; s++)
		assert_true(*s >= 32 && *s < 127);
	t->ops->close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_agent_is_measured),
		cmocka_unit_test(liars_put_no_number_into_the_store),
		cmocka_unit_test(liars_are_not_believed_beside_the_number),
		cmocka_unit_test(words_of_an_agent_are_bounded_and_printable),
	};

	return cmocka_run_group_tests(tests, session_setup, session_teardown);
}
