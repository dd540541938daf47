#include "src/eval/session.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/codegen/codegen.h"
#include "src/eval/device_target.h"
#include "src/model/calibrate.h"
#include "src/model/graph.h"

#define N_GOLDEN 4
#define N_GOLDEN_SMALL 2 /* for a board whose window is below SMALL_WINDOW */
#define SMALL_WINDOW (256u << 10)

/* Static scales come from so many training sentences, or from fewer, where these would be
 * too many multiply-adds for the host's reference. */
#define MAX_CALIBRATION 64
#define MIN_CALIBRATION 8
#define CALIBRATION_MACS 1e9

/* The vocabulary that travels with a model: the first ids of the corpus's table. */
static void pack_vocabulary(
	const struct tokeniser_table *t, uint32_t vocab_size, struct buf *out)
{
	struct tokeniser_table own = *t;

	if (vocab_size < t->vocab_size) {
		own.vocab_size = vocab_size;
		own.n_merges = vocab_size - N_SPECIAL_TOKENS - t->n_bytes;
	}
	tokeniser_pack(&own, out);
}

static enum err validation(struct session *s, const struct genome *g,
	const struct encoded **out, struct err_ctx *ctx)
{
	enum err e = corpus_encoded(
		&s->corpus, SPLIT_VALID, g->vocab_size, g->seq_len, out, ctx);

	if (!e && !(*out)->n)
		e = err_set(ctx, ERR_INVALID, "data '%s' has no validation sentences",
			s->job.data);
	return e;
}

enum err session_timed_tokens(
	struct session *s, const struct genome *g, uint32_t *out, struct err_ctx *ctx)
{
	const struct encoded *v;
	enum err e;

	if (s->job.measure.n_tokens) {
		*out = s->job.measure.n_tokens < g->seq_len ? s->job.measure.n_tokens
							    : g->seq_len;
		return ERR_OK;
	}
	e = validation(s, g, &v, ctx);
	if (e)
		return e;
	*out = (uint32_t)((v->start[v->n] + v->n / 2) / v->n);
	*out = *out < 1 ? 1 : *out;
	return ERR_OK;
}

/* Sentences that exercise a build: one of the timed length first, the longest, the
 * shortest, the first. */
static void pick_golden(const struct encoded *v, uint32_t timed, size_t pick[N_GOLDEN])
{
	uint32_t best = UINT32_MAX, longest = 0, shortest = UINT32_MAX;

	memset(pick, 0, N_GOLDEN * sizeof(*pick));
	for (size_t i = 0; i < v->n; i++) {
		uint32_t n = v->start[i + 1] - v->start[i];
		uint32_t away = n > timed ? n - timed : timed - n;

		if (!n)
			continue;
		if (away < best) {
			best = away;
			pick[0] = i;
		}
		if (n > longest) {
			longest = n;
			pick[1] = i;
		}
		if (n < shortest) {
			shortest = n;
			pick[2] = i;
		}
	}
}

static void join_names(char *const *names, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s\n", names[i]);
}

/* Everything a build embeds besides the weights; released with the input. */
struct embedded {
	struct buf vocab, intents, tags;
	int32_t *ids;
	uint32_t len[N_GOLDEN];
	struct act_scales scales;
};

static size_t n_calibration(
	const struct session *s, const struct genome *g, const struct encoded *e)
{
	struct graph_cost c;
	double n;

	graph_cost(
		g, &s->task, (e->start[e->n] + (uint32_t)e->n - 1) / (uint32_t)e->n, &c);
	n = CALIBRATION_MACS / (c.macs + 1);
	n = n < MIN_CALIBRATION ? MIN_CALIBRATION : n;
	n = n > MAX_CALIBRATION ? MAX_CALIBRATION : n;
	return n < (double)e->n ? (size_t)n : e->n;
}

/* Evenly over the training split. */
static enum err calibrate_on_train(struct session *s, const struct genome *g,
	const struct tensor_source *weights, struct act_scales *out, struct err_ctx *ctx)
{
	uint32_t len[MAX_CALIBRATION];
	struct calibration_inputs in = {.len = len};
	const struct encoded *e;
	size_t n, at = 0;
	int32_t *ids;
	enum err rc = corpus_encoded(
		&s->corpus, SPLIT_TRAIN, g->vocab_size, g->seq_len, &e, ctx);

	if (rc)
		return rc;
	if (!e->n)
		return err_set(ctx, ERR_INVALID, "data '%s' has no training sentences",
			s->job.data);
	n = n_calibration(s, g, e);
	ids = malloc(n * g->seq_len * sizeof(*ids));
	if (!ids)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		uint32_t from = e->start[i * e->n / n];
		uint32_t count = e->start[i * e->n / n + 1] - from;

		if (!count)
			continue;
		len[in.n++] = count;
		memcpy(ids + at, e->ids + from, count * sizeof(*ids));
		at += count;
	}
	in.ids = ids;
	rc = calibrate(g, &s->task, weights, &in, out, ctx);
	free(ids);
	return rc;
}

static enum err collect(struct session *s, const struct genome *g, struct embedded *m,
	struct codegen_input *in, struct err_ctx *ctx)
{
	const struct encoded *v;
	size_t pick[N_GOLDEN], at = 0;
	enum err e;

	if ((e = validation(s, g, &v, ctx)) ||
		(e = session_timed_tokens(s, g, &in->timed_tokens, ctx)))
		return e;
	pick_golden(v, in->timed_tokens, pick);
	m->ids = malloc((size_t)N_GOLDEN * g->seq_len * sizeof(*m->ids));
	if (!m->ids)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (int i = 0; i < N_GOLDEN; i++) {
		uint32_t from = v->start[pick[i]];

		m->len[i] = v->start[pick[i] + 1] - from;
		memcpy(m->ids + at, v->ids + from, m->len[i] * sizeof(*m->ids));
		at += m->len[i];
	}
	pack_vocabulary(s->corpus.tokeniser, g->vocab_size, &m->vocab);
	join_names(s->corpus.data.intents, s->corpus.data.n_intents, &m->intents);
	join_names(s->corpus.data.tags, s->corpus.data.n_tags, &m->tags);
	in->vocab = (const uint8_t *)m->vocab.data;
	in->vocab_len = m->vocab.len;
	in->intent_names = m->intents.len ? m->intents.data : NULL;
	in->tag_names = m->tags.len ? m->tags.data : NULL;
	in->rules = &s->corpus.rules;
	in->golden_ids = m->ids;
	in->golden_len = m->len;
	in->n_golden = N_GOLDEN;
	return buf_err(&m->vocab, ctx);
}

enum err session_codegen_input(struct session *s, const struct genome *g,
	const struct build_weights *w, session_codegen_fn use, void *self,
	struct err_ctx *ctx)
{
	struct flat_weights flat = {w->flat};
	struct codegen_input in;
	struct embedded m;
	enum err e;

	memset(&in, 0, sizeof(in));
	memset(&m, 0, sizeof(m));
	in.genome = g;
	in.task = s->task;
	in.weights = tensor_source_flat(&flat);
	in.weights_hash = w->hash;
	in.broken_kernel = s->broken_kernel;
	e = collect(s, g, &m, &in, ctx);
	if (!e && g->act_scales) {
		in.scales = &m.scales;
		e = calibrate_on_train(s, g, &in.weights, &m.scales, ctx);
	}
	if (!e)
		e = use(self, &in, ctx);
	buf_release(&m.vocab);
	buf_release(&m.intents);
	buf_release(&m.tags);
	free(m.ids);
	return e;
}

struct build_request {
	const struct session *s;
	const struct device *d;
	const struct wisdom *wisdom;
	struct artefact *out;
};

static enum err build(void *self, const struct codegen_input *in, struct err_ctx *ctx)
{
	struct build_request *r = self;
	struct device_target t;
	struct codegen_input own = *in;
	char cache[1200];
	int hit;
	enum err e = file_join(cache, sizeof(cache), r->s->results, "builds", ctx);

	e = e ? e : device_target(&t, r->d, ctx);
	if (e)
		return e;
	own.memories = t.memories;
	if (t.memories.window && t.memories.window < SMALL_WINDOW)
		own.n_golden = N_GOLDEN_SMALL;
	own.n_threads = device_profile(r->d)->threads;
	wisdom_apply(r->wisdom, &own);
	return codegen_build(&own, &t.target, cache, r->out, &hit, ctx);
}

enum err session_build(struct session *s, size_t device, const struct genome *g,
	const struct build_weights *w, struct artefact *out, struct err_ctx *ctx)
{
	const struct session_device *d = &s->device[device];
	struct build_request r = {s, d->dev, &d->wisdom, out};

	return session_codegen_input(s, g, w, build, &r, ctx);
}
