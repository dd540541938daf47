#include <math.h>
#include <stdio.h>
#include <string.h>

#include "devices/handle.h"

/* Runs beside the meter in the board's supply. */

#define WINDOW_NS 10.4e9 /* trace.h wants 10 s; clocks differ by 1 % at most */
#define MIN_SAMPLES 4	 /* a sample's length is 32 bits of ns */

enum err metered_open(struct device *d, struct err_ctx *ctx)
{
	if (d->meter && instrument_is_gone(d->meter)) {
		instrument_close(d->meter);
		d->meter = NULL;
	}
	if (!d->profile.meter.kind[0] || d->meter)
		return ERR_OK;
	return instrument_open(&d->meter, &d->profile.meter, ctx);
}

/* An emulator's time is none: its run is as short as without. */
static void lengthen(const struct device *d, struct run_request *rq)
{
	double ns;

	if (d->info.emulated || d->info.instruction_ns)
		return;
	if (rq->n_samples < MIN_SAMPLES)
		rq->n_samples = MIN_SAMPLES;
	ns = ceil(WINDOW_NS / rq->n_samples);
	if (rq->min_sample_ns < ns)
		rq->min_sample_ns = (uint32_t)ns;
}

static void finish(struct device *d, const struct run_result *r, int ran,
	struct process_run *out, char why[TRACE_WHY])
{
	const struct trace_run run = {.n_inferences = r->n_timed,
		.board_ns = d->info.emulated || d->info.instruction_ns ? 0 : r->timed_ns};
	struct trace_energy f;

	if (!instrument_end(d->meter, ran ? &run : NULL, &f, why))
		return;
	out->energy_uj = f.energy_uj;
	out->idle_uw = f.idle_uw;
	out->window_ns = f.window_ns;
}

enum err metered_run(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx)
{
	int metered = d->profile.meter.kind[0] && rq->mode == RUN_TIME && rq->metered;
	struct run_request own = *rq;
	char why[TRACE_WHY] = "";
	int recording;
	enum err e = ERR_OK;

	if (!d->profile.meter.kind[0])
		return run_and_fetch(d, rq, out, ctx);
	if (metered) {
		lengthen(d, &own);
		e = metered_open(d, ctx);
	}
	if (e)
		return e;
	recording = metered && instrument_begin(d->meter, why);
	e = run_and_fetch(d, &own, out, ctx);
	out->run.energy_uj = out->run.idle_uw = out->run.window_ns = NAN;
	if (recording)
		finish(d, out, !e && out->verdict == VERDICT_OK, &out->run, why);
	memcpy(out->energy_note, why, sizeof(why));
	return e;
}
