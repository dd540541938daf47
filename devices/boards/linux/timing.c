#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "devices/boards/linux/harness.h"

#include <sys/resource.h>
#include <time.h>

#define MAX_INNER (1u << 20)
#define STEPS_PER_ROUND 16 /* decoder steps after one prefill: the cache hardly grows */

static int32_t ids[EVAL_MAX_TOKENS];
static uint64_t wall_ns[TIME_MAX_SAMPLES], cpu_ns[TIME_MAX_SAMPLES];
static volatile float keep; /* an output is used, whatever the optimiser thinks */

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whole inputs, `rounds` times between two readings of the clocks. */
static int sample_whole(const struct timing *t, uint64_t *wall, uint64_t *cpu)
{
	struct model_output o = {0};
	uint64_t c0 = now(CLOCK_THREAD_CPUTIME_ID), w0 = now(CLOCK_MONOTONIC);
	int rc = 0;

	for (uint32_t i = 0; i < t->rounds; i++)
		rc |= run_fresh(ids, t->n_tokens, &o);
	*wall = now(CLOCK_MONOTONIC) - w0;
	*cpu = now(CLOCK_THREAD_CPUTIME_ID) - c0;
	keep = o.intent ? o.intent[0] : o.tags ? o.tags[0] : o.lm ? o.lm[0] : 0;
	return rc;
}

/* Decoder: each round fills the cache untimed, then times `steps` single tokens. */
static int sample_steps(const struct timing *t, uint64_t *wall, uint64_t *cpu)
{
	struct model_output o = {0};
	int rc = 0;

	*wall = *cpu = 0;
	for (uint32_t i = 0; i < t->rounds; i++) {
		uint64_t c0, w0;

		rc |= run_fresh(ids, t->n_tokens, &o);
		c0 = now(CLOCK_THREAD_CPUTIME_ID);
		w0 = now(CLOCK_MONOTONIC);
		for (uint32_t k = 0; k < t->steps; k++)
			rc |= model_run(ids + k, 1, &o);
		*wall += now(CLOCK_MONOTONIC) - w0;
		*cpu += now(CLOCK_THREAD_CPUTIME_ID) - c0;
	}
	keep = o.lm ? o.lm[0] : o.intent ? o.intent[0] : 0;
	return rc;
}

static int sample(const struct timing *t, uint64_t *wall, uint64_t *cpu)
{
	return t->phase ? sample_steps(t, wall, cpu) : sample_whole(t, wall, cpu);
}

/* Rounds grow until a sample lasts long enough. */
static int calibrate(struct timing *t)
{
	uint64_t wall, cpu;

	t->rounds = 1;
	for (;;) {
		uint64_t want;

		if (sample(t, &wall, &cpu) != 0)
			return -1;
		if (wall >= t->min_sample_ns || t->rounds >= MAX_INNER / t->steps)
			return 0;
		want = (uint64_t)t->rounds * t->min_sample_ns / (wall + 1) + 1;
		if (want > 2 * (uint64_t)t->rounds)
			want = 2 * (uint64_t)t->rounds;
		t->rounds = want > t->rounds ? (uint32_t)want : t->rounds + 1;
	}
}

/* `kind`: RECORD_TIME, or RECORD_STEPS, which says what was cached. */
static void write_time(const struct timing *t, uint32_t kind, const uint64_t around[2],
	const struct rusage use[2])
{
	static uint8_t b[4 + TIME_HEAD_BYTES + 8 * TIME_MAX_SAMPLES];
	uint32_t inner = t->rounds * t->steps;
	struct put p;

	put_init(&p, b, sizeof(b));
	if (kind == RECORD_STEPS)
		put_u32(&p, t->n_tokens);
	put_u32(&p, t->n_samples);
	put_u32(&p, inner);
	put_u64(&p, around[0]);
	put_u64(&p, around[1]);
	put_u64(&p, (uint64_t)t->n_samples * inner);
	put_u32(&p, (uint32_t)(use[1].ru_nvcsw - use[0].ru_nvcsw));
	put_u32(&p, (uint32_t)(use[1].ru_nivcsw - use[0].ru_nivcsw));
	for (uint32_t i = 0; i < t->n_samples; i++) {
		put_f32(&p, (float)((double)wall_ns[i] / inner));
		put_f32(&p, (float)((double)cpu_ns[i] / inner));
	}
	stream_record(kind, b, p.len);
}

static int take_samples(struct timing *t, uint32_t kind)
{
	struct rusage use[2];
	uint64_t around[2];

	for (uint32_t i = 0; i < t->n_warmup; i++)
		if (run_fresh(ids, t->n_tokens, &(struct model_output){0}) != 0)
			return -1;
	if (calibrate(t) != 0)
		return -1;
	getrusage(RUSAGE_THREAD, &use[0]);
	around[0] = now(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < t->n_samples; i++)
		if (sample(t, &wall_ns[i], &cpu_ns[i]) != 0)
			return -1;
	around[1] = now(CLOCK_MONOTONIC);
	getrusage(RUSAGE_THREAD, &use[1]);
	write_time(t, kind, around, use);
	return 0;
}

/* Steps that fit behind n cached tokens. */
static uint32_t steps_behind(uint32_t n)
{
	uint32_t room = model_info.seq_len - n;

	return room < STEPS_PER_ROUND ? room : STEPS_PER_ROUND;
}

/* A decoder's whole inputs were timed: now its single tokens, in the same process. */
static int take_steps(const struct timing *whole)
{
	struct timing t = *whole;
	uint32_t room = model_info.seq_len / 2;

	if (whole->phase || !model_info.is_decoder || !room)
		return 0;
	room = room < STEPS_PER_ROUND ? room : STEPS_PER_ROUND;
	if (t.n_tokens > model_info.seq_len - room)
		t.n_tokens = model_info.seq_len - room;
	t.phase = 1;
	t.n_warmup = 0;
	t.steps = steps_behind(t.n_tokens);
	return take_samples(&t, RECORD_STEPS);
}

/* The timed input: the first golden input, repeated or cut to the length asked for. */
static const char *prepare(struct timing *t)
{
	uint32_t longest = t->phase ? model_info.seq_len - 1 : model_info.seq_len;

	if (t->n_samples == 0 || t->n_samples > TIME_MAX_SAMPLES)
		return "the number of samples is out of range";
	if (t->phase && !model_info.is_decoder)
		return "token steps were asked of an encoder";
	if (t->n_tokens == 0) {
		t->n_tokens = model_info.timed_tokens ? model_info.timed_tokens : longest;
		if (t->n_tokens > longest)
			t->n_tokens = longest;
	}
	if (t->n_tokens == 0 || t->n_tokens > longest || t->n_tokens > EVAL_MAX_TOKENS)
		return "the timed length does not fit the model";
	if (model_n_golden == 0 || model_golden[0].n == 0)
		return "the model has no golden input";
	t->steps = t->phase ? steps_behind(t->n_tokens) : 1;
	for (uint32_t i = 0; i < EVAL_MAX_TOKENS; i++)
		ids[i] = model_golden[0].ids[i % model_golden[0].n];
	return NULL;
}

int run_time(struct timing *t)
{
	const char *fault = prepare(t);
	struct record_golden r;

	if (fault)
		return stream_fail(HARNESS_EXIT_USAGE, fault);
	if (golden_check(&r) != 0)
		return stream_fail(
			HARNESS_EXIT_MODEL, "the model refused a golden input");
	golden_write(&r);
	if (r.pass && (take_samples(t, RECORD_TIME) != 0 || take_steps(t) != 0))
		return stream_fail(
			HARNESS_EXIT_MODEL, "the model refused the timed input");
	stream_end();
	return 0;
}
