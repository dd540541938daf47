#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "devices/boards/linux/harness.h"

#include <sys/resource.h>
#include <time.h>

#define MAX_INNER (1u << 20)

/* By the monotonic clock, and the CPU clock of the thread. */
struct times {
	uint64_t wall, cpu;
};
static struct times begun, taken, sample_ns[TIME_MAX_SAMPLES];

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void clock_start(void)
{
	begun.cpu = now(CLOCK_THREAD_CPUTIME_ID);
	begun.wall = now(CLOCK_MONOTONIC);
}

void clock_stop(void)
{
	taken.wall += now(CLOCK_MONOTONIC) - begun.wall;
	taken.cpu += now(CLOCK_THREAD_CPUTIME_ID) - begun.cpu;
}

static int sample(const struct timing *t)
{
	taken.wall = taken.cpu = 0;
	return timing_sample(t);
}

/* Rounds grow until a sample lasts long enough. */
static int calibrate(struct timing *t)
{
	t->rounds = 1;
	for (;;) {
		uint64_t want;

		if (sample(t) != 0)
			return -1;
		if (taken.wall >= t->min_sample_ns || t->rounds >= MAX_INNER / t->steps)
			return 0;
		want = (uint64_t)t->rounds * t->min_sample_ns / (taken.wall + 1) + 1;
		if (want > 2 * (uint64_t)t->rounds)
			want = 2 * (uint64_t)t->rounds;
		t->rounds = want > t->rounds ? (uint32_t)want : t->rounds + 1;
	}
}

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
		put_f32(&p, (float)((double)sample_ns[i].wall / inner));
		put_f32(&p, (float)((double)sample_ns[i].cpu / inner));
	}
	stream_record(kind, b, p.len);
}

int take_samples(struct timing *t, uint32_t kind)
{
	struct rusage use[2];
	uint64_t around[2];

	if (calibrate(t) != 0)
		return -1;
	getrusage(RUSAGE_THREAD, &use[0]);
	around[0] = now(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < t->n_samples; i++) {
		if (sample(t) != 0)
			return -1;
		sample_ns[i] = taken;
	}
	around[1] = now(CLOCK_MONOTONIC);
	getrusage(RUSAGE_THREAD, &use[1]);
	write_time(t, kind, around, use);
	return 0;
}
