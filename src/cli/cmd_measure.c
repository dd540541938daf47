#include <stdio.h>
#include <string.h>

#include "search/space/space.h"
#include "devices/device.h"
#include "src/cli/cli.h"
#include "src/cli/measure_print.h"
#include "src/store/store.h"

/* "classify:4", "intent-slots:7:72", "lm" */
static enum err parse_task(const char *text, const struct genome *g,
	struct task_shape *out, struct err_ctx *ctx)
{
	char kind[32] = "";
	int intents = 4, tags = 9, n;

	if (!text) {
		out->kind = g->arch == ARCH_DECODER ? TASK_LM : TASK_CLASSIFY;
		out->n_intents = out->kind == TASK_LM ? 0 : 4;
		out->n_tags = 0;
		return ERR_OK;
	}
	n = sscanf(text, "%31[a-z-]:%d:%d", kind, &intents, &tags);
	out->kind = N_TASK_KINDS;
	for (int k = 0; n >= 1 && k < N_TASK_KINDS; k++)
		if (!strcmp(kind, task_kind_names[k]))
			out->kind = (enum task_kind)k;
	if (out->kind == N_TASK_KINDS || intents < 2 || intents > 4096 || tags < 1 ||
		tags > 4096)
		return err_set(ctx, ERR_USAGE,
			"task '%.60s' is not of the form classify:INTENTS, "
			"intent-slots:INTENTS:TAGS or lm (2 to 4096 intents, 1 to 4096 "
			"tags)",
			text);
	if ((out->kind == TASK_LM) != (g->arch == ARCH_DECODER))
		return err_set(ctx, ERR_USAGE, "task '%s' does not go with arch '%s'",
			kind, arch_names[g->arch]);
	out->n_intents = out->kind == TASK_LM ? 0 : intents;
	out->n_tags = out->kind == TASK_INTENT_SLOTS ? tags : 0;
	return ERR_OK;
}

static enum err find_genome(const char *preset, const char *text, const char *candidate,
	struct genome *g, struct err_ctx *ctx)
{
	struct store *store;
	struct hash hash;
	enum err e;

	if (!!preset + !!text + !!candidate != 1)
		return err_set(ctx, ERR_USAGE,
			"name one network: --preset NAME, --genome TEXT or a candidate's "
			"hash");
	if (preset)
		return preset_find(preset, g, ctx);
	if (text)
		return genome_parse(g, text, ctx);
	if ((e = cli_open_store(&store, ctx)))
		return e;
	e = store_get_candidate(store, candidate, g, &hash, ctx);
	store_close(store);
	return e;
}

static enum err measure_options(const char *tokens, const char *phase,
	const char *precision, const char *processes, struct measure_options *m,
	struct err_ctx *ctx)
{
	long n;
	enum err e;

	if (tokens) {
		if ((e = cli_int(tokens, "--tokens", 1, 8192, &n, ctx)))
			return e;
		m->n_tokens = (uint32_t)n;
	}
	if (phase && strcmp(phase, "prefill") && strcmp(phase, "decode"))
		return err_set(
			ctx, ERR_USAGE, "unknown phase '%.40s' (prefill, decode)", phase);
	m->phase = phase && !strcmp(phase, "decode");
	if (precision &&
		(e = cli_double(precision, "--precision", 1e-4, 1, &m->precision, ctx)))
		return e;
	if (processes) {
		if ((e = cli_int(processes, "--processes", 2, 1000, &n, ctx)))
			return e;
		m->max_processes = (uint32_t)n;
		if (m->min_processes > m->max_processes)
			m->min_processes = m->max_processes;
	}
	return ERR_OK;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	const char *preset = NULL, *text = NULL, *device = "local", *task = NULL,
		   *tokens = NULL;
	const char *phase = NULL, *precision = NULL, *processes = NULL, *power = NULL;
	const char *json = NULL, *threads = NULL, *tune = NULL;
	const struct cli_option options[] = {
		{"preset", "NAME", "a known network (hawser space presets)", 0, &preset},
		{"genome", "TEXT", "a network by its text", 0, &text},
		{"device", "NAME", "device profile (default: local)", 0, &device},
		{"task", "TASK", "classify:N, intent-slots:N:TAGS or lm", 0, &task},
		{"tokens", "N", "input length (default: the network's, at most 128)", 0,
			&tokens},
		{"phase", "PHASE",
			"decoder: prefill (default; the next token too) or decode", 0,
			&phase},
		{"threads", "N", "of the model, where it gains (the profile's, or 1)", 0,
			&threads},
		{"precision", "SHARE", "interval half-width to reach (0.02)", 0,
			&precision},
		{"processes", "N", "at most this many processes", 0, &processes},
		{"power-w", "W", "also print a modelled energy: W times latency", 0,
			&power},
		{"tune", NULL,
			"first let the device time competing schedules, and keep the "
			"winners",
			0, &tune},
		{"json", NULL, "machine-readable output", 0, &json},
		{NULL, NULL, NULL, 0, NULL},
	};
	char results[1024], database[1100];
	struct single_options o = {.results = results, .database = database};
	struct single_result r;
	struct genome g;
	double power_w = 0;
	int n;
	enum err e;

	measure_options_default(&o.measure);
	if ((e = cli_parse(&cmd_measure, options, argc, argv, 0, 1, &n, ctx)) ||
		(e = cli_results(results, sizeof(results), ctx)) ||
		(e = cli_database(database, sizeof(database), ctx)) ||
		(e = find_genome(preset, text, n ? argv[1] : NULL, &g, ctx)) ||
		(e = parse_task(task, &g, &o.task, ctx)) ||
		(e = measure_options(
			 tokens, phase, precision, processes, &o.measure, ctx)))
		return e;
	if (o.measure.phase && g.arch != ARCH_DECODER)
		return err_set(ctx, ERR_USAGE,
			"--phase decode times single tokens of a decoder, and this network "
			"is an encoder: leave it out");
	if (power && (e = cli_double(power, "--power-w", 1e-6, 1e6, &power_w, ctx)))
		return e;
	if (threads) {
		long wanted;

		if ((e = cli_int(
			     threads, "--threads", 1, DEVICE_MAX_THREADS, &wanted, ctx)))
			return e;
		o.threads = (uint32_t)wanted;
	}
	o.device = device;
	o.tune = tune != NULL;
	o.progress = cli_progress();
	o.cancel = &cli_cancel;
	e = single_measure(&g, &o, &r, ctx);
	progress_free(o.progress);
	if (e)
		return e;
	if (json)
		e = measure_json(&g, &o, &r, power_w, ctx);
	else
		measure_text(&g, &o, &r, power_w);
	if (!e && r.job.verdict != VERDICT_OK)
		e = verdict_blames_candidate(r.job.verdict)
			    ? err_set(ctx, ERR_INVALID,
				      "the network failed on '%s': %s (%s)", device,
				      verdict_names[r.job.verdict], r.job.detail)
			    : err_set(ctx, ERR_DEVICE, "device '%s' failed: %s (%s)",
				      device, verdict_names[r.job.verdict],
				      r.job.detail);
	single_result_release(&r);
	return e;
}

const struct command cmd_measure = {
	"measure",
	"build one network, push it to a device and time it",
	"(--preset NAME | --genome TEXT | CANDIDATE) [options]",
	"Weights are random: latency does not depend on them. The outputs are checked against\n"
	"the host's reference before anything is timed.\n\n"
	"--tune: where kernels have several schedules for a product (how rows are cut into\n"
	"tiles, which loop is the outer one), all are timed on the device, once for a shape,\n"
	"and the build takes the fastest. Winners are kept for that device, kernels and\n"
	"compiler: later builds for it use them, a search too (tune: yes in its job lets it\n"
	"find its own).",
	"  hawser measure --preset tinybert-4\n"
	"  hawser measure --preset distilgpt-2 --phase decode --device local\n"
	"  hawser measure --preset tinybert-4 --tune\n"
	"  hawser measure 3f9a12 --precision 0.01 --json\n",
	run,
};
