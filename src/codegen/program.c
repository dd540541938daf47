#include "src/codegen/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/infer/kernels.h"
#include "src/infer/team.h"
#include "src/model/graph.h"

/* Multiply-adds of int8 that are worth several threads: about 70 microseconds of one, by
 * which even a thread that has to be woken is outweighed. */
#define SPLIT_WORK 20e6
#define SPLIT_MIN_ROWS 8 /* of a thread: a tile */

/* The residual stream is one buffer; steps name others by what they hold. */
struct lowering {
	struct program *p;
	int layer;
	int x; /* residual stream */
};

static int is_taken(const struct program *p, const char *name)
{
	for (size_t i = 0; i < p->n_buffers; i++)
		if (!strcmp(p->buffer[i].name, name))
			return 1;
	return 0;
}

/* "layer3_scales", or "layer3_scales2" when there is one already. */
static void name_buffer(const struct lowering *lo, const char *what, struct buffer *b)
{
	char prefix[20] = "";
	int n = 1;

	if (lo->layer >= 0)
		snprintf(prefix, sizeof(prefix), "layer%d_", lo->layer);
	snprintf(b->name, sizeof(b->name), "%s%.12s", prefix, what);
	while (is_taken(lo->p, b->name))
		snprintf(b->name, sizeof(b->name), "%s%.12s%d", prefix, what, ++n);
}

static int new_buffer(struct lowering *lo, const char *what, uint32_t rows,
	uint32_t width, uint32_t elem_bytes)
{
	struct program *p = lo->p;
	struct buffer *b = &p->buffer[p->n_buffers];

	name_buffer(lo, what, b);
	b->width = width;
	b->bytes = (uint64_t)rows * width * elem_bytes;
	b->first = UINT32_MAX;
	return (int)p->n_buffers++;
}

static int new_floats(struct lowering *lo, const char *what, uint32_t width)
{
	return new_buffer(lo, what, lo->p->chunk, width, 4);
}

static int new_state(struct lowering *lo, const char *what, uint32_t rows, uint32_t width)
{
	int at = new_buffer(lo, what, rows, width, 4);

	lo->p->buffer[at].place = PLACE_STATE;
	return at;
}

static struct step *add_step(struct lowering *lo, enum step_kind kind, int src, int dst)
{
	struct step *s = &lo->p->step[lo->p->n_steps++];

	s->kind = (uint8_t)kind;
	s->layer = (int16_t)lo->layer;
	s->src = src;
	s->dst = dst;
	s->q = s->scale = s->add = s->k = s->v = s->row = NO_BUFFER;
	s->k_scale = s->v_scale = NO_BUFFER;
	return s;
}

static const struct tensor *find(const struct lowering *lo, enum tensor_kind kind)
{
	if (kind == N_TENSOR_KINDS)
		return NULL;
	return layout_find(&lo->p->layout, lo->p->genome, kind, lo->layer);
}

/* What a product reads: floats, or int8 with a scale a row. */
struct operand {
	int data, scale;
	uint8_t point; /* as step.src_point */
};

/* The step that quantises src: the one that made it, where the set can do both. */
static struct step *quantising_step(struct lowering *lo, int src, int keep, int rows)
{
	struct program *p = lo->p;
	struct step *last = p->n_steps ? &p->step[p->n_steps - 1] : NULL;
	int bit = p->genome->act_scales ? FUSES_STATIC : FUSES_QUANT;
	int fuses = p->set->fuses & bit && last && last->dst == src && last->rows == rows;
	int product = bit == FUSES_STATIC && last && last->kind == STEP_LINEAR &&
		      last->src_point && last->add == NO_BUFFER && !keep;

	if (fuses && (last->kind == STEP_NORM || product)) {
		if (!keep) { /* only the integers are left, in the floats' place */
			last->dst = NO_BUFFER;
			p->buffer[src].bytes /= 4;
		}
		return last;
	}
	if (fuses && last->kind == STEP_ACT && !keep) {
		last->kind = STEP_QUANT;
		last->act = (uint8_t)(1 + p->genome->act);
		last->src = src;
		last->dst = NO_BUFFER;
		return last;
	}
	last = add_step(lo, STEP_QUANT, src, NO_BUFFER);
	last->rows = (uint8_t)rows;
	return last;
}

/* What products with the matrix `reader` read. `keep`: the floats are needed again, so the
 * integers get a buffer of their own. */
static struct operand quantise(
	struct lowering *lo, int src, enum tensor_kind reader, int keep, int rows)
{
	struct operand o = {src, NO_BUFFER, 0};
	uint32_t n = rows == ROWS_ALL ? lo->p->chunk : 1;
	struct step *s;

	if (find(lo, reader)->bits == 32)
		return o;
	if (keep)
		o.data = new_buffer(lo, "int8", n, lo->p->buffer[src].width, 1);
	if (lo->p->genome->act_scales)
		o.point = (uint8_t)(1 + quant_point_of(reader));
	else
		o.scale = new_buffer(lo, "scales", n, 1, 4);
	s = quantising_step(lo, src, keep, rows);
	s->q = o.data;
	s->scale = o.scale;
	s->q_point = o.point;
	s->q_layer = (int16_t)lo->layer;
	return o;
}

static struct step *linear(struct lowering *lo, enum tensor_kind weight,
	enum tensor_kind bias, struct operand in, int dst)
{
	struct step *s = add_step(lo, STEP_LINEAR, in.data, dst);

	s->weight = find(lo, weight);
	s->bias = find(lo, bias);
	s->scale = in.scale;
	s->src_point = in.point;
	return s;
}

static void norm(struct lowering *lo, enum tensor_kind gain, enum tensor_kind bias,
	int src, int dst)
{
	struct step *s = add_step(lo, STEP_NORM, src, dst);

	s->weight = find(lo, gain);
	s->bias = find(lo, bias);
}

static void lower_embedding(struct lowering *lo)
{
	const struct genome *g = lo->p->genome;
	int thin = g->d_embed < g->d_model;
	int e = thin ? new_floats(lo, "embedded", g->d_embed) : lo->x;
	struct step *s = add_step(lo, STEP_EMBED, NO_BUFFER, e);

	s->weight = find(lo, T_EMBED);
	if (g->abs_pos)
		add_step(lo, STEP_POS, NO_BUFFER, e)->weight = find(lo, T_POS);
	if (thin)
		linear(lo, T_PROJ, N_TENSOR_KINDS, quantise(lo, e, T_PROJ, 0, ROWS_ALL),
			lo->x);
	if (g->norm_place == NORM_POST)
		norm(lo, T_NORM0_G, T_NORM0_B, lo->x, lo->x);
}

/* norm1 and convolution: what attention reads. Tells whether that is x itself. */
static int lower_before_attention(struct lowering *lo)
{
	const struct genome *g = lo->p->genome;
	int u = lo->x;

	if (g->norm_place == NORM_PRE) {
		u = new_floats(lo, "u", g->d_model);
		norm(lo, T_NORM1_G, T_NORM1_B, lo->x, u);
	}
	if (g->conv) {
		int c = new_floats(lo, "mixed", g->d_model);
		struct step *s = add_step(lo, STEP_CONV, u, c);

		s->weight = find(lo, T_CONV);
		if (lo->p->stateful && g->conv > 1)
			s->k = new_state(lo, "past_conv", g->conv - 1u, g->d_model);
		u = c;
	}
	return u;
}

static void join(struct lowering *lo, const struct tensor *first,
	const struct tensor *second, const struct tensor *third)
{
	struct program *p = lo->p;
	size_t i = (size_t)(second - p->layout.t), j = (size_t)(third - p->layout.t);

	p->next_part[first - p->layout.t] = (uint16_t)(i + 1);
	p->next_part[i] = (uint16_t)(j + 1);
	p->is_part[i] = p->is_part[j] = 1;
}

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

/* q, k and v from one product into one buffer; returns the attention step. */
static struct step *fused_qkv(
	struct lowering *lo, struct operand in, uint32_t q_width, uint32_t kv_width)
{
	int qkv = new_floats(lo, "qkv", q_width + 2 * kv_width);
	struct step *s;

	join(lo, find(lo, T_WQ), find(lo, T_WK), find(lo, T_WV));
	join(lo, find(lo, T_BQ), find(lo, T_BK), find(lo, T_BV));
	linear(lo, T_WQ, T_BQ, in, qkv);
	s = add_step(lo, STEP_ATTENTION, qkv, new_floats(lo, "attended", q_width));
	s->k = s->v = qkv;
	return s;
}

/* q, k and v one by one; keys and values of a stateful program are kept. */
static struct step *single_qkv(
	struct lowering *lo, struct operand in, uint32_t q_width, uint32_t kv_width)
{
	const struct genome *g = lo->p->genome;
	int stateful = lo->p->stateful, q, k, v;
	struct step *s;

	q = new_floats(lo, "q", q_width);
	k = stateful ? new_state(lo, "k", g->seq_len, kv_width)
		     : new_floats(lo, "k", kv_width);
	v = stateful ? new_state(lo, "v", g->seq_len, kv_width)
		     : new_floats(lo, "v", kv_width);
	linear(lo, T_WQ, T_BQ, in, q);
	linear(lo, T_WK, T_BK, in, k);
	linear(lo, T_WV, T_BV, in, v);
	s = add_step(lo, STEP_ATTENTION, q, q);
	s->k = k;
	s->v = v;
	return s;
}

/* Room for the keys or values of every token: in the state when they outlive a pass. */
static int new_kept(
	struct lowering *lo, const char *what, uint32_t width, uint32_t elem_bytes)
{
	struct program *p = lo->p;
	uint32_t rows = p->stateful ? p->genome->seq_len : p->chunk;
	int at = new_buffer(lo, what, rows, width, elem_bytes);

	if (p->stateful)
		p->buffer[at].place = PLACE_STATE;
	return at;
}

/* What is kept of `src`, and in *scale, for int8, its scales. */
static int keep(struct lowering *lo, const char *what, int src, int *scale)
{
	const struct genome *g = lo->p->genome;
	int dst = new_kept(lo, what, lo->p->buffer[src].width, g->kv / 8);

	if (g->kv == 8)
		*scale = new_kept(lo, "kv_scales", g->layer[lo->layer].n_kv_heads, 4);
	add_step(lo, STEP_KEEP, src, dst)->scale = *scale;
	return dst;
}

/* q, k and v one by one; keys and values are kept in less than fp32. */
static struct step *kept_qkv(
	struct lowering *lo, struct operand in, uint32_t q_width, uint32_t kv_width)
{
	int q = new_floats(lo, "q", q_width), k_scale = NO_BUFFER, v_scale = NO_BUFFER;
	int k = new_floats(lo, "new_k", kv_width), v = new_floats(lo, "new_v", kv_width);
	struct step *s;

	linear(lo, T_WQ, T_BQ, in, q);
	linear(lo, T_WK, T_BK, in, k);
	linear(lo, T_WV, T_BV, in, v);
	k = keep(lo, "k", k, &k_scale);
	v = keep(lo, "v", v, &v_scale);
	s = add_step(lo, STEP_ATTENTION, q, q);
	s->k = k;
	s->v = v;
	s->k_scale = k_scale;
	s->v_scale = v_scale;
	return s;
}

static uint32_t score_floats(const struct program *p, const struct layer_genes *l)
{
	uint32_t m = p->genome->seq_len;

	if (p->genome->attn_int8)
		return attention_dot8_floats(m, l->d_head);
	if (!p->set->attention_rows)
		return m;
	if (p->genome->kv != 32)
		return (m + 15) / 16 * 16;
	return (m + 15) / 16 * 16 * (p->set->attention_rows + l->d_head);
}

static void lower_attention(struct lowering *lo)
{
	const struct genome *g = lo->p->genome;
	const struct layer_genes *l = &g->layer[lo->layer];
	uint32_t q_width = (uint32_t)l->n_heads * l->d_head;
	uint32_t kv_width = (uint32_t)l->n_kv_heads * l->d_head;
	int u = lower_before_attention(lo);
	struct operand in = quantise(lo, u, T_WQ, u == lo->x, ROWS_ALL);
	struct step *s;

	if (g->kv != 32)
		s = kept_qkv(lo, in, q_width, kv_width);
	else if (lo->p->set->fuses & FUSES_QKV && !lo->p->stateful)
		s = fused_qkv(lo, in, q_width, kv_width);
	else
		s = single_qkv(lo, in, q_width, kv_width);
	s->weight = g->rel_radius ? find(lo, T_REL) : NULL;
	s->row = new_buffer(lo, "scores", score_floats(lo->p, l) * lo->p->threads, 1, 4);
	in = quantise(lo, s->dst, T_WO, 0, ROWS_ALL);
	linear(lo, T_WO, T_BO, in, lo->x)->add = lo->x;
}

/* Does the first product of the feed-forward part apply the activation? */
static int product_acts(const struct program *p, int bits)
{
	int fuses = p->set->fuses;

	if (bits == 32)
		return fuses & FUSES_ACT;
	if (p->genome->act_scales && fuses & FUSES_STATIC)
		return 1;
	return fuses & FUSES_ACT && !(fuses & FUSES_QUANT);
}

static void lower_ffn(struct lowering *lo)
{
	const struct genome *g = lo->p->genome;
	const struct layer_genes *l = &g->layer[lo->layer];
	int u = lo->x, h = new_floats(lo, "hidden", l->d_ff);
	struct operand in;
	struct step *s;

	if (g->norm_place == NORM_PRE) {
		u = new_floats(lo, "u", g->d_model);
		norm(lo, T_NORM2_G, T_NORM2_B, lo->x, u);
	}
	in = quantise(lo, u, l->ffn_rank ? T_W1_IN : T_W1, u == lo->x, ROWS_ALL);
	if (l->ffn_rank) {
		int thin = new_floats(lo, "thin", l->ffn_rank);

		linear(lo, T_W1_IN, N_TENSOR_KINDS, in, thin);
		in = quantise(lo, thin, T_W1_OUT, 0, ROWS_ALL);
		s = linear(lo, T_W1_OUT, T_B1, in, h);
	} else {
		s = linear(lo, T_W1, T_B1, in, h);
	}
	if (product_acts(lo->p, l->bits))
		s->act = (uint8_t)(1 + g->act);
	else
		add_step(lo, STEP_ACT, h, h);
	in = quantise(lo, h, l->ffn_rank ? T_W2_IN : T_W2, 0, ROWS_ALL);
	if (l->ffn_rank) {
		int thin = new_floats(lo, "thin", l->ffn_rank);

		linear(lo, T_W2_IN, N_TENSOR_KINDS, in, thin);
		in = quantise(lo, thin, T_W2_OUT, 0, ROWS_ALL);
		linear(lo, T_W2_OUT, T_B2, in, lo->x)->add = lo->x;
	} else {
		linear(lo, T_W2, T_B2, in, lo->x)->add = lo->x;
	}
}

static int output(struct lowering *lo, const char *what, uint32_t rows, uint32_t width)
{
	int b = new_buffer(lo, what, rows, width, 4);

	lo->p->buffer[b].is_output = 1;
	return b;
}

static void lower_language_head(struct lowering *lo)
{
	struct program *p = lo->p;
	const struct genome *g = p->genome;
	int last = lo->x, rows = ROWS_LAST;
	struct step *s;

	if (g->norm_place == NORM_PRE) {
		last = new_buffer(lo, "last", 1, g->d_model, 4);
		norm(lo, T_NORMF_G, T_NORMF_B, lo->x, last);
		p->step[p->n_steps - 1].rows = ROWS_LAST;
		rows = ROWS_ONE;
	}
	if (g->d_embed < g->d_model) {
		int thin = new_buffer(lo, "thin", 1, g->d_embed, 4);

		s = add_step(lo, STEP_LINEAR_BACK, last, thin);
		s->weight = find(lo, T_PROJ);
		s->rows = (uint8_t)rows;
		last = thin;
		rows = ROWS_ONE;
	}
	if (g->embed_bits != 32) {
		struct operand in = quantise(lo, last, T_EMBED, last == lo->x, rows);

		p->lm = output(lo, "lm", 1, g->vocab_size);
		s = linear(lo, T_EMBED, N_TENSOR_KINDS, in, p->lm);
		s->rows = ROWS_ONE;
		return;
	}
	p->lm = output(lo, "lm", 1, g->vocab_size);
	s = linear(
		lo, T_EMBED, N_TENSOR_KINDS, (struct operand){last, NO_BUFFER, 0}, p->lm);
	s->rows = (uint8_t)rows;
}

/* The intent before the tags, so that x can be quantised in place for the latter. */
static void lower_heads(struct lowering *lo)
{
	struct program *p = lo->p;
	const struct genome *g = p->genome;
	struct operand in;
	int pooled;

	if (p->task.kind == TASK_LM) {
		lower_language_head(lo);
		return;
	}
	if (g->norm_place == NORM_PRE)
		norm(lo, T_NORMF_G, T_NORMF_B, lo->x, lo->x);
	pooled = new_buffer(lo, "pooled", 1, g->d_model, 4);
	add_step(lo, STEP_POOL, lo->x, pooled);
	in = quantise(lo, pooled, T_INTENT_W, 0, ROWS_ONE);
	p->intent = output(lo, "intent", 1, (uint32_t)p->task.n_intents);
	linear(lo, T_INTENT_W, T_INTENT_B, in, p->intent)->rows = ROWS_ONE;
	if (p->task.kind != TASK_INTENT_SLOTS)
		return;
	in = quantise(lo, lo->x, T_TAG_W, 0, ROWS_ALL);
	p->tags = output(lo, "tags", p->chunk, (uint32_t)p->task.n_tags);
	linear(lo, T_TAG_W, T_TAG_B, in, p->tags);
}

static void lower(struct program *p)
{
	struct lowering lo = {p, -1, 0};
	const struct genome *g = p->genome;
	int post = g->norm_place == NORM_POST;

	lo.x = new_floats(&lo, "x", g->d_model);
	lower_embedding(&lo);
	for (int i = 0; i < g->n_layers; i++) {
		lo.layer = i;
		lower_attention(&lo);
		if (post)
			norm(&lo, T_NORM1_G, T_NORM1_B, lo.x, lo.x);
		lower_ffn(&lo);
		if (post)
			norm(&lo, T_NORM2_G, T_NORM2_B, lo.x, lo.x);
	}
	lo.layer = -1;
	p->n_forward = p->n_steps;
	lower_heads(&lo);
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

/* Between two meetings a thread may be at any step: [*first, *last] around step i. */
static void span(const struct program *p, uint32_t i, uint32_t *first, uint32_t *last)
{
	*first = *last = i;
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

	/* Products that quantise leave no floats whose place a thread's integers take. */
	if (p->threads < 2 || p->genome->act_scales)
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
	p->threads = threads.n;
	p->task = *task;
	p->set = set;
	p->causal = g->arch == ARCH_DECODER;
	p->stateful = p->causal && task->kind == TASK_LM;
	p->chunk = p->stateful && g->seq_len > PROGRAM_CHUNK ? PROGRAM_CHUNK : g->seq_len;
	p->intent = p->tags = p->lm = NO_BUFFER;
	layout_init(&p->layout, g, task);
	p->split_rows = least_split_rows(p);
	if (threads.from_rows && threads.n > 1 && !g->act_scales)
		p->split_rows = threads.from_rows;
	if (!p->split_rows)
		p->threads = 1;
	lower(p);
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

void program_kernels(const struct program *p, const char *out[PROGRAM_MAX_KERNELS])
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++) {
		const char *name = step_kernel(p, &p->step[i]);
		size_t j = 0;

		while (j < n && strcmp(out[j], name))
			j++;
		if (j == n)
			out[n++] = name;
	}
	out[n] = NULL;
}
