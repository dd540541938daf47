#include "src/cli/device_probe.h"

#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/eval/single.h"

/* All that a candidate can be made of, small: the best kernels of the flags, 8 and 4 bits. */
static const char network[] =
	"enc;v=300;t=32;d=64;e=64;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;rel=8;"
	"conv=3;opt=O2;kern=opt;L=h2k2x32f128r0b8,h2k2x32f128r0b4";

enum err device_check_health(
	const char *name, struct device_health *h, struct err_ctx *ctx)
{
	char results[1024], database[1100];
	struct single_options o = {.device = name,
		.results = results,
		.database = database,
		.task = {TASK_INTENT_SLOTS, 4, 9},
		.cancel = &cli_cancel};
	struct single_result r;
	struct genome g;
	enum err e;

	measure_options_default(&o.measure);
	o.measure.min_processes = o.measure.max_processes = 3;
	if ((e = cli_results(results, sizeof(results), ctx)) ||
		(e = cli_database(database, sizeof(database), ctx)) ||
		(e = genome_parse(&g, network, ctx)))
		return e;
	o.progress = cli_progress();
	e = single_measure(&g, &o, &r, ctx);
	progress_free(o.progress);
	if (e)
		return e;
	h->verdict = r.job.verdict;
	snprintf(h->detail, sizeof(h->detail), "%s", r.job.detail);
	h->latency_us = r.job.m.latency_ns / 1e3;
	h->golden_error = r.job.golden_error;
	single_result_release(&r);
	return ERR_OK;
}
