#include "devices/boards/linux/harness.h"
#include "devices/boards/mcu/board.h"

#define MAX_ROUNDS (1u << 20)
#define MAX_SAMPLES 256

static int32_t ids[HARNESS_MAX_TOKENS];
static float sample_ns[MAX_SAMPLES];
static volatile float keep; /* an output is used, whatever the optimiser thinks */
static uint32_t n_tokens, rounds;
static uint64_t overhead; /* ticks that reading the clock takes */

static uint64_t to_ns(uint64_t ticks)
{
	return ticks * 1000000000u / payload->clock_hz;
}

/* Ticks of `rounds` inferences; 0: the model refused. */
static uint64_t sample(void)
{
	struct model_output o = {0};
	uint64_t start = payload_ticks(), ticks;

	for (uint32_t i = 0; i < rounds; i++)
		if (run_fresh(ids, n_tokens, &o) != 0)
			return 0;
	ticks = payload_ticks() - start;
	keep = o.intent ? o.intent[0] : o.tags ? o.tags[0] : o.lm ? o.lm[0] : 0;
	return ticks > overhead ? ticks - overhead : 1;
}

/* Twice as many, or once the time of some is known as many as are needed: the window of a
 * meter is seconds long, and should not be twice that. */
static uint32_t more_rounds(uint64_t ns)
{
	uint64_t n = 2 * rounds;

	if (ns > payload->min_sample_ns / 64)
		n = (uint64_t)rounds * payload->min_sample_ns / ns * 65 / 64 + 1;
	return n < MAX_ROUNDS ? (uint32_t)n : MAX_ROUNDS;
}

/* Rounds grow until a sample lasts long enough. */
static int calibrate(void)
{
	for (rounds = 1;;) {
		uint64_t ticks = sample(), ns = to_ns(ticks);

		if (!ticks)
			return -1;
		if (ns >= payload->min_sample_ns || rounds >= MAX_ROUNDS)
			return 0;
		rounds = more_rounds(ns);
	}
}

static void write_time(uint64_t start, uint64_t end)
{
	static uint8_t b[TIME_HEAD_BYTES + 8 * MAX_SAMPLES];
	struct put p;

	put_init(&p, b, sizeof(b));
	put_u32(&p, payload->n_samples);
	put_u32(&p, rounds);
	put_u64(&p, to_ns(start));
	put_u64(&p, to_ns(end));
	put_u64(&p, (uint64_t)payload->n_samples * rounds);
	put_u32(&p, 0);
	put_u32(&p, 0);
	for (uint32_t i = 0; i < payload->n_samples; i++) {
		put_f32(&p, sample_ns[i]);
		put_f32(&p, sample_ns[i]);
	}
	stream_record(RECORD_TIME, b, p.len);
}

/* The board's pin is high while it infers. A meter that tells falling edges alone sees the
 * first end of the window by the short pulse before it. */
static void open_window(void)
{
	payload_edge(1);
	payload_edge(0);
	payload_edge(1);
}

static int take_samples(void)
{
	uint64_t start, ticks;

	start = payload_ticks();
	overhead = payload_ticks() - start;
	for (uint32_t i = 0; i < payload->n_warmup; i++)
		if (run_fresh(ids, n_tokens, &(struct model_output){0}) != 0)
			return -1;
	if (calibrate() != 0)
		return -1;
	start = payload_ticks();
	open_window();
	for (uint32_t i = 0; i < payload->n_samples; i++) {
		ticks = sample();
		if (!ticks)
			return -1;
		sample_ns[i] = (float)((double)ticks * 1e9 / payload->clock_hz / rounds);
	}
	payload_edge(0);
	write_time(start, payload_ticks());
	return 0;
}

/* The timed input: the first golden input, repeated or cut to the length asked for. */
static const char *prepare(void)
{
	n_tokens = payload->n_tokens	     ? payload->n_tokens
		   : model_info.timed_tokens ? model_info.timed_tokens
					     : model_info.seq_len;
	if (payload->n_samples == 0 || payload->n_samples > MAX_SAMPLES)
		return "the number of samples is out of range";
	if (payload->phase)
		return "single token steps are not timed on this device";
	if (n_tokens > model_info.seq_len || n_tokens > HARNESS_MAX_TOKENS)
		return "the timed length does not fit the model";
	if (model_n_golden == 0 || model_golden[0].n == 0)
		return "the model has no golden input";
	for (uint32_t i = 0; i < n_tokens; i++)
		ids[i] = model_golden[0].ids[i % model_golden[0].n];
	return NULL;
}

int run_timed(void)
{
	const char *fault = prepare();
	struct record_golden r;

	if (fault)
		return stream_fail(HARNESS_EXIT_USAGE, fault);
	if (golden_check(&r) != 0)
		return stream_fail(
			HARNESS_EXIT_MODEL, "the model refused a golden input");
	golden_write(&r);
	if (r.pass && take_samples() != 0)
		return stream_fail(
			HARNESS_EXIT_MODEL, "the model refused the timed input");
	stream_end();
	return 0;
}
