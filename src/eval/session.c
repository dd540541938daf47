#include "src/eval/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/file.h"
#include "src/eval/parallel.h"

#define LIMIT_DRAWS 1000

/* ---- the supernet's sandwich, drawn from the space */

static void draw_largest(void *self, struct genome *g)
{
	space_largest(((struct session *)self)->space, g);
}

static void draw_smallest(void *self, struct genome *g)
{
	space_smallest(((struct session *)self)->space, g);
}

static void draw_random(void *self, struct rng *rng, struct genome *g)
{
	struct session *s = self;

	space_sample(s->space, &s->task, rng, g);
}

static size_t draw_extremes(void *self, struct genome *g, size_t cap)
{
	return space_extremes(((struct session *)self)->space, g, cap);
}

enum err session_open_supernet(struct session *s, struct err_ctx *ctx)
{
	struct sampler sampler = {
		s, draw_largest, draw_smallest, draw_random, draw_extremes, {{0}}};
	char dir[1200];
	enum err e;

	space_hash(s->space, &sampler.hash);
	if ((e = file_join(dir, sizeof(dir), s->results, "supernets", ctx)) ||
		(e = file_mkdirs(dir, ctx)))
		return e;
	s->job.supernet.progress = s->progress;
	s->job.supernet.cancel = s->cancel;
	return supernet_open(
		&s->supernet, &s->corpus, &sampler, &s->job.supernet, dir, ctx);
}

/* ---- which metrics on which devices */

static enum err find_device(
	struct session *s, const char *name, int *index, struct err_ctx *ctx)
{
	for (size_t i = 0; i < s->n_devices; i++) {
		if (!strcmp(s->device[i].name, name)) {
			*index = (int)i;
			return ERR_OK;
		}
	}
	if (s->n_devices == SESSION_MAX_DEVICES)
		return err_set(ctx, ERR_INVALID, "more than %d devices in one job",
			SESSION_MAX_DEVICES);
	snprintf(s->device[s->n_devices].name, sizeof(s->device[0].name), "%s", name);
	*index = (int)s->n_devices++;
	return ERR_OK;
}

static enum err track(struct session *s, const struct objective *o, struct err_ctx *ctx)
{
	struct tracked *t;
	enum err e;

	for (size_t i = 0; i < s->n_tracked; i++)
		if (s->tracked[i].o.metric == o->metric &&
			!strcmp(s->tracked[i].o.device, o->device))
			return ERR_OK;
	t = &s->tracked[s->n_tracked++];
	memset(t, 0, sizeof(*t));
	t->o = *o;
	t->device = -1;
	if (!o->device[0])
		return ERR_OK;
	if ((e = device_group_parse(&t->group, o->device, ctx)))
		return e;
	for (size_t i = 0; i < t->group.n && !e; i++)
		e = find_device(s, t->group.name[i], &t->member[i], ctx);
	t->device = t->member[0];
	return e;
}

static enum err track_all(struct session *s, struct err_ctx *ctx)
{
	enum err e;

	for (size_t i = 0; i < s->job.n_objectives; i++)
		if ((e = track(s, &s->job.objectives[i], ctx)))
			return e;
	for (size_t i = 0; i < s->job.n_limits; i++)
		if ((e = track(s, &s->job.limits[i].what, ctx)))
			return e;
	return ERR_OK;
}

/* A metric that the task does not have would be NAN for ever: refuse it now. */
static enum err check_metrics(const struct session *s, struct err_ctx *ctx)
{
	static const char *const of_kind[N_TASK_KINDS] = {
		"intent_acc cross_entropy",
		"slot_f1 intent_acc sentence_acc cross_entropy",
		"cross_entropy perplexity",
	};

	for (size_t i = 0; i < s->n_tracked; i++) {
		const struct metric *m = s->tracked[i].o.metric;

		if (m->quality && !strstr(of_kind[s->task.kind], m->name))
			return err_set(ctx, ERR_INVALID,
				"metric '%s' does not exist for a task of kind '%s' (%s)",
				m->name, task_kind_names[s->task.kind],
				of_kind[s->task.kind]);
		if (!strncmp(m->name, "step_", 5) && s->task.kind != TASK_LM)
			return err_set(ctx, ERR_INVALID,
				"metric '%s' is the next token of a decoder; a task of "
				"kind '%s' has none",
				m->name, task_kind_names[s->task.kind]);
	}
	if ((s->task.kind == TASK_LM) != (space_arch(s->space) == ARCH_DECODER))
		return err_set(ctx, ERR_INVALID,
			"space '%s' has arch '%s' but data '%s' needs '%s'",
			space_name(s->space), arch_names[space_arch(s->space)],
			s->job.data,
			arch_names[s->task.kind == TASK_LM ? ARCH_DECODER
							   : ARCH_ENCODER]);
	return ERR_OK;
}

/* A limit that can be told without measuring, and that no network of the space is within,
 * would make the whole search one of failures: refuse it now. */
static enum err check_limit(
	const struct session *s, const struct limit *l, struct err_ctx *ctx)
{
	double nearest = NAN;
	char name[2 * METRIC_NAME_MAX];
	struct genome g;
	struct rng rng;

	rng_init(&rng, s->job.seed);
	for (int i = 0; i < LIMIT_DRAWS; i++) {
		double v;

		if (i == 0)
			space_smallest(s->space, &g);
		else if (i == 1)
			space_largest(s->space, &g);
		else
			space_sample(s->space, &s->task, &rng, &g);
		v = analytic_value(s, &g, l->what.metric);
		if (limit_holds(l, v))
			return ERR_OK;
		if (!(fabs(v - l->bound) >= fabs(nearest - l->bound)))
			nearest = v;
	}
	objective_format(&l->what, name, sizeof(name));
	return err_set(ctx, ERR_INVALID,
		"no network of space '%s' is within the limit '%s%s%g': the nearest has %g",
		space_name(s->space), name, l->op, l->bound, nearest);
}

static enum err check_limits(const struct session *s, struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < s->job.n_limits && !e; i++) {
		const struct metric *m = s->job.limits[i].what.metric;

		if (!m->quality && !m->per_device)
			e = check_limit(s, &s->job.limits[i], ctx);
	}
	return e;
}

/* A job that tunes uses all wisdom: it has that of each candidate before the first build.
 * One that does not uses what was there when it began, so that what others find out later
 * changes no build of it. */
static enum err open_wisdom(struct session *s, struct err_ctx *ctx)
{
	int64_t last = INT64_MAX;
	char number[32], *kept;
	enum err e = ERR_OK;

	if (!s->job.tune) {
		e = store_get_meta(s->store, s->job_id, "wisdom", &kept, ctx);
		if (!e) {
			last = strtoll(kept, NULL, 10);
			free(kept);
		} else if (e == ERR_NOTFOUND &&
			   !(e = store_last_wisdom(s->store, NULL, &last, ctx))) {
			snprintf(number, sizeof(number), "%lld", (long long)last);
			e = store_put_meta(s->store, s->job_id, "wisdom", number, ctx);
		}
	}
	for (size_t i = 0; i < s->n_devices && !e; i++)
		wisdom_init(&s->device[i].wisdom, s->store, &s->lock, s->device[i].dev,
			s->results, last);
	return e;
}

/* ---- what the report needs to know about the job */

static enum err put_limits(struct session *s, struct err_ctx *ctx)
{
	struct buf text;
	char what[2 * METRIC_NAME_MAX];
	enum err e;

	buf_init(&text);
	for (size_t i = 0; i < s->job.n_limits; i++) {
		const struct limit *l = &s->job.limits[i];

		objective_format(&l->what, what, sizeof(what));
		buf_printf(&text, "%s%s%s%.12g", i ? "\n" : "", what, l->op, l->bound);
	}
	e = buf_err(&text, ctx);
	if (!e && text.len)
		e = store_put_meta(s->store, s->job_id, "limits", buf_str(&text), ctx);
	buf_release(&text);
	return e;
}

static enum err describe(struct session *s, struct err_ctx *ctx)
{
	char text[OBJECTIVES_MAX * 2 * METRIC_NAME_MAX] = "", one[2 * METRIC_NAME_MAX];
	char number[64], hex[HASH_HEX + 1];
	struct genome g;
	uint32_t tokens;
	enum err e;

	for (size_t i = 0; i < s->job.n_objectives; i++) {
		objective_format(&s->job.objectives[i], one, sizeof(one));
		strcat(text, i ? "\n" : "");
		strcat(text, one);
	}
	space_largest(s->space, &g);
	if ((e = session_timed_tokens(s, &g, &tokens, ctx)) || (e = put_limits(s, ctx)) ||
		(e = store_set_objectives(s->store, s->job_id, text, ctx)) ||
		(e = store_put_meta(s->store, s->job_id, "task_kind",
			 task_kind_names[s->task.kind], ctx)) ||
		(e = store_put_meta(
			 s->store, s->job_id, "data", s->corpus.data.name, ctx)) ||
		(e = store_put_meta(
			 s->store, s->job_id, "data_note", s->corpus.data.note, ctx)) ||
		(e = store_put_meta(
			 s->store, s->job_id, "blas", train_blas_description(), ctx)))
		return e;
	hash_to_hex(&s->corpus.hash, hex);
	if ((e = store_put_meta(s->store, s->job_id, "data_hash", hex, ctx)))
		return e;
	snprintf(number, sizeof(number), "%d", s->task.n_intents);
	if ((e = store_put_meta(s->store, s->job_id, "n_intents", number, ctx)))
		return e;
	snprintf(number, sizeof(number), "%d", s->task.n_tags);
	if ((e = store_put_meta(s->store, s->job_id, "n_tags", number, ctx)))
		return e;
	snprintf(number, sizeof(number), "%u", (unsigned)tokens);
	return store_put_meta(s->store, s->job_id, "timed_tokens", number, ctx);
}

static enum err open_data(
	struct session *s, const struct session_options *o, struct err_ctx *ctx)
{
	enum err e;

	if ((e = job_parse(&s->job, o->job_text, o->job_file, ctx)) ||
		(e = space_open(&s->space, s->job.space, ctx)) || (e = track_all(s, ctx)))
		return e;
	progress_say(s->progress, "reading %s", s->job.data);
	e = corpus_open(&s->corpus, s->job.data, s->job.format[0] ? s->job.format : NULL,
		space_max_vocab(s->space), ctx);
	if (e)
		return e;
	s->has_corpus = 1;
	s->task = dataset_task(&s->corpus.data);
	e = check_metrics(s, ctx);
	return e ? e : check_limits(s, ctx);
}

/* `hours` in a job's `stop` are of all its runs together. */
static void read_hours(struct session *s)
{
	char *text = NULL;

	if (!store_get_meta(s->store, s->job_id, "hours", &text, NULL))
		s->hours_before = strtod(text, NULL);
	free(text);
}

static enum err open_job(
	struct session *s, const struct session_options *o, struct err_ctx *ctx)
{
	char hex[HASH_HEX + 1];
	enum err e;

	if ((e = file_mkdirs(s->results, ctx)) ||
		(e = store_open(&s->store, s->database, STORE_WRITE, ctx)) ||
		(e = store_job_open(s->store, s->job.name, &s->job.spec, o->job_text,
			 &s->job_id, ctx)))
		return e;
	store_clear_stop(s->database, s->job.name);
	read_hours(s);
	if ((e = store_job_set_state(s->store, s->job_id, "running", ctx)) ||
		(e = describe(s, ctx)) || (e = session_open_devices(s, ctx)) ||
		(e = open_wisdom(s, ctx)) || (e = session_open_priors(s, ctx)))
		return e;
	s->broken_kernel = o->broken_kernel;
	if ((e = session_open_supernet(s, ctx)))
		return e;
	hash_to_hex(supernet_hash(s->supernet), hex);
	return store_put_meta(s->store, s->job_id, "supernet", hex, ctx);
}

void session_note_end(struct session *s, enum err e, const struct err_ctx *why)
{
	int goes_on = e == ERR_CANCELLED || e == ERR_DEVICE || e == ERR_REFUSED;

	if (!s->job_id)
		return;
	store_job_set_state(s->store, s->job_id, goes_on ? "stopped" : "failed", NULL);
	store_put_event(s->store, s->job_id, "error", why ? why->msg : "", NULL);
}

static void start(struct session *s, const struct session_options *o)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->results, sizeof(s->results), "%s", o->results);
	snprintf(s->database, sizeof(s->database), "%s", o->database);
	s->progress = o->progress;
	s->cancel = o->cancel;
	s->started_ns = clock_mono_ns();
	pthread_mutex_init(&s->lock, NULL);
}

enum err session_open(
	struct session *s, const struct session_options *o, struct err_ctx *ctx)
{
	enum err e = session_open_data(s, o, ctx);

	if (e)
		return e;
	e = open_job(s, o, ctx);
	if (e) {
		session_note_end(s, e, ctx);
		session_close(s);
	}
	return e;
}

enum err session_open_data(
	struct session *s, const struct session_options *o, struct err_ctx *ctx)
{
	enum err e;

	start(s, o);
	e = open_data(s, o, ctx);
	if (e)
		session_close(s);
	return e;
}

static enum err close_device(void *self, size_t device, struct err_ctx *ctx)
{
	(void)ctx;
	device_close(((struct session *)self)->device[device].dev);
	return ERR_OK;
}

void session_close(struct session *s)
{
	for (size_t i = 0; i < s->n_devices; i++) {
		if (s->device[i].state.state == DEVICE_LEASED && s->device[i].dev)
			session_note_device(s, i, DEVICE_IDLE, "");
		wisdom_release(&s->device[i].wisdom);
	}
	parallel_all(s->n_devices, close_device, s, NULL);
	for (size_t i = 0; i < s->n_tracked; i++) {
		transfer_choice_release(&s->tracked[i].choice);
		fitted_release(&s->tracked[i].prior);
		fitted_release(&s->tracked[i].fit);
	}
	supernet_close(s->supernet);
	space_close(s->space);
	if (s->has_corpus)
		corpus_release(&s->corpus);
	store_close(s->store);
	free(s->known);
	free(s->inherited);
	pthread_mutex_destroy(&s->lock);
	memset(s, 0, sizeof(*s));
}
