#include "devices/eval_record.h"

#include <math.h>

#define N_INPUTS_AT 8

static void append_uint(struct buf *b, uint64_t v, size_t n)
{
	uint8_t bytes[8];
	struct put p;

	put_init(&p, bytes, sizeof(bytes));
	put_uint(&p, v, n);
	buf_append(b, bytes, p.len);
}

void eval_input_begin(struct buf *in, uint32_t flags)
{
	append_uint(in, EVAL_IN_MAGIC, 4);
	append_uint(in, flags, 4);
	append_uint(in, 0, 4);
}

static uint32_t u32_at(const uint8_t *at)
{
	struct get g;

	get_init(&g, at, 4);
	return get_u32(&g);
}

void eval_input_add(struct buf *in, const int32_t *ids, uint32_t n)
{
	uint8_t *head;
	size_t width;
	struct put p;

	if (in->failed)
		return;
	width = u32_at((const uint8_t *)in->data + 4) & EVAL_WIDE ? 4 : 2;
	append_uint(in, n, 4);
	for (uint32_t i = 0; i < n; i++)
		append_uint(in, (uint32_t)ids[i], width);
	if (in->failed)
		return;
	head = (uint8_t *)in->data + N_INPUTS_AT;
	put_init(&p, head, 4);
	put_u32(&p, u32_at(head) + 1);
}

int eval_output_open(struct eval_reader *r, const uint8_t *out, size_t len)
{
	memset(r, 0, sizeof(*r));
	get_init(&r->g, out, len);
	if (get_u32(&r->g) != EVAL_OUT_MAGIC)
		return 0;
	r->flags = get_u32(&r->g);
	r->n_inputs = get_u32(&r->g);
	r->n_intents = get_u32(&r->g);
	r->n_tags = get_u32(&r->g);
	return !r->g.failed && !(r->flags & ~EVAL_FLAGS) &&
	       r->n_intents <= EVAL_MAX_LABELS && r->n_tags <= EVAL_MAX_LABELS;
}

static int all_finite(const uint8_t *logits, size_t n)
{
	for (size_t i = 0; logits && i < n; i++)
		if (!isfinite(eval_logit(logits, i)))
			return 0;
	return 1;
}

static int read_logits(struct eval_reader *r, struct eval_result *e)
{
	size_t n_tags = (size_t)e->n * r->n_tags;

	if (!(r->flags & EVAL_LOGITS))
		return 1;
	if (r->n_intents)
		e->intent_logits = get_bytes(&r->g, 4 * (size_t)r->n_intents);
	if (n_tags)
		e->tag_logits = get_bytes(&r->g, 4 * n_tags);
	return !r->g.failed && all_finite(e->intent_logits, r->n_intents) &&
	       all_finite(e->tag_logits, n_tags);
}

static int read_labels(struct eval_reader *r, struct eval_result *e)
{
	e->n = get_u32(&r->g);
	e->intent = get_u16(&r->g);
	if (r->g.failed || e->n == 0 || e->n > EVAL_MAX_TOKENS)
		return 0;
	if (r->n_intents ? e->intent >= r->n_intents : e->intent != EVAL_NONE)
		return 0;
	if (!r->n_tags)
		return 1;
	e->tags = get_bytes(&r->g, 2 * (size_t)e->n);
	for (uint32_t i = 0; e->tags && i < e->n; i++)
		if (eval_tag(e, i) >= r->n_tags)
			return 0;
	return e->tags != NULL;
}

int eval_output_next(struct eval_reader *r, struct eval_result *e)
{
	memset(e, 0, sizeof(*e));
	if (r->at == r->n_inputs)
		return get_end(&r->g) ? 0 : -1;
	if (!read_labels(r, e) || !read_logits(r, e))
		return -1;
	if (r->flags & EVAL_LM) {
		e->nll = get_f64(&r->g);
		e->n_scored = get_u32(&r->g);
		if (r->g.failed || !isfinite(e->nll) || e->nll < 0 ||
			e->n_scored != e->n - 1)
			return -1;
	}
	r->at++;
	return 1;
}

uint32_t eval_tag(const struct eval_result *r, uint32_t token)
{
	return (uint32_t)(r->tags[2 * token] | r->tags[2 * token + 1] << 8);
}

float eval_logit(const uint8_t *logits, size_t i)
{
	struct get g;

	get_init(&g, logits + 4 * i, 4);
	return get_f32(&g);
}
