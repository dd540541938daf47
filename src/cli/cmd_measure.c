#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "search/space/space.h"
#include "devices/device.h"
#include "src/cli/cli.h"
#include "src/codegen/kernel_sets.h"
#include "src/eval/single.h"
#include "src/infer/kernels.h"
#include "src/model/graph.h"
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

static const char *shape_text(const struct product *p, char *out, size_t cap)
{
	snprintf(out, cap, "%s %ux%ux%u", product_kernel(p), (unsigned)p->n,
		(unsigned)p->in, (unsigned)p->out);
	return out;
}

/* One line a shape: the time of each schedule, the winner and what it saves. */
static void print_tuning(const struct single_result *r)
{
	char shape[64];

	printf("tuning      %zu products, %zu timed now; us a call%s\n", r->n_tuned,
		r->n_timed, r->n_tuned ? "" : ": no schedules compete here");
	if (!r->n_tuned)
		return;
	printf("  %-28s", "kernel, rows x in x out");
	for (int i = 0; i < N_SCHEDULES; i++)
		printf(" %9s", kernel_schedule_names[i]);
	printf("  winner  gain\n");
	for (size_t i = 0; i < r->n_tuned; i++) {
		const struct store_wisdom *w = &r->tuned[i];

		printf("  %-28s", shape_text(&w->shape, shape, sizeof(shape)));
		for (int k = 0; k < N_SCHEDULES; k++)
			if (k < w->n_schedules)
				printf(" %9.2f", w->ns[k] / 1e3);
			else
				printf(" %9s", "-");
		printf("  %-6s", kernel_schedule_names[w->schedule]);
		if (w->schedule)
			printf("  %.1f %% [%.1f, %.1f]", 100 * (1 - w->ratio),
				100 * (1 - w->ratio_ci.hi), 100 * (1 - w->ratio_ci.lo));
		printf("\n");
	}
}

static json_t *tuning_json(const struct single_result *r)
{
	json_t *j = json_object(), *list = json_array();

	for (size_t i = 0; i < r->n_tuned; i++) {
		const struct store_wisdom *w = &r->tuned[i];
		json_t *row = json_object(), *us = json_object();

		for (int k = 0; k < w->n_schedules; k++)
			json_object_set_new(
				us, kernel_schedule_names[k], json_real(w->ns[k] / 1e3));
		json_object_set_new(
			row, "kernel", json_string(product_kernel(&w->shape)));
		json_object_set_new(row, "n", json_integer(w->shape.n));
		json_object_set_new(row, "in", json_integer(w->shape.in));
		json_object_set_new(row, "out", json_integer(w->shape.out));
		json_object_set_new(row, "us", us);
		json_object_set_new(
			row, "winner", json_string(kernel_schedule_names[w->schedule]));
		json_object_set_new(row, "ratio", json_real(w->ratio));
		json_object_set_new(row, "ratio_lo", json_real(w->ratio_ci.lo));
		json_object_set_new(row, "ratio_hi", json_real(w->ratio_ci.hi));
		json_object_set_new(row, "processes", json_integer(w->n_processes));
		json_array_append_new(list, row);
	}
	json_object_set_new(j, "timed_now", json_integer((json_int_t)r->n_timed));
	json_object_set_new(j, "products", list);
	return j;
}

static void print_energy(
	const struct measure_job *job, const struct measurement *m, double power_w)
{
	if (!isnan(m->energy_uj)) {
		printf("energy      %.4g uJ", m->energy_uj);
		if (!isnan(m->energy_ci.lo))
			printf("  [%.4g, %.4g]", m->energy_ci.lo, m->energy_ci.hi);
		printf("  (%s", m->energy_source);
		if (!isnan(m->window_ns))
			printf(", windows of %.1f s", m->window_ns * 1e-9);
		printf(")\n");
		if (!isnan(m->idle_uw))
			printf("idle power  %.4g mW, taken off\n", m->idle_uw * 1e-3);
		if (job->n_void)
			printf("void        %u windows, the last one: %s\n",
				(unsigned)job->n_void, job->energy_note);
	} else if (job->n_void) {
		printf("energy      not measured: the meter's window is void: %s\n",
			job->energy_note);
	} else if (m->instructions > 0) {
		;
	} else if (power_w > 0) {
		printf("energy      %.3g uJ (modelled: %.3g W x latency, not measured)\n",
			power_w * m->latency_ns / 1e3, power_w);
	} else {
		printf("energy      not measured: the device has no sensor\n");
	}
}

static void print_text(const struct genome *g, const struct single_options *o,
	const struct single_result *r, double power_w)
{
	const struct measurement *m = &r->job.m;
	struct graph_cost c;
	char text[GENOME_TEXT_MAX], hex[HASH_HEX + 1];

	graph_cost(g, &o->task, r->tokens, &c);
	genome_format(g, text);
	hash_to_hex(&r->job.candidate, hex);
	printf("candidate   %.12s  %s\n", hex, text);
	printf("device      %s%s\n", r->name, r->simulated ? " (simulated)" : "");
	printf("work        %.4g multiply-adds for %u tokens, %.4g parameters\n", c.macs,
		(unsigned)r->tokens, c.n_params);
	printf("sizes       flash %llu (weights %llu, code %llu), arena %llu, "
	       "state %llu bytes\n",
		(unsigned long long)r->artefact.flash_bytes,
		(unsigned long long)r->artefact.weight_bytes,
		(unsigned long long)r->artefact.text_bytes,
		(unsigned long long)r->artefact.arena_bytes,
		(unsigned long long)r->artefact.state_bytes);
	if (r->artefact.placed_bytes)
		printf("placed      %llu bytes of weights and vocabulary in the board's flash, "
		       "the rest in RAM\n",
			(unsigned long long)r->artefact.placed_bytes);
	if (o->tune)
		print_tuning(r);
	else if (r->n_tuned)
		printf("tuning      %zu products as tuned before on this device\n",
			r->n_tuned);
	if (r->job.verdict != VERDICT_OK) {
		printf("verdict     %s: %s\n", verdict_names[r->job.verdict],
			r->job.detail);
		return;
	}
	if (r->simulated)
		printf("golden      not checked: a simulated device runs nothing\n");
	else
		printf("golden      outputs agree with the host's reference "
		       "(largest difference %.2g)\n",
			r->job.golden_error);
	if (m->stack_bytes)
		printf("stack       %u bytes at most, of harness and model\n",
			(unsigned)m->stack_bytes);
	if (m->instructions > 0) {
		printf("instructions %.0f  for one inference, counted by the emulator%s; "
		       "its time is not measured\n",
			m->instructions, m->resolved ? "" : " (not the same every time)");
		print_energy(&r->job, m, 0);
		return;
	}
	printf("latency     %.2f us  [%.2f, %.2f]  processor time, %u processes%s\n",
		m->latency_ns / 1e3, m->latency_ci.lo / 1e3, m->latency_ci.hi / 1e3,
		(unsigned)m->n_runs,
		m->resolved ? "" : "  (unresolved: interval too wide)");
	if (m->n_throttled)
		printf("throttled   in %u of the processes: a CPU quota, heat or a weak "
		       "supply slows the device\n",
			(unsigned)m->n_throttled);
	printf("wall time   p50 %.2f  p90 %.2f  p99 %.2f us\n", m->wall_p50_ns / 1e3,
		m->wall_p90_ns / 1e3, m->wall_p99_ns / 1e3);
	if (!isnan(m->step_ns))
		printf("next token  %.2f us  [%.2f, %.2f]  after %u, %.4g tokens a "
		       "second\n",
			m->step_ns / 1e3, m->step_ci.lo / 1e3, m->step_ci.hi / 1e3,
			(unsigned)m->n_cached, 1e9 / m->step_ns);
	if (m->peak_rss_bytes)
		printf("peak RSS    %llu bytes\n", (unsigned long long)m->peak_rss_bytes);
	print_energy(&r->job, m, power_w);
}

static void energy_json(json_t *j, const struct single_result *r)
{
	const struct measure_job *job = &r->job;
	const struct measurement *m = &job->m;

	json_object_set_new(j, "energy_uj",
		isnan(m->energy_uj) ? json_null() : json_real(m->energy_uj));
	if (!isnan(m->energy_uj)) {
		json_object_set_new(j, "energy_source", json_string(m->energy_source));
		json_object_set_new(j, "energy_provenance",
			json_string(
				provenance_names[r->simulated	       ? PROV_SIMULATED
						 : m->instructions > 0 ? PROV_EMULATED
								       : PROV_MEASURED]));
	}
	if (!isnan(m->idle_uw))
		json_object_set_new(j, "idle_uw", json_real(m->idle_uw));
	if (!isnan(m->window_ns))
		json_object_set_new(j, "energy_window_s", json_real(m->window_ns * 1e-9));
	if (job->n_void) {
		json_object_set_new(j, "void_windows", json_integer(job->n_void));
		json_object_set_new(j, "energy_note", json_string(job->energy_note));
	}
}

static enum err print_json(const struct genome *g, const struct single_options *o,
	const struct single_result *r, double power_w, struct err_ctx *ctx)
{
	const struct measurement *m = &r->job.m;
	char text[GENOME_TEXT_MAX], hex[HASH_HEX + 1], build[HASH_HEX + 1];
	json_t *j = json_object();
	char *out;

	genome_format(g, text);
	hash_to_hex(&r->job.candidate, hex);
	hash_to_hex(&r->artefact.build, build);
	json_object_set_new(j, "candidate", json_string(hex));
	json_object_set_new(j, "genome", json_string(text));
	json_object_set_new(j, "build", json_string(build));
	json_object_set_new(j, "device", json_string(r->name));
	json_object_set_new(j, "tokens", json_integer(r->tokens));
	json_object_set_new(j, "verdict", json_string(verdict_names[r->job.verdict]));
	json_object_set_new(
		j, "flash_bytes", json_integer((json_int_t)r->artefact.flash_bytes));
	json_object_set_new(
		j, "arena_bytes", json_integer((json_int_t)r->artefact.arena_bytes));
	json_object_set_new(j, "placed_bytes",
		json_integer((json_int_t)r->artefact.placed_bytes));
	if (o->tune || r->n_tuned)
		json_object_set_new(j, "tuning", tuning_json(r));
	if (r->job.verdict == VERDICT_OK) {
		json_object_set_new(j, "provenance",
			json_string(
				provenance_names[r->simulated		     ? PROV_SIMULATED
						 : m->instructions > 0 ? PROV_EMULATED
									     : PROV_MEASURED]));
	}
	if (r->job.verdict == VERDICT_OK && m->stack_bytes)
		json_object_set_new(j, "stack_bytes", json_integer(m->stack_bytes));
	if (r->job.verdict == VERDICT_OK && m->instructions > 0) {
		json_object_set_new(j, "instructions", json_real(m->instructions));
		json_object_set_new(j, "resolved", json_boolean(m->resolved));
	} else if (r->job.verdict == VERDICT_OK) {
		json_object_set_new(j, "latency_us", json_real(m->latency_ns / 1e3));
		json_object_set_new(
			j, "latency_lo_us", json_real(m->latency_ci.lo / 1e3));
		json_object_set_new(
			j, "latency_hi_us", json_real(m->latency_ci.hi / 1e3));
		json_object_set_new(j, "resolved", json_boolean(m->resolved));
		json_object_set_new(j, "throttled", json_integer(m->n_throttled));
		json_object_set_new(j, "wall_p50_us", json_real(m->wall_p50_ns / 1e3));
		json_object_set_new(j, "wall_p99_us", json_real(m->wall_p99_ns / 1e3));
		if (!isnan(m->step_ns)) {
			json_object_set_new(j, "step_us", json_real(m->step_ns / 1e3));
			json_object_set_new(
				j, "step_lo_us", json_real(m->step_ci.lo / 1e3));
			json_object_set_new(
				j, "step_hi_us", json_real(m->step_ci.hi / 1e3));
			json_object_set_new(j, "cached", json_integer(m->n_cached));
		}
		json_object_set_new(
			j, "peak_rss_bytes", json_integer((json_int_t)m->peak_rss_bytes));
		json_object_set_new(j, "processes", json_integer(m->n_runs));
		if (power_w > 0)
			json_object_set_new(j, "modelled_energy_uj",
				json_real(power_w * m->latency_ns / 1e3));
	}
	if (r->job.verdict == VERDICT_OK)
		energy_json(j, r);
	out = json_dumps(
		j, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	json_decref(j);
	if (!out)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	puts(out);
	free(out);
	return ERR_OK;
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
		e = print_json(&g, &o, &r, power_w, ctx);
	else
		print_text(&g, &o, &r, power_w);
	if (!e && r.job.verdict != VERDICT_OK)
		e = err_set(ctx, ERR_INVALID, "the network failed on '%s': %s (%s)",
			device, verdict_names[r.job.verdict], r.job.detail);
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
