#include "src/codegen/program.h"

#include <stdlib.h>
#include <string.h>

#include "src/codegen/integer.h"
#include "src/infer/team.h"
#include "src/model/graph.h"

/* Multiply-adds of int8 that are worth several threads: about 70 microseconds of one, by
 * which even a thread that has to be woken is outweighed. */
#define SPLIT_WORK 20e6
#define SPLIT_MIN_ROWS 8 /* of a thread: a tile */

uint32_t program_rows(const struct program *p, const struct tensor *t)
{
	size_t i = (size_t)(t - p->layout.t);
	uint32_t rows = t->rows;

	if (p->is_part[i])
		return 0;
	while (p->next_part[i]) {
		i = p->next_part[i] - 1u;
		rows += p->layout.t[i].rows;
	}
	return rows;
}

/* A set with panels has every matrix of a product in panels; its look-ups and ways back
 * read them too. */
static void choose_panels(struct program *p)
{
	for (size_t i = 0; p->set->panels && i < p->n_steps; i++)
		if (p->step[i].kind == STEP_LINEAR)
			p->in_panels[p->step[i].weight - p->layout.t] = 1;
}

int step_is_alone(const struct program *p, const struct step *s)
{
	/* A distance between tokens is told by where the queries begin only if causal. */
	return s->kind == STEP_CONV ||
	       (s->kind == STEP_ATTENTION &&
		       (p->genome->attn_int8 || (s->weight && !p->causal)));
}

int program_meets(const struct program *p, size_t i)
{
	const struct step *s = &p->step[i];

	if (!p->split_rows || i == 0 || i >= p->n_forward)
		return 0;
	return s->kind == STEP_ATTENTION || step_is_alone(p, s) ||
	       step_is_alone(p, s - 1);
}

/* Between two meetings a thread may be at any step, and what a block reads the next one
 * reads too: [*first, *last] around step i. */
static void span(const struct program *p, uint32_t i, uint32_t *first, uint32_t *last)
{
	*first = *last = i;
	while (p->step[i].block && p->step[*first - 1].block == p->step[i].block)
		--*first;
	while (p->step[i].block && p->step[*last + 1].block == p->step[i].block)
		++*last;
	if (!p->split_rows || i >= p->n_forward)
		return;
	while (*first > 0 && !program_meets(p, *first))
		--*first;
	while (*last + 1 < p->n_forward && !program_meets(p, *last + 1))
		++*last;
}

static void touch(struct program *p, int buffer, uint32_t step)
{
	struct buffer *b;
	uint32_t first, last;

	if (buffer == NO_BUFFER)
		return;
	span(p, step, &first, &last);
	b = &p->buffer[buffer];
	b->first = first < b->first ? first : b->first;
	b->last = b->is_output ? (uint32_t)p->n_steps : last;
}

/* In multiply-adds of int8: what fp32 and attention cost beside it. */
static double pass_work(const struct genome *g, const struct task_shape *task, uint32_t n)
{
	struct graph_cost c;
	double head = task->kind == TASK_LM ? (double)g->vocab_size * g->d_embed : 0;

	graph_cost(g, task, n, &c);
	return 3 * c.macs_bits[0] + c.macs_bits[1] + c.macs_bits[2] +
	       3 * c.macs_attention + c.macs_attention_i8 -
	       (g->embed_bits == 32 ? 3 : 1) * head;
}

static uint32_t least_split_rows(const struct program *p)
{
	uint32_t n = SPLIT_MIN_ROWS * p->threads;

	if (p->threads < 2)
		return 0;
	while (n <= p->chunk && pass_work(p->genome, &p->task, n) < SPLIT_WORK)
		n++;
	return n <= p->chunk ? n : 0;
}

static enum err place(struct program *p, struct err_ctx *ctx)
{
	struct plan_buffer *b = calloc(p->n_buffers, sizeof(*b));
	size_t n = 0;
	enum err e;

	if (!b)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->step[i];
		const int used[] = {s->src, s->dst, s->q, s->scale, s->add, s->k, s->v,
			s->row, s->k_scale, s->v_scale};

		for (size_t j = 0; j < sizeof(used) / sizeof(used[0]); j++)
			touch(p, used[j], i);
	}
	for (size_t i = 0; i < p->n_buffers; i++) {
		struct buffer *from = &p->buffer[i];

		if (from->place == PLACE_STATE) {
			from->offset = p->state_bytes;
			p->state_bytes += (from->bytes + 3) / 4 * 4;
			continue;
		}
		b[n++] = (struct plan_buffer){from->bytes, from->first, from->last, 0};
	}
	e = plan_place(b, n, &p->arena_bytes, ctx);
	n = 0;
	for (size_t i = 0; i < p->n_buffers && !e; i++)
		if (p->buffer[i].place == PLACE_ARENA)
			p->buffer[i].offset = b[n++].offset;
	free(b);
	return e;
}

enum err program_new(struct program **out, const struct genome *g,
	const struct task_shape *task, struct err_ctx *ctx)
{
	return program_new_for(out, g, task, kernel_set_at(0), ctx);
}

enum err program_new_for(struct program **out, const struct genome *g,
	const struct task_shape *task, const struct kernel_set *set, struct err_ctx *ctx)
{
	return program_new_threads(
		out, g, task, set, (struct program_threads){1, 0}, ctx);
}

enum err program_new_threads(struct program **out, const struct genome *g,
	const struct task_shape *task, const struct kernel_set *set,
	struct program_threads threads, struct err_ctx *ctx)
{
	struct program *p;
	enum err e = genome_check(g, ctx);

	if (e)
		return e;
	if ((task->kind != TASK_LM && (task->n_intents < 1 || task->n_intents > 65535)) ||
		(task->kind == TASK_INTENT_SLOTS &&
			(task->n_tags < 1 || task->n_tags > 65535)))
		return err_set(ctx, ERR_INVALID,
			"task '%s' with %d intents and %d tags, 1 to 65535 are allowed",
			task_kind_names[task->kind], task->n_intents, task->n_tags);
	if (threads.n < 1 || threads.n > TEAM_MAX)
		return err_set(ctx, ERR_INVALID, "%u threads, 1 to %d are allowed",
			(unsigned)threads.n, TEAM_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	p->genome = g;
	p->is_integer = g->act_scales == SCALES_INTEGER;
	p->threads = p->is_integer ? 1 : threads.n;
	p->task = *task;
	if (p->is_integer)
		set = kernel_set_integer();
	p->set = set;
	p->causal = g->arch == ARCH_DECODER;
	p->stateful = p->causal && task->kind == TASK_LM;
	p->chunk = p->stateful && g->seq_len > PROGRAM_CHUNK ? PROGRAM_CHUNK : g->seq_len;
	p->intent = p->tags = p->lm = NO_BUFFER;
	layout_init(&p->layout, g, task);
	p->split_rows = least_split_rows(p);
	if (threads.from_rows && p->threads > 1)
		p->split_rows = threads.from_rows;
	if (!p->split_rows)
		p->threads = 1;
	if (p->threads == 1 && !p->stateful)
		p->block_rows = set->block_rows < p->chunk ? set->block_rows : p->chunk;
	program_lower(p);
	choose_panels(p);
	e = place(p, ctx);
	if (e) {
		program_free(p);
		return e;
	}
	*out = p;
	return ERR_OK;
}

void program_free(struct program *p)
{
	free(p);
}

static const char *by_bits(const struct tensor *t, const char *const names[3])
{
	return names[t->bits == 32 ? 0 : t->bits == 8 ? 1 : 2];
}

static const char *attention_kernel(const struct genome *g)
{
	if (g->attn_int8)
		return "attention_dot8";
	return g->kv == 8 ? "attention_i8" : g->kv == 16 ? "attention_f16" : "attention";
}

const char *step_kernel(const struct program *p, const struct step *s)
{
	static const char *const linears[] = {"linear_f32", "linear_i8", "linear_i4"};
	static const char *const backs[] = {
		"linear_back_f32", "linear_back_i8", "linear_back_i4"};
	static const char *const embeds[] = {"embed_f32", "embed_i8", "embed_i4"};
	static const char *const acts[N_ACTS] = {"act_relu", "act_gelu", "act_silu"};
	static const char *const pools[N_POOLS] = {"pool_mean", "pool_max", "pool_first"};
	static const char *const norms[N_NORMS] = {"norm_ln", "norm_rms"};
	static const char *const quantising[2][N_NORMS] = {
		{"norm_ln_quant", "norm_rms_quant"},
		{"norm_ln_quant_static", "norm_rms_quant_static"}};

	if (p->is_integer)
		return integer_kernel(p, s);
	switch ((enum step_kind)s->kind) {
	case STEP_EMBED:
		return by_bits(s->weight, embeds);
	case STEP_POS:
		return "add";
	case STEP_QUANT:
		if (s->q_point)
			return "quant_rows_static";
		return s->act ? "act_quant_rows" : "quant_rows";
	case STEP_LINEAR:
		if (s->q != NO_BUFFER)
			return s->weight->bits == 8 ? "linear_i8_quant"
						    : "linear_i4_quant";
		return by_bits(s->weight, linears);
	case STEP_LINEAR_BACK:
		return by_bits(s->weight, backs);
	case STEP_NORM:
		return (s->q == NO_BUFFER ? norms
					  : quantising[s->q_point > 0])[p->genome->norm];
	case STEP_CONV:
		return "conv_depthwise";
	case STEP_KEEP:
		return p->genome->kv == 8 ? "quant_rows" : "kv_store_f16";
	case STEP_ATTENTION:
		return attention_kernel(p->genome);
	case STEP_ACT:
		return acts[p->genome->act];
	case STEP_POOL:
		return pools[p->genome->pool];
	case N_STEP_KINDS:
		break;
	}
	return NULL;
}

static size_t add_kernel(const char *out[PROGRAM_MAX_KERNELS], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(out[i], name))
			return n;
	out[n] = name;
	return n + 1;
}

void program_kernels(const struct program *p, const char *out[PROGRAM_MAX_KERNELS])
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		n = add_kernel(out, n, step_kernel(p, &p->step[i]));
	if (p->is_integer) {
		n = add_kernel(out, n, integer_act_name(p));
		n = add_kernel(out, n, "int_logits");
	}
	out[n] = NULL;
}
