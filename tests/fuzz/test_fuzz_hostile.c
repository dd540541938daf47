/* Agents that lie at random: whole sessions whose answers are changed anywhere, again and
 * again, in sound frames with sound checks. What has to hold is tests/unit/hostile_session.h's.
 * FUZZ_HOSTILE=N sessions instead of the few of `make test`.
 */
#include "tests/unit/hostile_session.h"

#include "tests/fuzz/mutate.h"

static double share; /* of answers that are changed, in this session */

static int lies_now(void)
{
	return rng_unit(&liar.rng) < share;
}

/* Numbers at the edges of what fields hold. */
static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {0, 1, 2, 255, 256, 65535, 65536, INT32_MAX,
		(uint64_t)INT32_MAX + 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT64_MAX, 0x7ff0000000000000,
		0x7ff8000000000001, 0xbff0000000000000, 0x7f800000, 0xffc00000,
		0xbf800000};

	return odd[rng_below(&liar.rng, sizeof(odd) / sizeof(odd[0]))];
}

static void poke(uint8_t *at, size_t len)
{
	uint64_t v = odd_number();
	size_t n = (size_t)1 << rng_below(&liar.rng, 4), start;

	if (len < n)
		return;
	start = (size_t)rng_below(&liar.rng, len - n + 1);
	for (size_t i = 0; i < n; i++)
		at[start + i] = (uint8_t)(v >> (8 * i));
}

/* Anything behind the first `from` bytes. */
static size_t change(uint8_t *data, size_t from, size_t len, size_t cap)
{
	for (uint64_t n = 1 + rng_below(&liar.rng, 3); n; n--)
		if (rng_below(&liar.rng, 2))
			poke(data + from, len - from);
		else
			len = from + mutate(&liar.rng, data + from, len - from,
					     cap - from, NULL);
	return len;
}

static void random_records(uint8_t *stream, uint32_t *len)
{
	if (lies_now())
		*len = (uint32_t)change(stream, 0, *len, SIM_RESULT_BYTES);
}

static void random_welcome(struct wire_welcome *w)
{
	if (!lies_now())
		return;
	switch (rng_below(&liar.rng, 6)) {
	case 0:
		w->max_payload = (uint32_t)odd_number();
		return;
	case 1:
		w->window = (uint16_t)odd_number();
		return;
	case 2:
		w->storage_bytes = (uint32_t)odd_number();
		return;
	case 3:
		w->output_bytes = (uint32_t)odd_number();
		return;
	case 4:
		w->clock_resolution_ns = (uint32_t)odd_number();
		return;
	default:
		w->flags = (uint32_t)rng_below(&liar.rng, 32);
	}
}

static void random_done(struct wire_done *d)
{
	uint64_t v = odd_number();

	if (!lies_now())
		return;
	switch (rng_below(&liar.rng, 7)) {
	case 0:
		d->outcome = (uint8_t)rng_below(&liar.rng, N_OUTCOMES + 1);
		return;
	case 1:
		d->output_len = (uint32_t)v;
		return;
	case 2:
		memcpy(&d->energy_uj, &v, sizeof(v));
		return;
	case 3:
		d->peak_rss_bytes = v;
		return;
	case 4:
		d->n_quota = d->quota_us = d->n_slowed = (uint32_t)v;
		return;
	case 5:
		d->temp_after_mc = (int32_t)(uint32_t)v;
		return;
	default:
		d->freq_before_khz = d->freq_after_khz = (uint32_t)v;
	}
}

static void random_answer(uint8_t type, uint8_t *payload, size_t *len)
{
	(void)type;
	if (!lies_now())
		return;
	switch (rng_below(&liar.rng, 5)) {
	case 0:
		*len = 0;
		return;
	case 1:
		for (uint64_t n = 1 + rng_below(&liar.rng, 20); n; n--)
			liar_say_payload(payload, *len);
		return;
	case 2: /* another type, session or request */
		change(payload, 0, WIRE_HEADER_BYTES, WIRE_HEADER_BYTES);
		return;
	default:
		*len = change(payload, WIRE_HEADER_BYTES, *len, LIAR_PAYLOAD);
	}
}

static void random_session(uint32_t n)
{
	(void)n;
	if (lies_now() && lies_now())
		liar_describe("arch: x86_64\nemulated: yes\n");
}

static const struct lie random_lie = {
	.name = "anything",
	.welcome = random_welcome,
	.done = random_done,
	.records = random_records,
	.answer = random_answer,
	.session = random_session,
};

static void random_liars_do_no_harm(void **state)
{
	static const double shares[] = {0.02, 0.1, 0.3, 0.6};
	const char *wanted = getenv("FUZZ_HOSTILE");
	uint64_t n = wanted ? strtoull(wanted, NULL, 10) : 300, longest_ms = 0;
	uint64_t opened = 0, stored = 0, failed = 0;

	(void)state;
	for (uint64_t i = 0; i < n; i++) {
		struct facts f;

		share = shares[i % (sizeof(shares) / sizeof(shares[0]))];
		f = session_with(&random_lie, 1000 + i);
		opened += f.opened != 0;
		stored += f.n_stored;
		failed += f.n_failures;
		longest_ms = liar.now_ms > longest_ms ? liar.now_ms : longest_ms;
		assert_true(f.n_stored + f.n_failures <= 1);
		assert_true(f.n_stored || f.n_failures || f.why[0]);
	}
	print_message("%llu sessions: %llu opened, %llu possible numbers and %llu "
		      "failures of candidates kept; the longest took %llu s\n",
		(unsigned long long)n, (unsigned long long)opened,
		(unsigned long long)stored, (unsigned long long)failed,
		(unsigned long long)longest_ms / 1000);
	assert_true(opened > n / 2 && stored > n / 20 && stored < n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_liars_do_no_harm),
	};

	return cmocka_run_group_tests(tests, session_setup, session_teardown);
}
