#include "src/model/weights.h"

#include <math.h>
#include <string.h>

#include "src/base/rng.h"

const char *const tensor_names[N_TENSOR_KINDS] = {"embed", "pos", "proj", "norm0_g",
	"norm0_b", "norm1_g", "norm1_b", "conv", "wq", "bq", "wk", "bk", "wv", "bv", "wo",
	"bo", "rel", "norm2_g", "norm2_b", "w1", "w1_in", "w1_out", "b1", "w2", "w2_in",
	"w2_out", "b2", "normf_g", "normf_b", "intent_w", "intent_b", "tag_w", "tag_b"};

/* The size of one tensor in one network; present == 0 when it has none. */
struct size {
	int present;
	uint32_t rows, cols; /* units of heads where the flags say so */
	uint16_t d_head;     /* > 0: rows or cols count heads of this width */
	uint16_t col_zero;
	uint8_t head_rows, head_cols, bits;
};

static struct size matrix(uint32_t rows, uint32_t cols, int bits)
{
	struct size s = {1, rows, cols, 0, 0, 0, 0, (uint8_t)bits};

	return s;
}

static struct size vector(uint32_t rows)
{
	return matrix(rows, 1, 32);
}

static struct size absent(void)
{
	struct size s;

	memset(&s, 0, sizeof(s));
	return s;
}

static struct size head_rows(uint32_t heads, uint32_t cols, uint16_t d_head, int bits)
{
	struct size s = matrix(heads, cols, bits);

	s.head_rows = 1;
	s.d_head = d_head;
	return s;
}

static struct size offset_columns(uint32_t rows, uint32_t cols, uint32_t zero)
{
	struct size s = matrix(rows, cols, 32);

	s.col_zero = (uint16_t)zero;
	return s;
}

static struct size global_size(
	const struct genome *g, const struct task_shape *task, enum tensor_kind kind)
{
	int post = g->norm_place == NORM_POST, bias = g->norm == NORM_LAYER;
	uint32_t d = g->d_model, e = g->d_embed;

	switch (kind) {
	case T_EMBED:
		return matrix(g->vocab_size, e, g->embed_bits);
	case T_POS:
		return g->abs_pos ? matrix(g->seq_len, e, 32) : absent();
	case T_PROJ:
		return e < d ? matrix(d, e, g->embed_bits) : absent();
	case T_NORM0_G:
		return post ? vector(d) : absent();
	case T_NORM0_B:
		return post && bias ? vector(d) : absent();
	case T_NORMF_G:
		return !post ? vector(d) : absent();
	case T_NORMF_B:
		return !post && bias ? vector(d) : absent();
	case T_INTENT_W:
		return task->kind != TASK_LM
			       ? matrix((uint32_t)task->n_intents, d, g->embed_bits)
			       : absent();
	case T_INTENT_B:
		return task->kind != TASK_LM ? vector((uint32_t)task->n_intents)
					     : absent();
	case T_TAG_W:
		return task->kind == TASK_INTENT_SLOTS
			       ? matrix((uint32_t)task->n_tags, d, g->embed_bits)
			       : absent();
	case T_TAG_B:
		return task->kind == TASK_INTENT_SLOTS ? vector((uint32_t)task->n_tags)
						       : absent();
	default:
		return absent();
	}
}

static struct size layer_size(
	const struct genome *g, const struct layer_genes *l, enum tensor_kind kind)
{
	uint32_t d = g->d_model, r = l->ffn_rank, now;
	int bias = g->norm == NORM_LAYER;
	struct size s;

	switch (kind) {
	case T_NORM1_G:
	case T_NORM2_G:
	case T_BO:
	case T_B2:
		return vector(d);
	case T_NORM1_B:
	case T_NORM2_B:
		return bias ? vector(d) : absent();
	case T_CONV:
		now = g->arch == ARCH_DECODER ? g->conv - 1u : g->conv / 2u;
		return g->conv ? offset_columns(d, g->conv, now) : absent();
	case T_WQ:
		return head_rows(l->n_heads, d, l->d_head, l->bits);
	case T_BQ:
		return head_rows(l->n_heads, 1, l->d_head, 32);
	case T_WK:
	case T_WV:
		return head_rows(l->n_kv_heads, d, l->d_head, l->bits);
	case T_BK:
	case T_BV:
		return head_rows(l->n_kv_heads, 1, l->d_head, 32);
	case T_WO:
		s = matrix(d, l->n_heads, l->bits);
		s.head_cols = 1;
		s.d_head = l->d_head;
		return s;
	case T_REL:
		return g->rel_radius ? offset_columns(l->n_heads, 2u * g->rel_radius + 1,
					       g->rel_radius)
				     : absent();
	case T_W1:
		return r ? absent() : matrix(l->d_ff, d, l->bits);
	case T_W1_IN:
		return r ? matrix(r, d, l->bits) : absent();
	case T_W1_OUT:
		return r ? matrix(l->d_ff, r, l->bits) : absent();
	case T_B1:
		return vector(l->d_ff);
	case T_W2:
		return r ? absent() : matrix(d, l->d_ff, l->bits);
	case T_W2_IN:
		return r ? matrix(r, l->d_ff, l->bits) : absent();
	case T_W2_OUT:
		return r ? matrix(d, r, l->bits) : absent();
	default:
		return absent();
	}
}

static void merge(struct size *into, const struct size *s)
{
	if (!s->present)
		return;
	if (!into->present) {
		*into = *s;
		return;
	}
	into->rows = s->rows > into->rows ? s->rows : into->rows;
	into->cols = s->cols > into->cols ? s->cols : into->cols;
	into->d_head = s->d_head > into->d_head ? s->d_head : into->d_head;
	into->col_zero = s->col_zero > into->col_zero ? s->col_zero : into->col_zero;
}

static void append(
	struct layout *l, enum tensor_kind kind, int layer, const struct size *s)
{
	struct tensor *t = &l->t[l->n_tensors];

	if (!s->present)
		return;
	memset(t, 0, sizeof(*t));
	t->kind = (uint8_t)kind;
	t->bits = s->bits;
	t->is_head_rows = s->head_rows;
	t->is_head_cols = s->head_cols;
	t->layer = (int16_t)layer;
	t->d_head = s->d_head;
	t->col_zero = s->col_zero;
	t->rows = s->head_rows ? s->rows * s->d_head : s->rows;
	t->cols = s->head_cols ? s->cols * s->d_head : s->cols;
	t->offset = l->n_floats;
	l->n_floats += (size_t)t->rows * t->cols;
	l->index[kind][layer < 0 ? 0 : layer] = (int16_t)l->n_tensors++;
}

static void build(struct layout *l, const struct genome *all, size_t n,
	const struct task_shape *task, int own_all)
{
	int n_layers = 0;

	memset(l, 0, sizeof(*l));
	memset(l->index, 0xff, sizeof(l->index));
	for (size_t i = 0; i < n; i++)
		n_layers = all[i].n_layers > n_layers ? all[i].n_layers : n_layers;
	for (int pass = 0; pass < 3; pass++) {
		int first = pass == 0 ? T_EMBED : pass == 1 ? T_NORM1_G : T_NORMF_G;
		int last = pass == 0 ? T_NORM0_B : pass == 1 ? T_B2 : T_TAG_B;
		int repeat = pass == 1 ? n_layers : 1;

		for (int layer = 0; layer < repeat; layer++) {
			for (int kind = first; kind <= last; kind++) {
				struct size total = absent(), s;

				for (size_t i = 0; i < n; i++) {
					const struct layer_genes *lg =
						&all[i].layer[layer];

					if (pass == 1 &&
						(layer >= all[i].n_layers ||
							(lg->shared && !own_all)))
						continue;
					s = pass == 1 ? layer_size(&all[i], lg,
								(enum tensor_kind)kind)
						      : global_size(&all[i], task,
								(enum tensor_kind)kind);
					merge(&total, &s);
				}
				append(l, (enum tensor_kind)kind, pass == 1 ? layer : -1,
					&total);
			}
		}
	}
}

void layout_init(struct layout *l, const struct genome *g, const struct task_shape *task)
{
	build(l, g, 1, task, 0);
}

void layout_init_super(struct layout *l, const struct genome *all, size_t n,
	const struct task_shape *task)
{
	build(l, all, n, task, 1);
}

const struct tensor *layout_find(
	const struct layout *l, const struct genome *g, enum tensor_kind kind, int layer)
{
	int at;

	while (layer > 0 && g->layer[layer].shared)
		layer--;
	at = l->index[kind][layer < 0 ? 0 : layer];
	return at < 0 ? NULL : &l->t[at];
}

/* Index along a heads x d_head axis in the wider tensor. */
static uint32_t head_index(uint32_t i, uint32_t d_head, uint32_t wide_d_head)
{
	return i / d_head * wide_d_head + i % d_head;
}

enum err weights_map(const struct layout *sub, const struct layout *super, uint32_t *map,
	struct err_ctx *ctx)
{
	for (size_t i = 0; i < sub->n_tensors; i++) {
		const struct tensor *t = &sub->t[i], *w;
		int at = super->index[t->kind][t->layer < 0 ? 0 : t->layer];
		uint32_t shift, *m = map + t->offset;

		w = at < 0 ? NULL : &super->t[at];
		if (!w || w->rows < t->rows || w->cols < t->cols ||
			w->d_head < t->d_head || w->col_zero < t->col_zero)
			return err_set(ctx, ERR_INVALID,
				"tensor '%s' of layer %d does not fit into the supernet",
				tensor_names[t->kind], t->layer);
		shift = (uint32_t)(w->col_zero - t->col_zero);
		for (uint32_t r = 0; r < t->rows; r++) {
			uint32_t wr =
				t->is_head_rows ? head_index(r, t->d_head, w->d_head) : r;

			for (uint32_t c = 0; c < t->cols; c++) {
				uint32_t wc = t->is_head_cols ? head_index(c, t->d_head,
									w->d_head)
							      : c + shift;

				*m++ = (uint32_t)(w->offset + (size_t)wr * w->cols + wc);
			}
		}
	}
	return ERR_OK;
}

/* Nearly normal with variance 1 from one draw: the sum of four 16-bit uniforms. Weights
 * need no tails, and a billion of them should take seconds. */
static float cheap_normal(struct rng *r)
{
	uint64_t u = rng_u64(r);
	int32_t sum = (int32_t)(u & 0xffff) + (int32_t)(u >> 16 & 0xffff) +
		      (int32_t)(u >> 32 & 0xffff) + (int32_t)(u >> 48) - 2 * 65535;

	return (float)sum * (1.7320508f / 65536.0f);
}

void weights_init_tensor(const struct tensor *t, uint64_t seed, float *w)
{
	size_t n = (size_t)t->rows * t->cols;
	struct rng root, r;
	float sd;

	switch (t->kind) {
	case T_NORM0_G:
	case T_NORM1_G:
	case T_NORM2_G:
	case T_NORMF_G:
		for (size_t i = 0; i < n; i++)
			w[i] = 1;
		return;
	case T_CONV:
		for (size_t i = 0; i < n; i++)
			w[i] = i % t->cols == t->col_zero;
		return;
	case T_REL:
		memset(w, 0, n * sizeof(*w));
		return;
	default:
		break;
	}
	if (t->cols == 1) {
		memset(w, 0, n * sizeof(*w));
		return;
	}
	rng_init(&root, seed);
	rng_split(&root, tensor_names[t->kind], (uint64_t)(t->layer + 1), &r);
	sd = t->kind == T_POS ? 0.02f : 1 / sqrtf((float)t->cols);
	for (size_t i = 0; i < n; i++)
		w[i] = sd * cheap_normal(&r);
}

void weights_init(const struct layout *l, uint64_t seed, float *w)
{
	for (size_t i = 0; i < l->n_tensors; i++)
		weights_init_tensor(&l->t[i], seed, w + l->t[i].offset);
}
