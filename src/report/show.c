#include <math.h>

#include "src/report/text.h"
#include "src/report/view.h"

static void print_genome(const struct view *v, struct buf *out)
{
	const struct genome *g = &v->g;
	char hex[HASH_HEX + 1];

	hash_to_hex(&v->candidate->hash, hex);
	buf_printf(out, "candidate  %s\ntext       %s\njob        ", hex,
		v->candidate->text);
	text_plain(out, v->f.job.name);
	buf_printf(out, " (origin %s, generation %d%s)\n", v->candidate->origin,
		v->candidate->generation, v->candidate->finalist ? ", finalist" : "");
	buf_printf(out,
		"network    %s, %u layer%s, d_model %u, d_embed %u (%u bit), vocabulary "
		"%u, at most %u tokens\n"
		"           %s, %s norm (%s), pooling %s, conv %u, relative positions "
		"%u, kernels %s%s%s, -%s\n",
		g->arch == ARCH_ENCODER ? "encoder" : "decoder", g->n_layers,
		g->n_layers == 1 ? "" : "s", g->d_model, g->d_embed, g->embed_bits,
		g->vocab_size, g->seq_len, act_names[g->act], norm_names[g->norm],
		norm_place_names[g->norm_place], pool_names[g->pool], g->conv,
		g->rel_radius, kernel_names[g->kernels],
		g->attn_int8 ? ", int8 attention" : "",
		g->act_scales == SCALES_INTEGER	 ? ", integers only"
		: g->act_scales == SCALES_STATIC ? ", static activation scales"
						 : "",
		opt_level_names[g->opt]);
	for (int l = 0; l < g->n_layers; l++) {
		const struct layer_genes *y = &g->layer[l];

		buf_printf(out, "  layer %-2d %u heads (%u kv) x %u, ffn %u", l,
			y->n_heads, y->n_kv_heads, y->d_head, y->d_ff);
		if (y->ffn_rank)
			buf_printf(out, " rank %u", y->ffn_rank);
		buf_printf(out, ", %u bit%s\n", y->bits, y->shared ? ", shared" : "");
	}
}

static void print_ops(const struct view *v, struct buf *out)
{
	if (!v->graph) {
		buf_puts(out,
			"\ncosts      unknown: the job does not say its task's shape\n");
		return;
	}
	buf_printf(out,
		"\ncosts at %u tokens (analytic): %.0f MACs, %.0f parameters, %.0f bytes "
		"of "
		"weights\n  op          layer     in    out  bits       MACs  share\n",
		v->n_tokens, v->cost.macs, v->cost.n_params, v->cost.model_bytes);
	for (size_t i = 0; i < v->graph->n_ops; i++) {
		const struct op *op = &v->graph->op[i];
		double macs = view_op_macs(v, op);

		if (macs <= 0)
			continue;
		buf_printf(out, "  %-11s %5d  %5u  %5u  %4u %10.0f  %4.1f%%\n",
			op->kind == OP_LINEAR ? tensor_names[op->weight]
					      : op_names[op->kind],
			op->layer, op->in, op->out,
			op->kind == OP_ATTENTION ? 32u : op->bits, macs,
			100 * macs / v->cost.macs);
	}
}

static void print_accuracy(const struct view *v, struct buf *out)
{
	const struct facts *f = &v->f;
	int n = 0;

	for (uint32_t i = f->accuracy_of.first[v->c]; i != NO_FACT;
		i = f->accuracy_of.next[i]) {
		const struct store_accuracy *a = &f->accuracy[i];

		if (f->has_data && !hash_equal(&a->data, &f->data))
			continue;
		if (!n++)
			buf_puts(out, "\nquality\n");
		buf_printf(out, "  %-6s %-14s %-10s %9.4f", a->split, a->metric,
			a->method, a->value);
		if (!isnan(a->ci.lo))
			buf_printf(out, "  [%.4f, %.4f]", a->ci.lo, a->ci.hi);
		buf_printf(out, "  n %lld, seed %llu", (long long)a->n,
			(unsigned long long)a->seed);
		if (a->device_name[0]) {
			buf_puts(out, ", on ");
			text_plain(out, a->device_name);
		}
		buf_putc(out, '\n');
	}
}

static void print_builds(const struct view *v, struct buf *out)
{
	const struct facts *f = &v->f;
	char hex[HASH_HEX + 1];
	int n = 0;

	for (uint32_t i = f->builds_of.first[v->c]; i != NO_FACT;
		i = f->builds_of.next[i]) {
		const struct store_build *b = &f->builds[i];

		if (!n++)
			buf_puts(out,
				"\nbuilds (bytes: flash = text + weights + vocabulary + "
				"data)\n");
		buf_printf(out, "  %s  ", hash_short(&b->build, HASH_SHORT, hex));
		text_plain(out, b->target);
		buf_printf(out,
			": flash %llu = %llu + %llu + %llu + %llu, arena %llu, state "
			"%llu, bss "
			"%llu",
			(unsigned long long)b->flash_bytes,
			(unsigned long long)b->text_bytes,
			(unsigned long long)b->weight_bytes,
			(unsigned long long)b->vocab_bytes,
			(unsigned long long)b->data_bytes,
			(unsigned long long)b->arena_bytes,
			(unsigned long long)b->state_bytes,
			(unsigned long long)b->bss_bytes);
		if (b->stack_bytes)
			buf_printf(out, ", stack reserved %llu",
				(unsigned long long)b->stack_bytes);
		buf_puts(out, "\n                ");
		text_plain(out, b->compiler);
		buf_putc(out, '\n');
	}
}

static void print_times(const struct measurement *m, struct buf *out)
{
	buf_printf(out, "%.2f [%.2f, %.2f], %.2f / %.2f / %.2f", m->latency_ns / 1e3,
		m->latency_ci.lo / 1e3, m->latency_ci.hi / 1e3, m->wall_p50_ns / 1e3,
		m->wall_p90_ns / 1e3, m->wall_p99_ns / 1e3);
	if (!m->stack_bytes)
		buf_printf(
			out, ", RSS %llu bytes", (unsigned long long)m->peak_rss_bytes);
}

/* What a board needs of RAM beside code and weights. */
static void print_ram(const struct measurement *m, struct buf *out)
{
	const char *emulated = m->instructions > 0 ? " on the emulated board" : "";

	if (m->stack_bytes && m->peak_rss_bytes >= m->stack_bytes)
		buf_printf(out,
			"    RAM %llu bytes: data, arena and state %llu, stack %u "
			"(measured%s)\n",
			(unsigned long long)m->peak_rss_bytes,
			(unsigned long long)(m->peak_rss_bytes - m->stack_bytes),
			m->stack_bytes, emulated);
}

static void print_step(const struct measurement *m, struct buf *out)
{
	if (!isnan(m->step_ns))
		buf_printf(out, "    next token %.2f [%.2f, %.2f] after %u\n",
			m->step_ns / 1e3, m->step_ci.lo / 1e3, m->step_ci.hi / 1e3,
			m->n_cached);
	if (m->step_instructions > 0)
		buf_printf(out, "    next token %.0f instructions after %u, emulated\n",
			m->step_instructions, m->n_cached);
}

static void print_measurements(const struct view *v, struct buf *out)
{
	const struct facts *f = &v->f;
	char hex[HASH_HEX + 1];
	int n = 0;

	for (uint32_t i = f->measurements_of.first[v->c]; i != NO_FACT;
		i = f->measurements_of.next[i]) {
		const struct store_measurement *m = &f->measurements[i];

		if (!n++)
			buf_puts(out,
				"\nmeasurements, last first (us: CPU time [95 %], wall "
				"p50 / p90 / p99)\n");
		buf_puts(out, "  ");
		text_plain(out, m->device_name);
		buf_printf(out,
			", build %s, look %u: ", hash_short(&m->m.build, HASH_SHORT, hex),
			m->m.look);
		if (!(m->m.instructions > 0))
			print_times(&m->m, out);
		else
			buf_printf(out, "%.0f instructions, emulated", m->m.instructions);
		buf_printf(out, "%s%s\n", m->m.resolved ? "" : ", unresolved",
			m->simulated ? ", simulated" : "");
		if (m->m.n_throttled)
			buf_printf(out,
				"    the device was throttled in %u of its processes\n",
				m->m.n_throttled);
		print_step(&m->m, out);
		print_ram(&m->m, out);
		if (!isnan(m->m.energy_uj)) {
			buf_printf(out, "    energy %.3f uJ (", m->m.energy_uj);
			text_plain(out, m->m.energy_source);
			if (!isnan(m->m.window_ns))
				buf_printf(out, ", windows of %.1f s",
					m->m.window_ns * 1e-9);
			if (!isnan(m->m.idle_uw))
				buf_printf(out, ", idle %.4g mW taken off",
					m->m.idle_uw * 1e-3);
			buf_puts(out, ")\n");
		}
	}
}

static void print_failures(const struct view *v, struct buf *out)
{
	int n = 0;

	for (size_t i = 0; i < v->n_failures; i++) {
		const struct store_failure *x = &v->failures[i];

		if (!view_is_mine(v, x))
			continue;
		if (!n++)
			buf_puts(out, "\nfailures\n");
		buf_printf(out, "  %s: ", verdict_names[x->verdict]);
		text_plain(out, x->detail);
		buf_putc(out, '\n');
	}
}

enum err show_text(struct store *s, const char *job, const struct hash *candidate,
	struct buf *out, struct err_ctx *ctx)
{
	struct view v;
	enum err e = view_load(s, job, candidate, &v, ctx);

	if (e)
		return e;
	print_genome(&v, out);
	print_accuracy(&v, out);
	print_measurements(&v, out);
	print_builds(&v, out);
	print_failures(&v, out);
	print_ops(&v, out);
	view_release(&v);
	return buf_err(out, ctx);
}
