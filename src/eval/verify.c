#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "devices/eval_record.h"
#include "src/eval/at_once.h"
#include "src/eval/finals.h"

#define RETRIES 3
#define INPUTS_A_RUN 128 /* keeps an answer with all logits within a few MB */
#define TIME_SHARE 0.25	  /* of the device's time limit, by what the typical input takes */

/* The finalists on all devices. */
struct verification {
	struct session *s;
	const struct genome *g;
	const struct build_weights *weights;
	struct hardware *const *h;
	size_t n;
	size_t *todo; /* [devices][n]: which finalists; all.n_all of a device are valid */
	struct at_once all;
};

/* One finalist's pass over the test split. */
struct pass {
	struct session *s;
	struct device *dev;
	const struct encoded *e;
	const struct hash *image;
	size_t inputs_a_run;
	int16_t *intent, *tags; /* [n], [words] */
	double nll;
	size_t n_tokens;
	struct label_room room;
	float *logits; /* of one sequence's words, then of its intents */
};

static void write_input(const struct pass *p, size_t from, size_t to, struct buf *in)
{
	uint32_t what = p->s->task.kind == TASK_LM ? EVAL_LM : EVAL_LOGITS;

	eval_input_begin(in, what | EVAL_WIDE);
	for (size_t i = from; i < to; i++)
		eval_input_add(in, p->e->ids + p->e->start[i],
			p->e->start[i + 1] - p->e->start[i]);
}

/* The labels of sequence i from the logits of its intents and of its words' first tokens;
 * words beyond the cut have no token and stay 'O'. */
static void read_labels(struct pass *p, size_t i, const struct eval_result *r)
{
	const struct label_rules *rules = &p->s->corpus.rules;
	struct label_words words = {p->logits, NULL, 0};
	size_t n_tags = rules->n_tags;
	float *intent;
	int16_t *tags = NULL;

	if (n_tags) {
		uint32_t first = p->e->word_start[i], last = p->e->word_start[i + 1];

		tags = p->tags + first;
		memset(tags, 0, (last - first) * sizeof(*tags));
		for (uint32_t w = first; w < last && p->e->word_token[w] < r->n;
			w++, words.n++)
			for (size_t k = 0; k < n_tags; k++)
				p->logits[words.n * n_tags + k] = eval_logit(
					r->tag_logits, n_tags * p->e->word_token[w] + k);
	}
	intent = p->logits + words.n * n_tags;
	for (size_t k = 0; k < rules->n_intents; k++)
		intent[k] = eval_logit(r->intent_logits, k);
	p->intent[i] = (int16_t)labels_best(rules, intent, &words, &p->room, tags);
}

static int read_output(
	struct pass *p, size_t from, size_t to, const uint8_t *data, size_t len)
{
	uint32_t what = p->s->task.kind == TASK_LM ? EVAL_LM : EVAL_LOGITS;
	struct eval_reader reader;
	struct eval_result r;

	if (!eval_output_open(&reader, data, len) || !(reader.flags & what) ||
		reader.n_inputs != to - from ||
		reader.n_intents != (uint32_t)p->s->task.n_intents ||
		reader.n_tags != (uint32_t)p->s->task.n_tags)
		return 0;
	for (size_t i = from; i < to; i++) {
		if (eval_output_next(&reader, &r) != 1 ||
			r.n != p->e->start[i + 1] - p->e->start[i])
			return 0;
		if (p->s->task.kind == TASK_LM) {
			p->nll += r.nll;
			p->n_tokens += r.n_scored;
			continue;
		}
		if (!r.intent_logits || (reader.n_tags && !r.tag_logits))
			return 0;
		read_labels(p, i, &r);
	}
	return eval_output_next(&reader, &r) == 0;
}

/* ERR_LINK, ERR_DEVICE: it may be asked again. */
static enum err run_once(struct pass *p, size_t from, size_t to, struct err_ctx *ctx)
{
	struct run_request rq = {.mode = RUN_EVAL, .image = *p->image};
	struct run_result r;
	struct buf in;
	enum err e;

	buf_init(&in);
	write_input(p, from, to, &in);
	e = buf_err(&in, ctx);
	rq.input = (const uint8_t *)in.data;
	rq.input_len = in.len;
	if (!e)
		e = device_run(p->dev, &rq, &r, ctx);
	buf_release(&in);
	if (e)
		return e;
	if (r.verdict != VERDICT_OK)
		e = err_set(ctx,
			verdict_blames_candidate(r.verdict) ? ERR_INVALID : ERR_DEVICE,
			"test split on the device: %s (%s)", verdict_names[r.verdict],
			r.detail);
	else if (!read_output(p, from, to, r.output, r.output_len))
		e = err_set(ctx, ERR_LINK, "the device's answers are malformed");
	run_result_release(&r);
	return e;
}

static enum err run_part(struct pass *p, size_t from, size_t to, struct err_ctx *ctx)
{
	const struct pass before = *p;

	for (int tries = 0;; tries++) {
		enum err e = run_once(p, from, to, ctx);

		if ((e != ERR_LINK && e != ERR_DEVICE) || tries == RETRIES)
			return e;
		*p = before; /* half an answer does not count */
		e = device_recover(p->dev, ctx);
		if (e)
			return e;
	}
}

/* What is too much for a device at once, for its memory or its time limit, may do in halves. */
static enum err run_parts(struct pass *p, struct err_ctx *ctx)
{
	for (size_t i = 0; i < p->e->n;) {
		size_t left = p->e->n - i;
		size_t n = p->inputs_a_run < left ? p->inputs_a_run : left;
		const struct pass before = *p;
		enum err e;

		if (p->s->cancel && *p->s->cancel)
			return err_set(ctx, ERR_CANCELLED, "cancelled");
		e = run_part(p, i, i + n, ctx);
		if (!e) {
			i += n;
		} else if (e == ERR_INVALID && n > 1) {
			*p = before;
			p->inputs_a_run = n / 2;
		} else {
			return e;
		}
	}
	return ERR_OK;
}

static void score(const struct pass *p, struct quality *q)
{
	memset(q, 0, sizeof(*q));
	if (p->s->task.kind == TASK_LM) {
		q->n = p->e->n;
		q->n_tokens = p->n_tokens;
		q->cross_entropy = p->nll / (double)p->n_tokens;
		q->perplexity = exp(q->cross_entropy);
		return;
	}
	quality_from_predictions(p->e, &p->s->corpus.rules, p->intent, p->tags, q);
	q->cross_entropy = NAN; /* the device sends logits, not losses */
}

static enum err verify(struct pass *p, struct quality *q, struct err_ctx *ctx)
{
	size_t words = p->e->word_start ? p->e->word_start[p->e->n] : 0, longest = 1;
	const struct label_rules *rules = &p->s->corpus.rules;
	enum err e;

	for (size_t i = 0; p->e->word_start && i < p->e->n; i++)
		if (p->e->word_start[i + 1] - p->e->word_start[i] > longest)
			longest = p->e->word_start[i + 1] - p->e->word_start[i];
	p->intent = calloc(p->e->n + 1, sizeof(*p->intent));
	p->tags = calloc(words + 1, sizeof(*p->tags));
	p->logits = calloc(
		longest * rules->n_tags + rules->n_intents + 1, sizeof(*p->logits));
	e = label_room_make(&p->room, rules, longest, ctx);
	if (!e && (!p->intent || !p->tags || !p->logits))
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	if (!e)
		e = run_parts(p, ctx);
	if (!e)
		score(p, q);
	free(p->intent);
	free(p->tags);
	free(p->logits);
	label_room_release(&p->room);
	return e;
}

/* A slow device gets few inputs at once. */
static size_t inputs_a_run(const struct device *d, const struct hardware *h)
{
	const struct device_info *info = device_info(d);
	double us = info->instruction_ns ? h->instructions * info->instruction_ns / 1e3
					 : h->latency_us;
	double n = TIME_SHARE * 1e3 * device_profile(d)->timeout_ms / us;

	return n < 1 ? 1 : n < INPUTS_A_RUN ? (size_t)n : INPUTS_A_RUN;
}

/* The test split, or as much of it as the job lets a device answer. */
static enum err verify_inputs(struct pass *p, const struct genome *g, struct quality *q,
	struct err_ctx *ctx)
{
	const struct encoded *all;
	struct encoded some;
	size_t n = p->s->job.n_device_inputs;
	enum err e = corpus_encoded(
		&p->s->corpus, SPLIT_TEST, g->vocab_size, g->seq_len, &all, ctx);

	if (e)
		return e;
	p->e = all;
	if (!n || n >= all->n)
		return verify(p, q, ctx);
	if ((e = encoded_sample(all, n, &some, ctx)))
		return e;
	p->e = &some;
	e = verify(p, q, ctx);
	encoded_release(&some);
	return e;
}

static enum err verify_one(struct verification *v, size_t device, size_t i,
	struct err_ctx *ctx)
{
	struct session *s = v->s;
	struct session_device *d = &s->device[device];
	const struct hardware *h = &v->h[device][i];
	const struct quality_origin from = {SPLIT_TEST, "device", s->job.seed * 1000,
		&v->weights[i].hash, d};
	struct pass p = {.s = s,
		.dev = d->dev,
		.image = &h->artefact.image,
		.inputs_a_run = inputs_a_run(d->dev, h)};
	struct quality q;
	struct hash hash;
	enum err e;

	if ((e = device_upload(d->dev, h->artefact.path, p.image, ctx)) ||
		(e = verify_inputs(&p, &v->g[i], &q, ctx)))
		return e;
	genome_hash(&v->g[i], &hash);
	pthread_mutex_lock(&s->lock);
	e = session_put_quality(s, &hash, &q, &from, ctx);
	pthread_mutex_unlock(&s->lock);
	return e;
}

static enum err verify_device(void *self, size_t device, struct err_ctx *ctx)
{
	struct verification *v = self;
	const size_t *todo = v->todo + device * v->n;
	enum err e = ERR_OK;

	while (v->all.n_done[device] < v->all.n_all[device] && !e) {
		e = verify_one(v, device, todo[v->all.n_done[device]], ctx);
		if (!e)
			at_once_did(&v->all, device);
	}
	return e;
}

/* ---- which of the finalists have to be asked */

/* Has that device answered for these weights? Rows from before they told which device it was
 * are of a job's only one. */
static int is_answer(const struct store_accuracy *r, const struct session *s,
	const struct session_device *d, const struct hash *weights)
{
	int of_device = r->device_name[0]
				? !strcmp(r->device_name, d->name) &&
					  hash_equal(&r->device,
						  &device_info(d->dev)->fingerprint)
				: s->n_devices == 1;

	return of_device && !strcmp(r->method, "device") &&
	       hash_equal(&r->source, weights) && hash_equal(&r->data, &s->corpus.hash);
}

static void list_todo(struct verification *v, size_t i, const struct store_accuracy *rows,
	size_t n)
{
	for (size_t d = 0; d < v->s->n_devices; d++) {
		const struct session_device *of = &v->s->device[d];
		size_t k = 0;

		if (device_info(of->dev)->simulated || v->h[d][i].verdict != VERDICT_OK)
			continue;
		while (k < n && !is_answer(&rows[k], v->s, of, &v->weights[i].hash))
			k++;
		if (k == n)
			v->todo[d * v->n + v->all.n_all[d]++] = i;
	}
}

static enum err list_all(struct verification *v, struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < v->n && !e; i++) {
		struct store_accuracy *rows;
		struct hash hash;
		size_t n;

		genome_hash(&v->g[i], &hash);
		e = store_list_accuracy(
			v->s->store, v->s->job_id, &hash, &rows, &n, ctx);
		if (e)
			break;
		list_todo(v, i, rows, n);
		free(rows);
	}
	return e;
}

enum err final_verify(struct session *s, const struct genome *g,
	const struct build_weights *weights, struct hardware *const *h, size_t n,
	struct err_ctx *ctx)
{
	struct verification v = {.s = s, .g = g, .weights = weights, .h = h, .n = n};
	enum err e;

	if (!n || !s->corpus.data.n[SPLIT_TEST])
		return ERR_OK;
	v.all = (struct at_once){.s = s,
		.task = "checking answers",
		.what = "test splits answered",
		.step = verify_device,
		.self = &v};
	v.todo = calloc(n * s->n_devices + 1, sizeof(*v.todo));
	if (!v.todo)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = list_all(&v, ctx);
	e = e ? e : at_once_run(&v.all, ctx);
	free(v.todo);
	return e;
}
