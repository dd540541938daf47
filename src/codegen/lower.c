/* Lowering: a network to fused steps over buffers. */
#include <stdio.h>
#include <string.h>

#include "src/codegen/program.h"
#include "src/infer/kernels.h"

/* The residual stream is one buffer; steps name others by what they hold. */
struct lowering {
	struct program *p;
	int layer;
	int x; /* residual stream */
	/* Number of the run of steps that goes block by block, or 0; and of the last. */
	uint8_t block, n_blocks;
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
	b->in_block = lo->block != 0;
	b->first = UINT32_MAX;
	return (int)p->n_buffers++;
}

static uint32_t rows_now(const struct lowering *lo)
{
	return lo->block ? lo->p->block_rows : lo->p->chunk;
}

static int new_floats(struct lowering *lo, const char *what, uint32_t width)
{
	return new_buffer(lo, what, rows_now(lo), width, 4);
}

static void begin_block(struct lowering *lo)
{
	lo->block = lo->p->block_rows ? ++lo->n_blocks : 0;
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
	s->block = lo->block;
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
	uint32_t n = rows == ROWS_ALL ? rows_now(lo) : 1;
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

/* Keys and values of all tokens, then queries by blocks? A distance between tokens is
 * told by where the queries begin only if causal. */
static int goes_by_blocks(const struct program *p)
{
	return p->block_rows && !p->genome->attn_int8 && p->genome->kv == 32 &&
	       (p->causal || !p->genome->rel_radius);
}

static int queries(struct lowering *lo, struct operand in, uint32_t width)
{
	int q = new_floats(lo, "q", width);

	linear(lo, T_WQ, T_BQ, in, q);
	return q;
}

/* q, k and v one by one; keys and values of a stateful program are kept. */
static struct step *single_qkv(
	struct lowering *lo, struct operand in, uint32_t q_width, uint32_t kv_width)
{
	uint32_t seq_len = lo->p->genome->seq_len;
	int stateful = lo->p->stateful, blocks = goes_by_blocks(lo->p);
	int q = blocks ? NO_BUFFER : queries(lo, in, q_width), k, v;
	struct step *s;

	k = stateful ? new_state(lo, "k", seq_len, kv_width)
		     : new_floats(lo, "k", kv_width);
	v = stateful ? new_state(lo, "v", seq_len, kv_width)
		     : new_floats(lo, "v", kv_width);
	linear(lo, T_WK, T_BK, in, k);
	linear(lo, T_WV, T_BV, in, v);
	if (blocks) {
		begin_block(lo);
		q = queries(lo, in, q_width);
	}
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
	int q = queries(lo, in, q_width), k_scale = NO_BUFFER, v_scale = NO_BUFFER;
	int k = new_floats(lo, "new_k", kv_width), v = new_floats(lo, "new_v", kv_width);
	struct step *s;

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
	return (m + 15) / 16 * 16 *
	       (p->set->attention_rows +
		       (p->set->attention_in_place ? 0u : l->d_head));
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
	lo->block = 0;
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
	int u = lo->x, h;
	struct operand in;
	struct step *s;

	if (g->norm_place == NORM_PRE) {
		u = new_floats(lo, "u", g->d_model);
		norm(lo, T_NORM2_G, T_NORM2_B, lo->x, u);
	}
	in = quantise(lo, u, l->ffn_rank ? T_W1_IN : T_W1, u == lo->x, ROWS_ALL);
	begin_block(lo);
	h = new_floats(lo, "hidden", l->d_ff);
	if (l->ffn_rank) {
		int thin = new_floats(lo, "thin", l->ffn_rank);

		linear(lo, T_W1_IN, N_TENSOR_KINDS, in, thin);
		in = quantise(lo, thin, T_W1_OUT, 0, ROWS_ALL);
	}
	s = linear(lo, l->ffn_rank ? T_W1_OUT : T_W1, T_B1, in, h);
	if (product_acts(lo->p, l->bits))
		s->act = (uint8_t)(1 + g->act);
	else
		add_step(lo, STEP_ACT, h, h);
	in = quantise(lo, h, l->ffn_rank ? T_W2_IN : T_W2, 0, ROWS_ALL);
	if (l->ffn_rank) {
		int thin = new_floats(lo, "thin", l->ffn_rank);

		linear(lo, T_W2_IN, N_TENSOR_KINDS, in, thin);
		in = quantise(lo, thin, T_W2_OUT, 0, ROWS_ALL);
	}
	linear(lo, l->ffn_rank ? T_W2_OUT : T_W2, T_B2, in, lo->x)->add = lo->x;
	lo->block = 0;
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
	struct operand in;
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
	in = (struct operand){last, NO_BUFFER, 0};
	if (g->embed_bits != 32) {
		in = quantise(lo, last, T_EMBED, last == lo->x, rows);
		rows = ROWS_ONE;
	}
	p->lm = output(lo, "lm", 1, g->vocab_size);
	s = linear(lo, T_EMBED, N_TENSOR_KINDS, in, p->lm);
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

void program_lower(struct program *p)
{
	struct lowering lo = {p, -1, 0, 0, 0};
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
