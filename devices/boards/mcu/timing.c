#include "devices/boards/linux/harness.h"
#include "devices/boards/mcu/board.h"

#define MAX_INNER (1u << 20)

static float sample_ns[HARNESS_MAX_SAMPLES];
static uint64_t begun, taken; /* ticks */
static uint64_t overhead;     /* that reading the clock takes */

static uint64_t to_ns(uint64_t ticks)
{
	return ticks * 1000000000u / payload->clock_hz;
}

void clock_start(void)
{
	begun = payload_ticks();
}

void clock_stop(void)
{
	uint64_t ticks = payload_ticks() - begun;

	taken += ticks > overhead ? ticks - overhead : 1;
}

static int sample(const struct timing *t)
{
	taken = 0;
	return timing_sample(t);
}

static void find_overhead(void)
{
	taken = overhead = 0;
	clock_start();
	clock_stop();
	overhead = taken;
}

/* Twice as many, or once the time of some is known as many as are needed: the window of a
 * meter is seconds long, and should not be twice that. */
static uint32_t more_rounds(const struct timing *t, uint64_t ns)
{
	uint64_t n = 2 * (uint64_t)t->rounds, most = MAX_INNER / t->steps;

	if (ns > t->min_sample_ns / 64)
		n = (uint64_t)t->rounds * t->min_sample_ns / ns * 65 / 64 + 1;
	return (uint32_t)(n < most ? n : most);
}

/* Rounds grow until a sample lasts long enough. */
static int calibrate(struct timing *t)
{
	for (t->rounds = 1;;) {
		uint64_t ns;

		if (sample(t) != 0)
			return -1;
		ns = to_ns(taken);
		if (ns >= t->min_sample_ns || t->rounds >= MAX_INNER / t->steps)
			return 0;
		t->rounds = more_rounds(t, ns);
	}
}

static void write_time(
	const struct timing *t, uint32_t kind, uint64_t start, uint64_t end)
{
	static uint8_t b[4 + TIME_HEAD_BYTES + 8 * HARNESS_MAX_SAMPLES];
	uint32_t inner = t->rounds * t->steps;
	struct put p;

	put_init(&p, b, sizeof(b));
	if (kind == RECORD_STEPS)
		put_u32(&p, t->n_tokens);
	put_u32(&p, t->n_samples);
	put_u32(&p, inner);
	put_u64(&p, to_ns(start));
	put_u64(&p, to_ns(end));
	put_u64(&p, (uint64_t)t->n_samples * inner);
	put_u32(&p, 0);
	put_u32(&p, 0);
	for (uint32_t i = 0; i < t->n_samples; i++) {
		put_f32(&p, sample_ns[i]);
		put_f32(&p, sample_ns[i]);
	}
	stream_record(kind, b, p.len);
}

/* The board's pin is high while whole inputs are inferred; a window of single tokens would
 * hold their prefills. A meter that tells falling edges alone sees the first end of the window
 * by the short pulse before it. */
static void open_window(const struct timing *t)
{
	for (uint32_t i = 0; i < 3 && !t->phase; i++)
		payload_edge(!(i & 1));
}

int take_samples(struct timing *t, uint32_t kind)
{
	uint64_t start;

	find_overhead();
	if (calibrate(t) != 0)
		return -1;
	start = payload_ticks();
	open_window(t);
	for (uint32_t i = 0; i < t->n_samples; i++) {
		if (sample(t) != 0)
			return -1;
		sample_ns[i] = (float)((double)taken * 1e9 / payload->clock_hz /
				       (t->rounds * t->steps));
	}
	if (!t->phase)
		payload_edge(0);
	write_time(t, kind, start, payload_ticks());
	return 0;
}
