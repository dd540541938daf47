#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/report/facts.h"
#include "src/report/text.h"

#define JOB_LIMITS_MAX 8 /* read at most: what job files may have */

/* A candidate that passed the limits, before its texts are copied. */
struct row {
	uint32_t candidate;
	int on_front;
	int known;  /* every objective has a value */
	int inside; /* the job's own limits */
	const struct hash *hash;
	struct value v[OBJECTIVES_MAX];
	double cost[OBJECTIVES_MAX]; /* all minimised; NAN where unknown */
};

struct collection {
	const struct facts *f;
	const struct front_query *q;
	struct objective o[OBJECTIVES_MAX];
	size_t n_o;
	size_t order[OBJECTIVES_MAX];	     /* costs before qualities */
	struct limit limits[JOB_LIMITS_MAX]; /* the job's own, for its front */
	size_t n_limits;
	struct row *rows;
	size_t n;
};

enum err front_objectives(struct store *s, const char *job,
	struct objective out[OBJECTIVES_MAX], size_t *n, struct err_ctx *ctx)
{
	struct store_job j;
	enum err e = store_job_find(s, job, &j, ctx);

	if (e)
		return e;
	e = objectives_parse(j.objectives, out, n, ctx);
	if (!e && !*n)
		e = err_set(ctx, ERR_INVALID,
			"job '%s' has stored no objectives: name them with --objectives",
			j.name);
	store_job_release(&j);
	return e;
}

static enum err choose_objectives(struct collection *c, struct err_ctx *ctx)
{
	const struct objective *from =
		c->q->n_objectives ? c->q->objectives : c->f->objectives;
	size_t at = 0;

	c->n_o = c->q->n_objectives ? c->q->n_objectives : c->f->n_objectives;
	if (!c->n_o || c->n_o > OBJECTIVES_MAX)
		return err_set(ctx, ERR_INVALID,
			"job '%s' has %zu objectives: name 1 to %d with --objectives",
			c->f->job.name, c->n_o, OBJECTIVES_MAX);
	memcpy(c->o, from, c->n_o * sizeof(*from));
	for (int quality = 0; quality < 2; quality++)
		for (size_t k = 0; k < c->n_o; k++)
			if (!c->o[k].metric->quality == !quality)
				c->order[at++] = k;
	return ERR_OK;
}

/* ---- values and limits */

/* The search holds its front within the job's limits (meta "limits", one a line), and so
 * does every view of it. Lists of all candidates or finalists are whole all the same. */
static enum err read_job_limits(struct collection *c, struct err_ctx *ctx)
{
	const char *at = facts_meta(c->f, "limits");
	char line[160];

	while (at && *at && c->n_limits < JOB_LIMITS_MAX) {
		size_t len = strcspn(at, "\n");
		enum err e;

		if (len >= sizeof(line))
			return err_set(ctx, ERR_CORRUPT, "job '%s' has a malformed limit",
				c->f->job.name);
		memcpy(line, at, len);
		line[len] = '\0';
		if ((e = limit_parse(&c->limits[c->n_limits], line, ctx)))
			return e;
		c->n_limits++;
		at += len + (at[len] == '\n');
	}
	return ERR_OK;
}

static int within(const struct collection *c, uint32_t candidate,
	const struct limit *limits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct value v;

		facts_value(c->f, candidate, &limits[i].what, "valid", &v, NULL);
		if (!limit_holds(&limits[i], v.value))
			return 0;
	}
	return 1;
}

/* 0 when nothing is known of it, or a limit is broken. */
static int fill_row(const struct collection *c, uint32_t candidate, struct row *r)
{
	int any = 0;

	memset(r, 0, sizeof(*r));
	r->candidate = candidate;
	r->hash = &c->f->candidates[candidate].hash;
	r->known = 1;
	for (size_t k = 0; k < c->n_o; k++) {
		facts_value(c->f, candidate, &c->o[k], "valid", &r->v[k], NULL);
		r->cost[k] = c->o[k].metric->maximise ? -r->v[k].value : r->v[k].value;
		any |= !isnan(r->cost[k]);
		r->known &= !isnan(r->cost[k]);
	}
	r->inside = within(c, candidate, c->limits, c->n_limits);
	return any && within(c, candidate, c->q->where, c->q->n_where);
}

/* ---- dominance: in lexicographic order a point can be dominated only by an earlier one,
 * so each is held against the front so far. */

static int compare_unknown_last(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a > b) - (a < b);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct collection *c = arg;
	const struct row *x = a, *y = b;

	for (size_t i = 0; i < c->n_o; i++) {
		size_t k = c->order[i];
		int d = compare_unknown_last(x->cost[k], y->cost[k]);

		if (d)
			return d;
	}
	return memcmp(x->hash->b, y->hash->b, HASH_BYTES);
}

static int dominates(const struct row *a, const struct row *b, size_t m)
{
	int better = 0;

	for (size_t k = 0; k < m; k++) {
		if (a->cost[k] > b->cost[k])
			return 0;
		better |= a->cost[k] < b->cost[k];
	}
	return better;
}

static enum err mark_front(struct collection *c, struct err_ctx *ctx)
{
	size_t *front = malloc((c->n + 1) * sizeof(*front)), n = 0;

	if (!front)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < c->n; i++) {
		struct row *r = &c->rows[i];
		size_t j = n;

		/* The newest members are the nearest in the first objective. */
		int may = r->known && r->inside;

		while (may && j > 0 && !dominates(&c->rows[front[j - 1]], r, c->n_o))
			j--;
		r->on_front = may && j == 0;
		if (r->on_front)
			front[n++] = i;
	}
	free(front);
	return ERR_OK;
}

/* ---- what is shown */

static int has_test(const struct collection *c, uint32_t candidate, struct front_point *p)
{
	int n, most = 0;

	for (size_t k = 0; k < c->n_o; k++) {
		p->test[k] = (struct value){NAN, {NAN, NAN}, PROV_NONE, 0};
		if (!c->o[k].metric->quality)
			continue;
		facts_value(c->f, candidate, &c->o[k], "test", &p->test[k], &n);
		most = n > most ? n : most;
	}
	p->n_seeds = most;
	return most > 0;
}

static void fill_point(
	const struct collection *c, const struct row *r, struct front_point *p)
{
	const struct store_candidate *sc = &c->f->candidates[r->candidate];

	memset(p, 0, sizeof(*p));
	p->candidate = sc->hash;
	strncpy(p->text, sc->text, sizeof(p->text) - 1);
	p->finalist = sc->finalist;
	p->on_front = r->on_front;
	memcpy(p->v, r->v, sizeof(p->v));
	has_test(c, r->candidate, p);
	for (size_t k = c->n_o; k-- > 0;) { /* the first one stays */
		const struct store_measurement *m;

		if (!c->o[k].metric->per_device)
			continue;
		m = facts_measurement(c->f, r->candidate, c->o[k].device);
		if (!m)
			continue;
		p->build = m->m.build;
		p->device = m->m.device;
		if (!m->m.stack_bytes)
			continue;
		p->stack_bytes = m->m.stack_bytes;
		p->ram_bytes = m->m.peak_rss_bytes;
		p->emulated = m->m.instructions > 0;
		snprintf(p->board, sizeof(p->board), "%s", m->device_name);
	}
}

/* A cheaper front member whose quality interval overlaps: nothing resolved was bought. */
static int ties(
	const struct front *f, const struct front_point *p, const struct front_point *q)
{
	int overlap = 0;

	for (size_t k = 0; k < f->n_objectives; k++) {
		const struct value *a = &p->v[k], *b = &q->v[k];

		if (f->objectives[k].metric->quality)
			overlap |= a->ci.lo <= b->ci.hi && b->ci.lo <= a->ci.hi;
		else if (f->objectives[k].metric->maximise ? b->value < a->value
							   : b->value > a->value)
			return 0;
	}
	return overlap;
}

static void mark_ties(struct front *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct front_point *p = &f->points[i];

		/* whatever costs no more stands before it */
		for (size_t j = 0; p->on_front && j < i && !p->tied; j++) {
			const struct front_point *q = &f->points[j];

			if (q->on_front && ties(f, p, q)) {
				p->tied = 1;
				p->tied_with = q->candidate;
			}
		}
	}
}

static int is_shown(
	const struct collection *c, const struct row *r, struct front_point *p)
{
	if (c->q->finalists_only)
		return c->f->candidates[r->candidate].finalist &&
		       has_test(c, r->candidate, p);
	return c->q->all || r->on_front;
}

static enum err make_points(
	const struct collection *c, struct front *out, struct err_ctx *ctx)
{
	struct front_point scratch;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += is_shown(c, &c->rows[i], &scratch) != 0;
	out->points = calloc(n + 1, sizeof(*out->points));
	if (!out->points)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < c->n; i++)
		if (is_shown(c, &c->rows[i], &scratch))
			fill_point(c, &c->rows[i], &out->points[out->n++]);
	return ERR_OK;
}

/* ---- the best one */

static enum err best_objective(
	const struct collection *c, struct objective *o, struct err_ctx *ctx)
{
	const char *name = c->q->best;
	int quality = !strcmp(name, "accuracy") || !strcmp(name, "quality");

	for (size_t k = 0; k < c->n_o; k++) {
		const struct metric *m = c->o[k].metric;

		if (quality ? m->quality : !strcmp(m->name, name)) {
			*o = c->o[k];
			return ERR_OK;
		}
	}
	return objective_parse(o, name, ctx);
}

/* Among what is shown; ties go to the first in the order of the table. */
static enum err keep_best(
	const struct collection *c, struct front *out, struct err_ctx *ctx)
{
	struct objective o;
	size_t best = out->n;
	double best_cost = NAN;
	enum err e = best_objective(c, &o, ctx);

	if (e)
		return e;
	for (size_t i = 0; i < out->n; i++) {
		struct value v;
		double cost;

		facts_value(c->f, facts_find(c->f, &out->points[i].candidate), &o,
			"valid", &v, NULL);
		cost = o.metric->maximise ? -v.value : v.value;
		if (!isnan(cost) && (best == out->n || cost < best_cost)) {
			best = i;
			best_cost = cost;
		}
	}
	if (best < out->n)
		out->points[0] = out->points[best];
	out->n = best < out->n;
	return ERR_OK;
}

/* ---- what to compare with: notes that the end of a job leaves */

static double note(const struct facts *f, const char *kind, const struct metric *m)
{
	char key[96];
	const char *stored;

	snprintf(key, sizeof(key), "%s_%s", kind, m->name);
	stored = facts_meta(f, key);
	return stored ? strtod(stored, NULL) : NAN;
}

/* Appends ", METRIC TEXT" to a line. */
static void add_note(char *line, size_t cap, const struct metric *m, const char *text)
{
	size_t at = strlen(line);

	snprintf(line + at, cap - at, "%s%s %s",
		at && line[at - 1] != ' ' ? ", " : "", m->name, text);
}

static void fill_notes(const struct facts *f, struct front *out)
{
	const char *name = facts_meta(f, "baseline");
	const struct metric *m;
	char text[64];

	if (name)
		snprintf(out->baseline, sizeof(out->baseline), "(%s): ", name);
	for (size_t i = 0; (m = metric_at(i)) != NULL; i++) {
		double valid = note(f, "baseline_valid", m);
		double tau = note(f, "macs_tau", m);

		if (m->quality && !m->maximise)
			tau = -tau; /* of the ranking: less is better */
		snprintf(text, sizeof(text), "%.2f (test %.2f)", valid,
			note(f, "baseline_test", m));
		if (name && !isnan(valid))
			add_note(out->baseline, sizeof(out->baseline), m, text);
		snprintf(text, sizeof(text), "%.2f", tau);
		if (!isnan(tau))
			add_note(out->macs_tau, sizeof(out->macs_tau), m, text);
	}
}

static enum err collect(struct collection *c, struct front *out, struct err_ctx *ctx)
{
	enum err e = choose_objectives(c, ctx);

	if (!e)
		e = read_job_limits(c, ctx);
	if (e)
		return e;
	c->rows = malloc((c->f->n_candidates + 1) * sizeof(*c->rows));
	if (!c->rows)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < c->f->n_candidates; i++)
		c->n += fill_row(c, i, &c->rows[c->n]) != 0;
	if (c->n)
		qsort_r(c->rows, c->n, sizeof(*c->rows), compare_rows, c);
	e = mark_front(c, ctx);
	if (e)
		return e;
	memset(out, 0, sizeof(*out));
	memcpy(out->job, c->f->job.name, sizeof(out->job));
	memcpy(out->objectives, c->o, sizeof(out->objectives));
	out->n_objectives = c->n_o;
	fill_notes(c->f, out);
	e = make_points(c, out, ctx);
	if (e)
		return e;
	mark_ties(out);
	if (c->q->best)
		e = keep_best(c, out, ctx);
	if (e)
		front_release(out);
	return e;
}

enum err front_from_facts(const struct facts *f, const struct front_query *q,
	struct front *out, struct err_ctx *ctx)
{
	struct collection c = {.f = f, .q = q};
	enum err e = collect(&c, out, ctx);

	free(c.rows);
	return e;
}

enum err front_collect(struct store *s, const struct front_query *q, struct front *out,
	struct err_ctx *ctx)
{
	struct facts f;
	enum err e = facts_load(s, q->job, &f, ctx);

	if (e)
		return e;
	e = front_from_facts(&f, q, out, ctx);
	facts_release(&f);
	return e;
}

void front_release(struct front *f)
{
	free(f->points);
	memset(f, 0, sizeof(*f));
}
