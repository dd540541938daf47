#include "devices/sim/sim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "devices/proto/crc32.h"

static void describe(struct sim *s, const char *law)
{
	struct wire_welcome *w = &s->about;
	int metered = s->law.power_mw > 0, n;

	w->window = 8;
	w->flags = WIRE_IS_SIMULATED | WIRE_CAN_COPY;
	w->storage_bytes = (uint32_t)s->store.cap;
	w->output_bytes = SIM_RESULT_BYTES;
	w->clock_resolution_ns = 1;
	snprintf(w->agent, sizeof(w->agent), "hawser-agent 1 (sim)");
	snprintf(w->sensor, sizeof(w->sensor), "%s", metered ? "sim" : "");
	snprintf(w->sensor_note, sizeof(w->sensor_note), "%s",
		metered ? "a simulated figure, not a measurement" : "");
	n = snprintf(w->description, sizeof(w->description),
		"simulated: 1\nlaw version: 1\nlaw: %.1400s\n", law);
	w->description_len = (uint32_t)n;
}

const char *sim_init(struct sim *s, const struct sim_host *host, const char *law,
	void *mem, size_t mem_bytes, char why[160])
{
	const char *wrong;

	memset(s, 0, sizeof(*s));
	s->host = *host;
	wrong = sim_law_parse(&s->law, law, why);
	if (wrong)
		return wrong;
	ram_store_init(&s->store, mem, mem_bytes);
	describe(s, law);
	return NULL;
}

static void put_golden(struct put *p, int pass)
{
	put_record_head(p, RECORD_GOLDEN, GOLDEN_BYTES);
	put_u32(p, 1);
	put_u8(p, (uint8_t)pass);
	put_f64(p, pass ? 0 : 1);
	put_u32(p, 0);
	put_u8(p, 0);
	put_u32(p, 0);
	put_f32(p, pass ? 0 : 1);
	put_f32(p, 0);
}

/* Samples first.. of a run. Returns the virtual time that they took. */
static double put_time(struct sim *s, struct put *p, const struct wire_run *rq,
	const struct sim_run *run, double truth, uint32_t first)
{
	double total = 0, inner = ceil(rq->min_sample_ns / truth);

	inner = inner < 1 ? 1 : inner > 1048576 ? 1048576 : inner;
	put_u32(p, rq->n_samples);
	put_u32(p, (uint32_t)inner);
	put_u64(p, 0);
	for (uint32_t i = 0; i < rq->n_samples; i++) {
		double wall, cpu;

		sim_sample(&s->law, run, truth, first + i, &wall, &cpu);
		total += wall * inner;
	}
	put_u64(p, (uint64_t)total);
	put_u64(p, (uint64_t)inner * rq->n_samples);
	put_u32(p, 0);
	put_u32(p, 0);
	for (uint32_t i = 0; i < rq->n_samples; i++) {
		double wall, cpu;

		sim_sample(&s->law, run, truth, first + i, &wall, &cpu);
		put_f32(p, (float)wall);
		put_f32(p, (float)cpu);
	}
	return total;
}

/* A decoder's single tokens behind the whole input. */
static double put_steps(struct sim *s, struct put *p, const struct wire_run *rq,
	const struct sim_card *card, const struct sim_run *whole)
{
	struct sim_run run = *whole;
	double truth;

	run.phase = 1;
	truth = sim_latency_ns(&s->law, card, &run);
	put_record_head(p, RECORD_STEPS, 4 + TIME_HEAD_BYTES + 8 * rq->n_samples);
	put_u32(p, run.n_tokens ? run.n_tokens : (uint32_t)card->timed_tokens);
	return put_time(s, p, rq, &run, truth > 1 ? truth : 1, rq->n_samples);
}

static void put_end(struct put *p)
{
	uint64_t len = p->len;

	put_record_head(p, RECORD_END, 8);
	put_u64(p, len);
}

/* Records of a run that came to an end; the virtual time it took. */
static double write_records(struct sim *s, const struct wire_run *rq,
	const struct sim_card *card, const struct sim_run *run, double truth, int pass)
{
	double total = truth * (1 + rq->n_warmup);
	struct put p;

	put_init(&p, s->result, sizeof(s->result));
	put_u32(&p, RECORD_MAGIC);
	put_golden(&p, pass);
	if (pass && rq->mode == MODE_TIME) {
		put_record_head(&p, RECORD_TIME, TIME_HEAD_BYTES + 8 * rq->n_samples);
		total += put_time(s, &p, rq, run, truth, 0);
		if (card->state_bytes > 0 && !run->phase)
			total += put_steps(s, &p, rq, card, run);
	}
	put_end(&p);
	s->result_len = (uint32_t)p.len;
	return total;
}

static void end_with(struct sim *s, int outcome, int code, const char *detail)
{
	s->done.outcome = (uint8_t)outcome;
	s->done.code = code;
	snprintf(s->done.detail, sizeof(s->done.detail), "%s", detail);
}

static void answer(struct sim *s, const struct wire_run *rq, const struct sim_card *card,
	const struct sim_run *run, enum sim_fate fate)
{
	double truth = sim_latency_ns(&s->law, card, run), total = 0;

	truth = truth > 1 ? truth : 1;
	if (fate == SIM_CRASH) {
		end_with(s, OUTCOME_CRASH, 11, "signal 11 (simulated)");
	} else if (fate == SIM_STALL) {
		end_with(s, OUTCOME_TIMEOUT, 0, "simulated stall");
		total = rq->timeout_ms * 1e6;
	} else if (fate == SIM_OOM) {
		end_with(s, OUTCOME_OOM, 0,
			"the arena is larger than the memory (simulated)");
	} else {
		total = write_records(s, rq, card, run, truth, fate == SIM_OK);
		if (fate == SIM_WRONG)
			end_with(s, OUTCOME_WRONG_OUTPUT, 0, "simulated wrong output");
	}
	if (total > rq->timeout_ms * 1e6) {
		end_with(s, OUTCOME_TIMEOUT, 0, "slower than its time limit");
		total = rq->timeout_ms * 1e6;
		s->result_len = 0;
	}
	s->done.wall_ns = s->done.cpu_ns = (uint64_t)total;
	s->ready_ns = s->host.now_ns(s->host.self);
	if (s->law.sleep > 0)
		s->ready_ns += (uint64_t)total;
	if (s->law.power_mw > 0) /* mW * ns = 1e-6 uJ */
		s->done.energy_uj = s->law.power_mw * truth * 1e-6;
	s->done.peak_rss_bytes =
		(uint64_t)(card->arena_bytes + card->weight_bytes) + 65536;
}

/* agent_ops */

static void op_send(void *self, const uint8_t *data, size_t len)
{
	struct sim *s = self;

	s->host.send(s->host.self, data, len);
}

static uint64_t op_now_ns(void *self)
{
	struct sim *s = self;

	return s->host.now_ns(s->host.self);
}

static uint32_t op_nonce(void *self)
{
	struct sim *s = self;

	return s->host.nonce(s->host.self);
}

static void op_about(void *self, struct put *p)
{
	put_about(p, &((struct sim *)self)->about);
}

static int op_lease(void *self)
{
	(void)self; /* nobody else can reach this one */
	return 0;
}

static int op_store_open(
	void *self, const struct wire_offer *m, struct agent_stored **out)
{
	return ram_store_open(&((struct sim *)self)->store, m, out);
}

static int op_store_append(void *self, const uint8_t *data, uint32_t len)
{
	return ram_store_append(&((struct sim *)self)->store, data, len);
}

static int op_store_copy(void *self, const struct wire_put *m)
{
	return ram_store_copy(&((struct sim *)self)->store, m);
}

static int op_store_verify(void *self)
{
	return ram_store_verify(&((struct sim *)self)->store);
}

static int op_run_start(void *self, const struct wire_run *rq)
{
	struct sim *s = self;
	struct sim_run run = {.process_index = rq->process_index,
		.attempt = rq->attempt,
		.n_tokens = rq->n_tokens,
		.phase = rq->phase};
	struct sim_card card;
	enum sim_fate fate;
	size_t len;
	const uint8_t *image = ram_store_find(&s->store, rq->image, &len);

	if (!image)
		return WIRE_E_NOT_FOUND;
	if (rq->mode == MODE_TIME &&
		(rq->n_samples == 0 || rq->n_samples > TIME_MAX_SAMPLES))
		return WIRE_E_REQUEST;
	memcpy(run.image, rq->image, sizeof(run.image));
	memset(&s->done, 0, sizeof(s->done));
	s->done.energy_uj = s->done.idle_uw = NAN;
	s->done.temp_before_mc = s->done.temp_after_mc = WIRE_TEMP_UNKNOWN;
	s->result_len = 0;
	s->ready_ns = 0;
	if (rq->mode == MODE_EVAL) {
		end_with(s, OUTCOME_UNSUPPORTED, 0, "a simulated device cannot evaluate");
		return 0;
	}
	if (!sim_card_find(&card, image, len)) {
		end_with(s, OUTCOME_EXIT, 127, "the image has no card");
		return 0;
	}
	fate = sim_fate(&s->law, &card, &run);
	if (fate == SIM_LOST)
		s->lost = 1;
	else
		answer(s, rq, &card, &run, fate);
	return 0;
}

static int op_run_poll(void *self, struct put *done)
{
	struct sim *s = self;

	if (s->lost || s->host.now_ns(s->host.self) < s->ready_ns)
		return 0;
	s->done.output_len = s->result_len;
	s->done.output_crc = crc32_update(0, s->result, s->result_len);
	put_done(done, &s->done);
	return 1;
}

static void op_run_cancel(void *self)
{
	(void)self;
}

static const uint8_t *op_result(void *self)
{
	return ((struct sim *)self)->result;
}

const struct agent_ops sim_ops = {
	.send = op_send,
	.now_ns = op_now_ns,
	.nonce = op_nonce,
	.about = op_about,
	.lease = op_lease,
	.store_open = op_store_open,
	.store_append = op_store_append,
	.store_copy = op_store_copy,
	.store_verify = op_store_verify,
	.run_start = op_run_start,
	.run_poll = op_run_poll,
	.run_cancel = op_run_cancel,
	.result = op_result,
};
