#include "src/cli/measure_print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "src/codegen/kernel_sets.h"
#include "src/infer/kernels.h"
#include "src/model/graph.h"

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

/* What a board needs of RAM beside code and weights. */
static void print_ram(const struct artefact *a, const struct measurement *m)
{
	if (!m->stack_bytes)
		return;
	printf("stack       %u of %llu bytes reserved, measured%s, of harness and model\n",
		(unsigned)m->stack_bytes, (unsigned long long)a->stack_bytes,
		m->instructions > 0 ? " on the emulated board" : "");
	printf("RAM         %llu bytes: data %llu, arena and state %llu, stack %u\n",
		(unsigned long long)m->peak_rss_bytes, (unsigned long long)a->data_bytes,
		(unsigned long long)a->bss_bytes, (unsigned)m->stack_bytes);
	if (stack_is_tight(m->stack_bytes, a->stack_bytes))
		printf("warning     that stack is in the last 5 %% of what is reserved: "
		       "enlarge it in devices/boards/mcu (payload.ld and main.c)\n");
}

static void print_count(const struct single_options *o, const struct measurement *m)
{
	printf("instructions %.0f  for one %s, counted by the emulator%s; "
	       "its time is not measured\n",
		m->instructions, o->measure.phase ? "token" : "inference",
		m->resolved ? "" : " (not the same every time)");
	if (m->step_instructions > 0)
		printf("next token  %.0f instructions after %u\n", m->step_instructions,
			(unsigned)m->n_cached);
}

static void print_energy(const struct measure_job *job, int phase, double power_w)
{
	const struct measurement *m = &job->m;

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
	} else if (m->energy_source[0]) {
		printf("energy      not measured by %s%s\n", m->energy_source,
			phase ? ": its window is one of whole inputs" : "");
	} else if (m->instructions > 0) {
		;
	} else if (power_w > 0) {
		printf("energy      %.3g uJ (modelled: %.3g W x latency, not measured)\n",
			power_w * m->latency_ns / 1e3, power_w);
	} else {
		printf("energy      not measured: the device has no sensor\n");
	}
}

void measure_text(const struct genome *g, const struct single_options *o,
	const struct single_result *r, double power_w)
{
	const struct measurement *m = &r->job.m;
	int phase = o->measure.phase != 0;
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
	print_ram(&r->artefact, m);
	if (m->instructions > 0) {
		print_count(o, m);
		print_energy(&r->job, phase, 0);
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
	if (m->peak_rss_bytes && !m->stack_bytes)
		printf("peak RSS    %llu bytes\n", (unsigned long long)m->peak_rss_bytes);
	print_energy(&r->job, phase, power_w);
}

static void ram_json(json_t *j, const struct artefact *a, const struct measurement *m)
{
	json_object_set_new(
		j, "peak_rss_bytes", json_integer((json_int_t)m->peak_rss_bytes));
	if (!m->stack_bytes)
		return;
	json_object_set_new(j, "data_bytes", json_integer((json_int_t)a->data_bytes));
	json_object_set_new(j, "bss_bytes", json_integer((json_int_t)a->bss_bytes));
	json_object_set_new(j, "stack_bytes", json_integer(m->stack_bytes));
	json_object_set_new(
		j, "stack_reserved_bytes", json_integer((json_int_t)a->stack_bytes));
	json_object_set_new(j, "stack_is_tight",
		json_boolean(stack_is_tight(m->stack_bytes, a->stack_bytes)));
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

enum err measure_json(const struct genome *g, const struct single_options *o,
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
	json_object_set_new(
		j, "placed_bytes", json_integer((json_int_t)r->artefact.placed_bytes));
	if (o->tune || r->n_tuned)
		json_object_set_new(j, "tuning", tuning_json(r));
	if (r->job.verdict == VERDICT_OK) {
		json_object_set_new(j, "provenance",
			json_string(
				provenance_names[r->simulated	       ? PROV_SIMULATED
						 : m->instructions > 0 ? PROV_EMULATED
								       : PROV_MEASURED]));
	}
	if (r->job.verdict == VERDICT_OK)
		ram_json(j, &r->artefact, m);
	if (r->job.verdict == VERDICT_OK && m->instructions > 0) {
		json_object_set_new(j, "instructions", json_real(m->instructions));
		if (m->step_instructions > 0) {
			json_object_set_new(
				j, "step_instructions", json_real(m->step_instructions));
			json_object_set_new(j, "cached", json_integer(m->n_cached));
		}
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
