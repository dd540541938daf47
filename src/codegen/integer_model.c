/* The host's model of a program without floating point. */
#include <stdlib.h>
#include <string.h>

#include "src/codegen/integer.h"

struct integer_model {
	const struct program *p;
	const struct act_scales *scales;
	char *weights; /* weights.bin */
	size_t n_weights;
	int32_t *arena, *state;
	struct packed_tensor at[LAYOUT_MAX_TENSORS];
	/* of the running call */
	const int32_t *ids;
	uint32_t n, n_past;
};

static const void *bytes_of(const struct integer_model *m, const struct tensor *t)
{
	return m->weights + m->at[t - m->p->layout.t].data;
}

static const int32_t *vector_of(const struct integer_model *m, const struct tensor *t)
{
	return t ? bytes_of(m, t) : NULL;
}

/* Where a buffer's new rows lie. */
static int32_t *rows_of(const struct integer_model *m, int buffer)
{
	const struct buffer *b;

	if (buffer == NO_BUFFER)
		return NULL;
	b = &m->p->buffer[buffer];
	if (b->place == PLACE_STATE)
		return m->state + b->offset / 4 + (size_t)m->n_past * b->width;
	return m->arena + b->offset / 4;
}

static int32_t *start_of(const struct integer_model *m, int buffer)
{
	const struct buffer *b = &m->p->buffer[buffer];

	return (b->place == PLACE_STATE ? m->state : m->arena) + b->offset / 4;
}

static const int32_t *source(const struct integer_model *m, const struct step *s)
{
	const int32_t *x = rows_of(m, s->src);

	if (s->rows == ROWS_LAST)
		x += (size_t)(m->n - 1) * m->p->buffer[s->src].width;
	return x;
}

static struct int_out results(const struct integer_model *m, const struct step *s)
{
	struct int_out o = {rows_of(m, s->dst), (int8_t *)rows_of(m, s->q)};

	return o;
}

static struct int_linear linear_of(const struct integer_model *m, const struct step *s)
{
	const struct tensor *t = s->weight;
	const void *scales = m->weights + m->at[t - m->p->layout.t].scales;
	struct int_linear l = {t->cols, t->rows, bytes_of(m, t), scales,
		vector_of(m, s->bias), integer_read(s, m->scales),
		s->act ? integer_act(m->p) : NULL, integer_inverse(s, m->scales)};

	return l;
}

static void run_matrix(const struct integer_model *m, const struct step *s, uint32_t n)
{
	struct int_linear l = linear_of(m, s);
	int i8 = s->weight->bits == 8;
	const int8_t *x = (const int8_t *)(s->src == NO_BUFFER ? NULL : source(m, s));

	if (s->kind == STEP_EMBED)
		(i8 ? int_embed_i8 : int_embed_i4)(&l, n, m->ids, rows_of(m, s->dst));
	else if (s->kind == STEP_LINEAR_BACK)
		(i8 ? int_back_i8 : int_back_i4)(&l, source(m, s), rows_of(m, s->dst));
	else
		(i8 ? int_linear_i8 : int_linear_i4)(
			&l, n, x, rows_of(m, s->add), results(m, s));
}

static void run_norm(const struct integer_model *m, const struct step *s, uint32_t n)
{
	struct int_norm l = {s->weight->rows, m->p->genome->norm == NORM_RMS,
		vector_of(m, s->weight), vector_of(m, s->bias),
		integer_inverse(s, m->scales)};

	int_norm(&l, n, source(m, s), results(m, s));
}

static void run_attention(const struct integer_model *m, const struct step *s)
{
	const struct genome *g = m->p->genome;
	const struct layer_genes *l = &g->layer[s->layer];
	struct int_attention a = {l->n_heads, l->n_kv_heads, l->d_head,
		(uint32_t)m->p->causal, g->rel_radius, vector_of(m, s->weight),
		integer_attention_scale(l->d_head)};
	struct int_attention_data data = {rows_of(m, s->src), start_of(m, s->k),
		start_of(m, s->v), rows_of(m, s->row), rows_of(m, s->dst)};

	int_attention(&a, m->n, m->p->stateful ? m->n_past : 0, &data);
}

static void run_pool(const struct integer_model *m, const struct step *s)
{
	uint32_t d = m->p->buffer[s->src].width;
	const int32_t *x = source(m, s);
	int32_t *y = rows_of(m, s->dst);

	if (m->p->genome->pool == POOL_MEAN)
		int_pool_mean(m->n, d, x, y);
	else if (m->p->genome->pool == POOL_MAX)
		int_pool_max(m->n, d, x, y);
	else
		int_pool_first(m->n, d, x, y);
}

static void run_conv(const struct integer_model *m, const struct step *s)
{
	struct int_conv c = {s->weight->rows, s->weight->cols, s->weight->col_zero,
		vector_of(m, s->weight)};

	int_conv(&c, m->n, source(m, s), s->k == NO_BUFFER ? NULL : start_of(m, s->k),
		rows_of(m, s->dst));
}

static void run_step(const struct integer_model *m, const struct step *s)
{
	uint32_t n = s->rows == ROWS_ALL ? m->n : 1;

	switch ((enum step_kind)s->kind) {
	case STEP_EMBED:
	case STEP_LINEAR:
	case STEP_LINEAR_BACK:
		run_matrix(m, s, n);
		break;
	case STEP_POS:
		int_add(n * s->weight->cols,
			vector_of(m, s->weight) +
				(m->p->stateful ? m->n_past * s->weight->cols : 0),
			rows_of(m, s->dst));
		break;
	case STEP_QUANT:
		int_quant(n * m->p->buffer[s->src].width, integer_inverse(s, m->scales),
			source(m, s), (int8_t *)rows_of(m, s->q));
		break;
	case STEP_NORM:
		run_norm(m, s, n);
		break;
	case STEP_CONV:
		run_conv(m, s);
		break;
	case STEP_ATTENTION:
		run_attention(m, s);
		break;
	case STEP_POOL:
		run_pool(m, s);
		break;
	case STEP_KEEP:
	case STEP_ACT:
	case N_STEP_KINDS:
		break;
	}
}

static const float *logits(struct integer_model *m, int buffer, uint32_t rows)
{
	int32_t *x = rows_of(m, buffer);

	if (!x)
		return NULL;
	int_logits(rows * m->p->buffer[buffer].width, x, (float *)(void *)x);
	return (const float *)(const void *)x;
}

void integer_model_run(struct integer_model *m, const int32_t *ids, uint32_t n,
	struct integer_output *out)
{
	const struct program *p = m->p;

	m->n_past = 0;
	memset(m->state, 0, p->state_bytes + 4);
	for (uint32_t done = 0; done < n; done += m->n) {
		m->ids = ids + done;
		m->n = n - done < p->chunk ? n - done : p->chunk;
		for (size_t i = 0; i < p->n_forward; i++)
			run_step(m, &p->step[i]);
		m->n_past += m->n;
	}
	for (size_t i = p->n_forward; i < p->n_steps; i++)
		run_step(m, &p->step[i]);
	out->intent = logits(m, p->intent, 1);
	out->tags = logits(m, p->tags, m->n);
	out->lm = logits(m, p->lm, 1);
}

static enum err pack(
	struct integer_model *m, const struct tensor_source *weights, struct err_ctx *ctx)
{
	FILE *file = open_memstream(&m->weights, &m->n_weights);
	enum err e;

	if (!file)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = pack_stream(m->p, weights, file, "weights in memory", NULL, ctx);
	if (fclose(file) && !e)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	return e;
}

enum err integer_model_new(struct integer_model **out, const struct program *p,
	const struct tensor_source *weights, const struct act_scales *scales,
	struct err_ctx *ctx)
{
	struct integer_model *m = calloc(1, sizeof(*m));
	enum err e;

	if (!m)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	m->p = p;
	m->scales = scales;
	m->arena = malloc(p->arena_bytes + 4);
	m->state = malloc(p->state_bytes + 4);
	pack_layout(p, m->at);
	e = m->arena && m->state ? pack(m, weights, ctx)
				 : err_set(ctx, ERR_NOMEM, "out of memory");
	if (e) {
		integer_model_free(m);
		return e;
	}
	*out = m;
	return ERR_OK;
}

void integer_model_free(struct integer_model *m)
{
	if (!m)
		return;
	free(m->weights);
	free(m->arena);
	free(m->state);
	free(m);
}
