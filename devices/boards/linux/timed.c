#include "devices/boards/linux/harness.h"

#define STEPS_PER_ROUND 16 /* decoder steps after one prefill: the cache hardly grows */
#define LONG_NS 100000000u /* a meter's window may want more, of whole inputs alone */

static int32_t ids[HARNESS_MAX_TOKENS];
static volatile float keep; /* an output is used, whatever the optimiser thinks */

/* A decoder's single tokens are timed, and not the prefill that they come after. */
int timing_sample(const struct timing *t)
{
	struct model_output o = {0};
	int rc = 0;

	if (!t->phase)
		clock_start();
	for (uint32_t i = 0; i < t->rounds; i++) {
		rc |= run_fresh(ids, t->n_tokens, &o);
		if (!t->phase)
			continue;
		clock_start();
		for (uint32_t k = 0; k < t->steps; k++)
			rc |= model_run(ids + k, 1, &o);
		clock_stop();
	}
	if (!t->phase)
		clock_stop();
	keep = o.intent ? o.intent[0] : o.tags ? o.tags[0] : o.lm ? o.lm[0] : 0;
	return rc ? -1 : 0;
}

static int warm_up(const struct timing *t)
{
	for (uint32_t i = 0; i < t->n_warmup; i++)
		if (run_fresh(ids, t->n_tokens, &(struct model_output){0}) != 0)
			return -1;
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
	if (t.min_sample_ns > LONG_NS)
		t.min_sample_ns = LONG_NS;
	t.phase = 1;
	t.steps = steps_behind(t.n_tokens);
	return take_samples(&t, RECORD_STEPS);
}

/* The timed input: the first golden input, repeated or cut to the length asked for. */
static const char *prepare(struct timing *t)
{
	uint32_t longest = t->phase ? model_info.seq_len - 1 : model_info.seq_len;

	if (t->n_samples == 0 || t->n_samples > HARNESS_MAX_SAMPLES)
		return "the number of samples is out of range";
	if (t->phase && !model_info.is_decoder)
		return "token steps were asked of an encoder";
	if (t->n_tokens == 0) {
		t->n_tokens = model_info.timed_tokens ? model_info.timed_tokens : longest;
		if (t->n_tokens > longest)
			t->n_tokens = longest;
	}
	if (t->n_tokens == 0 || t->n_tokens > longest || t->n_tokens > HARNESS_MAX_TOKENS)
		return "the timed length does not fit the model";
	if (model_n_golden == 0 || model_golden[0].n == 0)
		return "the model has no golden input";
	t->steps = t->phase ? steps_behind(t->n_tokens) : 1;
	for (uint32_t i = 0; i < HARNESS_MAX_TOKENS; i++)
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
	if (r.pass && (warm_up(t) != 0 || take_samples(t, RECORD_TIME) != 0 ||
			      take_steps(t) != 0))
		return stream_fail(
			HARNESS_EXIT_MODEL, "the model refused the timed input");
	stream_end();
	return 0;
}
