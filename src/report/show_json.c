#include <math.h>

#include "src/report/text.h"
#include "src/report/view.h"

static void json_number(struct buf *out, const char *name, double v)
{
	buf_printf(out, ", \"%s\": ", name);
	number_json(out, v);
}

static void json_ops(const struct view *v, struct buf *out)
{
	buf_puts(out, "  \"costs\": ");
	if (!v->graph) {
		buf_puts(out, "null,\n  \"ops\": [],\n");
		return;
	}
	buf_printf(out, "{\"tokens\": %u", v->n_tokens);
	json_number(out, "macs", v->cost.macs);
	json_number(out, "params", v->cost.n_params);
	json_number(out, "model_bytes", v->cost.model_bytes);
	buf_puts(out, "},\n  \"ops\": [");
	for (size_t i = 0; i < v->graph->n_ops; i++) {
		const struct op *op = &v->graph->op[i];

		buf_printf(out,
			"%s\n    {\"op\": \"%s\", \"layer\": %d, \"in\": %u, \"out\": "
			"%u, "
			"\"bits\": %u",
			i ? "," : "", op_names[op->kind], op->layer, op->in, op->out,
			op->bits);
		json_number(out, "macs", view_op_macs(v, op));
		buf_putc(out, '}');
	}
	buf_puts(out, "\n  ],\n");
}

static void json_accuracy(const struct view *v, struct buf *out)
{
	const struct facts *f = &v->f;
	const char *sep = "";

	buf_puts(out, "  \"quality\": [");
	for (uint32_t i = f->accuracy_of.first[v->c]; i != NO_FACT;
		i = f->accuracy_of.next[i]) {
		const struct store_accuracy *a = &f->accuracy[i];

		if (f->has_data && !hash_equal(&a->data, &f->data))
			continue;
		buf_printf(out, "%s\n    {\"split\": ", sep);
		text_json(out, a->split);
		buf_puts(out, ", \"metric\": ");
		text_json(out, a->metric);
		buf_puts(out, ", \"method\": ");
		text_json(out, a->method);
		json_number(out, "value", a->value);
		json_number(out, "lo", a->ci.lo);
		json_number(out, "hi", a->ci.hi);
		buf_printf(out, ", \"n\": %lld, \"seed\": %llu, \"device\": ",
			(long long)a->n, (unsigned long long)a->seed);
		if (a->device_name[0])
			text_json(out, a->device_name);
		else
			buf_puts(out, "null");
		buf_putc(out, '}');
		sep = ",";
	}
	buf_puts(out, "],\n");
}

static void json_measurements(const struct view *v, struct buf *out)
{
	const struct facts *f = &v->f;
	const char *sep = "";

	buf_puts(out, "  \"measurements\": [");
	for (uint32_t i = f->measurements_of.first[v->c]; i != NO_FACT;
		i = f->measurements_of.next[i]) {
		const struct store_measurement *m = &f->measurements[i];

		buf_printf(out, "%s\n    {\"device\": ", sep);
		text_json(out, m->device_name);
		buf_puts(out, ", \"fingerprint\": ");
		hash_json(out, &m->m.device);
		buf_puts(out, ", \"build\": ");
		hash_json(out, &m->m.build);
		buf_printf(out, ", \"look\": %u, \"resolved\": %s, \"simulated\": %s",
			m->m.look, m->m.resolved ? "true" : "false",
			m->simulated ? "true" : "false");
		json_number(out, "latency_ns", m->m.latency_ns);
		json_number(out, "lo", m->m.latency_ci.lo);
		json_number(out, "hi", m->m.latency_ci.hi);
		json_number(out, "wall_p50_ns", m->m.wall_p50_ns);
		json_number(out, "wall_p90_ns", m->m.wall_p90_ns);
		json_number(out, "wall_p99_ns", m->m.wall_p99_ns);
		json_number(out, "step_ns", m->m.step_ns);
		json_number(out, "n_cached", m->m.n_cached);
		json_number(out, "peak_rss_bytes", (double)m->m.peak_rss_bytes);
		json_number(out, "n_throttled", m->m.n_throttled);
		json_number(out, "energy_uj", m->m.energy_uj);
		json_number(out, "idle_uw", m->m.idle_uw);
		json_number(out, "window_ns", m->m.window_ns);
		json_number(out, "instructions",
			m->m.instructions > 0 ? m->m.instructions : NAN);
		json_number(out, "step_instructions",
			m->m.step_instructions > 0 ? m->m.step_instructions : NAN);
		json_number(out, "stack_bytes",
			m->m.stack_bytes ? (double)m->m.stack_bytes : NAN);
		if (m->m.stack_bytes)
			buf_printf(out, ", \"stack_provenance\": \"%s\"",
				provenance_names[m->m.instructions > 0 ? PROV_EMULATED
								       : PROV_MEASURED]);
		buf_putc(out, '}');
		sep = ",";
	}
	buf_puts(out, "],\n");
}

static void json_builds(const struct view *v, struct buf *out)
{
	const struct facts *f = &v->f;
	const char *sep = "";

	buf_puts(out, "  \"builds\": [");
	for (uint32_t i = f->builds_of.first[v->c]; i != NO_FACT;
		i = f->builds_of.next[i]) {
		const struct store_build *b = &f->builds[i];

		buf_printf(out, "%s\n    {\"build\": ", sep);
		hash_json(out, &b->build);
		buf_puts(out, ", \"target\": ");
		text_json(out, b->target);
		buf_puts(out, ", \"compiler\": ");
		text_json(out, b->compiler);
		json_number(out, "flash_bytes", (double)b->flash_bytes);
		json_number(out, "weight_bytes", (double)b->weight_bytes);
		json_number(out, "arena_bytes", (double)b->arena_bytes);
		json_number(out, "state_bytes", (double)b->state_bytes);
		json_number(out, "data_bytes", (double)b->data_bytes);
		json_number(out, "bss_bytes", (double)b->bss_bytes);
		json_number(out, "stack_reserved_bytes",
			b->stack_bytes ? (double)b->stack_bytes : NAN);
		buf_putc(out, '}');
		sep = ",";
	}
	buf_puts(out, "],\n");
}

enum err show_json(struct store *s, const char *job, const struct hash *candidate,
	struct buf *out, struct err_ctx *ctx)
{
	struct view v;
	const char *sep = "";
	enum err e = view_load(s, job, candidate, &v, ctx);

	if (e)
		return e;
	buf_puts(out, "{\n  \"candidate\": ");
	hash_json(out, &v.candidate->hash);
	buf_puts(out, ",\n  \"text\": ");
	text_json(out, v.candidate->text);
	buf_puts(out, ",\n  \"job\": ");
	text_json(out, v.f.job.name);
	buf_puts(out, ",\n  \"origin\": ");
	text_json(out, v.candidate->origin);
	buf_printf(out, ",\n  \"generation\": %d,\n  \"finalist\": %s,\n",
		v.candidate->generation, v.candidate->finalist ? "true" : "false");
	json_ops(&v, out);
	json_accuracy(&v, out);
	json_measurements(&v, out);
	json_builds(&v, out);
	buf_puts(out, "  \"failures\": [");
	for (size_t i = 0; i < v.n_failures; i++) {
		if (!view_is_mine(&v, &v.failures[i]))
			continue;
		buf_printf(out, "%s\n    {\"verdict\": \"%s\", \"detail\": ", sep,
			verdict_names[v.failures[i].verdict]);
		text_json(out, v.failures[i].detail);
		buf_putc(out, '}');
		sep = ",";
	}
	buf_puts(out, "]\n}\n");
	view_release(&v);
	return buf_err(out, ctx);
}
