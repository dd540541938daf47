#include "src/model/graph.h"

#include <string.h>

#include "src/model/quant.h"

const char *const op_names[N_OP_KINDS] = {
	"embed", "linear", "norm", "conv", "attention", "act", "add", "pool"};

#define NO_TENSOR N_TENSOR_KINDS

struct builder {
	struct graph *gr;
	int layer;
	int bits;
	int once;
};

static void add(struct builder *b, enum op_kind kind, enum tensor_kind weight,
	enum tensor_kind bias, uint32_t in, uint32_t out)
{
	struct op *op = &b->gr->op[b->gr->n_ops++];

	op->kind = (uint8_t)kind;
	op->bits = (uint8_t)b->bits;
	op->layer = (int16_t)b->layer;
	op->weight = (uint8_t)weight;
	op->bias = (uint8_t)bias;
	op->once = (uint8_t)b->once;
	op->in = in;
	op->out = out;
}

static void add_norm(struct builder *b, const struct genome *g, enum tensor_kind gain,
	enum tensor_kind bias)
{
	add(b, OP_NORM, gain, g->norm == NORM_LAYER ? bias : NO_TENSOR, g->d_model,
		g->d_model);
}

static void add_attention(
	struct builder *b, const struct genome *g, const struct layer_genes *l)
{
	uint32_t d = g->d_model, q = (uint32_t)l->n_heads * l->d_head;
	uint32_t kv = (uint32_t)l->n_kv_heads * l->d_head;

	if (g->conv)
		add(b, OP_CONV, T_CONV, NO_TENSOR, d, d);
	add(b, OP_LINEAR, T_WQ, T_BQ, d, q);
	add(b, OP_LINEAR, T_WK, T_BK, d, kv);
	add(b, OP_LINEAR, T_WV, T_BV, d, kv);
	add(b, OP_ATTENTION, g->rel_radius ? T_REL : NO_TENSOR, NO_TENSOR, kv, q);
	add(b, OP_LINEAR, T_WO, T_BO, q, d);
	add(b, OP_ADD, NO_TENSOR, NO_TENSOR, d, d);
}

static void add_ffn(
	struct builder *b, const struct genome *g, const struct layer_genes *l)
{
	uint32_t d = g->d_model, f = l->d_ff, r = l->ffn_rank;

	if (r) {
		add(b, OP_LINEAR, T_W1_IN, NO_TENSOR, d, r);
		add(b, OP_LINEAR, T_W1_OUT, T_B1, r, f);
		add(b, OP_ACT, NO_TENSOR, NO_TENSOR, f, f);
		add(b, OP_LINEAR, T_W2_IN, NO_TENSOR, f, r);
		add(b, OP_LINEAR, T_W2_OUT, T_B2, r, d);
	} else {
		add(b, OP_LINEAR, T_W1, T_B1, d, f);
		add(b, OP_ACT, NO_TENSOR, NO_TENSOR, f, f);
		add(b, OP_LINEAR, T_W2, T_B2, f, d);
	}
	add(b, OP_ADD, NO_TENSOR, NO_TENSOR, d, d);
}

static void add_heads(
	struct builder *b, const struct genome *g, const struct task_shape *task)
{
	uint32_t d = g->d_model;

	if (task->kind == TASK_LM) {
		b->once = 1;
		if (g->d_embed < g->d_model)
			add(b, OP_LINEAR, T_PROJ, NO_TENSOR, d, g->d_embed);
		add(b, OP_LINEAR, T_EMBED, NO_TENSOR, g->d_embed, g->vocab_size);
		return;
	}
	if (task->kind == TASK_INTENT_SLOTS)
		add(b, OP_LINEAR, T_TAG_W, T_TAG_B, d, (uint32_t)task->n_tags);
	add(b, OP_POOL, NO_TENSOR, NO_TENSOR, d, d);
	b->once = 1;
	add(b, OP_LINEAR, T_INTENT_W, T_INTENT_B, d, (uint32_t)task->n_intents);
}

void graph_init(struct graph *gr, const struct genome *g, const struct task_shape *task)
{
	struct builder b = {gr, -1, g->embed_bits, 0};
	int post = g->norm_place == NORM_POST;

	memset(gr, 0, sizeof(*gr));
	add(&b, OP_EMBED, T_EMBED, g->abs_pos ? T_POS : NO_TENSOR, g->d_embed,
		g->d_embed);
	if (g->d_embed < g->d_model)
		add(&b, OP_LINEAR, T_PROJ, NO_TENSOR, g->d_embed, g->d_model);
	if (post)
		add_norm(&b, g, T_NORM0_G, T_NORM0_B);
	for (int i = 0; i < g->n_layers; i++) {
		b.layer = i;
		b.bits = g->layer[i].bits;
		if (!post)
			add_norm(&b, g, T_NORM1_G, T_NORM1_B);
		add_attention(&b, g, &g->layer[i]);
		if (post)
			add_norm(&b, g, T_NORM1_G, T_NORM1_B);
		else
			add_norm(&b, g, T_NORM2_G, T_NORM2_B);
		add_ffn(&b, g, &g->layer[i]);
		if (post)
			add_norm(&b, g, T_NORM2_G, T_NORM2_B);
	}
	b.layer = -1;
	b.bits = g->embed_bits;
	if (!post)
		add_norm(&b, g, T_NORMF_G, T_NORMF_B);
	add_heads(&b, g, task);
}

static void cost_linear(const struct op *op, double n, struct graph_cost *c)
{
	double macs = n * op->in * op->out;
	int transposed = op->weight == T_PROJ && op->once;
	/* q, k and v read the same quantised input */
	int requantised = op->weight != T_WK && op->weight != T_WV && !transposed;

	c->macs_bits[op->bits == 32 || transposed ? 0 : op->bits == 8 ? 1 : 2] += macs;
	c->macs += macs;
	c->weight_bytes += (double)quant_bytes(op->out, op->in, op->bits);
	if (op->bias != NO_TENSOR)
		c->weight_bytes += 4.0 * op->out;
	if (op->bits != 32 && requantised)
		c->n_quant += n * op->in;
}

static void cost_attention(
	const struct genome *g, const struct op *op, double n, struct graph_cost *c)
{
	double pairs = g->arch == ARCH_DECODER ? n * (n + 1) / 2 : n * n;
	double macs = 2 * pairs * op->out;

	*(g->attn_int8 ? &c->macs_attention_i8 : &c->macs_attention) += macs;
	c->macs += macs;
	c->n_softmax += pairs * g->layer[op->layer].n_heads;
	if (g->attn_int8)
		c->n_quant += n * (op->out + 2.0 * op->in);
	if (g->kv == 8)
		c->n_quant += 2 * n * op->in;
	if (g->rel_radius)
		c->weight_bytes +=
			4.0 * g->layer[op->layer].n_heads * (2 * g->rel_radius + 1);
}

static void cost_op(
	const struct genome *g, const struct op *op, double n, struct graph_cost *c)
{
	switch (op->kind) {
	case OP_EMBED:
		c->weight_bytes += n * (double)quant_bytes(1, op->in, op->bits);
		c->weight_bytes += op->bias != NO_TENSOR ? 4 * n * op->in : 0;
		break;
	case OP_LINEAR:
		cost_linear(op, op->once ? 1 : n, c);
		break;
	case OP_NORM:
		c->n_norm += n * op->in;
		c->weight_bytes += (op->bias != NO_TENSOR ? 8.0 : 4.0) * op->in;
		break;
	case OP_CONV:
		c->n_conv += n * op->in * g->conv;
		c->macs += n * op->in * g->conv;
		c->weight_bytes += 4.0 * op->in * g->conv;
		break;
	case OP_ATTENTION:
		cost_attention(g, op, n, c);
		break;
	case OP_ACT:
		c->n_act += n * op->in;
		break;
	default:
		break;
	}
}

static void cost_storage(
	const struct genome *g, const struct task_shape *task, struct graph_cost *c)
{
	struct layout l;

	layout_init(&l, g, task);
	c->n_params = (double)l.n_floats;
	for (size_t i = 0; i < l.n_tensors; i++)
		c->model_bytes +=
			(double)quant_bytes(l.t[i].rows, l.t[i].cols, l.t[i].bits);
}

void graph_cost(const struct genome *g, const struct task_shape *task, uint32_t n_tokens,
	struct graph_cost *out)
{
	struct graph gr;

	memset(out, 0, sizeof(*out));
	graph_init(&gr, g, task);
	for (size_t i = 0; i < gr.n_ops; i++)
		cost_op(g, &gr.op[i], n_tokens, out);
	out->n_ops = (double)gr.n_ops;
	cost_storage(g, task, out);
}
