#include "src/report/facts.h"

#include <stdlib.h>
#include <string.h>

enum err objectives_parse(const char *lines, struct objective out[OBJECTIVES_MAX],
	size_t *n, struct err_ctx *ctx)
{
	char line[2 * METRIC_NAME_MAX];

	*n = 0;
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		enum err e;

		if (len && *n == OBJECTIVES_MAX)
			return err_set(ctx, ERR_INVALID, "more than %d objectives",
				OBJECTIVES_MAX);
		if (len >= sizeof(line))
			return err_set(ctx, ERR_INVALID,
				"objective '%.40s...' is too long", lines);
		memcpy(line, lines, len);
		line[len] = 0;
		if (len && (e = objective_parse(&out[*n], line, ctx)))
			return e;
		*n += len > 0;
		lines += len + (lines[len] == '\n');
	}
	return ERR_OK;
}

/* ---- candidates by hash */

static int compare_candidates(const void *a, const void *b, void *list)
{
	const struct store_candidate *c = list;

	return memcmp(c[*(const uint32_t *)a].hash.b, c[*(const uint32_t *)b].hash.b,
		HASH_BYTES);
}

uint32_t facts_find(const struct facts *f, const struct hash *candidate)
{
	size_t lo = 0, hi = f->n_candidates;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(
			f->candidates[f->by_hash[mid]].hash.b, candidate->b, HASH_BYTES);

		if (!c)
			return f->by_hash[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NO_FACT;
}

static enum err index_candidates(struct facts *f, struct err_ctx *ctx)
{
	f->by_hash = calloc(f->n_candidates + 1, sizeof(*f->by_hash));
	if (!f->by_hash)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < f->n_candidates; i++)
		f->by_hash[i] = (uint32_t)i;
	if (f->n_candidates)
		qsort_r(f->by_hash, f->n_candidates, sizeof(*f->by_hash),
			compare_candidates, f->candidates);
	return ERR_OK;
}

/* ---- rows by candidate; `rows` is where the candidate's hash of the first row lies */

static enum err chain_init(struct chain *c, const struct facts *f, const char *rows,
	size_t stride, size_t n, struct err_ctx *ctx)
{
	c->first = malloc((f->n_candidates + 1) * sizeof(*c->first));
	c->next = malloc((n + 1) * sizeof(*c->next));
	if (!c->first || !c->next || n >= NO_FACT)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < f->n_candidates; i++)
		c->first[i] = NO_FACT;
	for (size_t i = 0; i < n; i++) {
		struct hash h;
		uint32_t at;

		memcpy(&h, rows + i * stride, sizeof(h));
		at = facts_find(f, &h);
		c->next[i] = NO_FACT;
		if (at == NO_FACT)
			continue;
		c->next[i] = c->first[at];
		c->first[at] = (uint32_t)i;
	}
	return ERR_OK;
}

#define CHAIN(f, chain, rows, n, member, ctx)                                            \
	chain_init(chain, f, n ? (const char *)&(rows)[0].member : NULL,                 \
		sizeof(*(rows)), n, ctx)

static enum err index_rows(struct facts *f, struct err_ctx *ctx)
{
	enum err e = index_candidates(f, ctx);

	if (!e)
		e = CHAIN(f, &f->accuracy_of, f->accuracy, f->n_accuracy, candidate, ctx);
	if (!e)
		e = CHAIN(f, &f->measurements_of, f->measurements, f->n_measurements,
			m.candidate, ctx);
	if (!e)
		e = CHAIN(f, &f->builds_of, f->builds, f->n_builds, candidate, ctx);
	return e;
}

/* ---- loading */

const char *facts_meta(const struct facts *f, const char *key)
{
	for (size_t i = 0; i < f->n_meta; i++)
		if (!strcmp(f->meta[i].key, key))
			return f->meta[i].value;
	return NULL;
}

/* A whole number in [0, hi]; -1 when there is none. */
static long meta_number(const struct facts *f, const char *key, long hi)
{
	const char *text = facts_meta(f, key);
	char *end;
	long v;

	if (!text || !*text)
		return -1;
	v = strtol(text, &end, 10);
	return *end || v < 0 || v > hi ? -1 : v;
}

static void read_task(struct facts *f)
{
	const char *kind = facts_meta(f, "task_kind");
	long n_intents = meta_number(f, "n_intents", 100000);
	long n_tags = meta_number(f, "n_tags", 100000);
	long tokens = meta_number(f, "timed_tokens", 65535);
	int k = 0;

	while (kind && k < N_TASK_KINDS && strcmp(kind, task_kind_names[k]))
		k++;
	if (!kind || k == N_TASK_KINDS || n_intents < 0 || n_tags < 0 || tokens < 1)
		return;
	f->task = (struct task_shape){(enum task_kind)k, (int)n_intents, (int)n_tags};
	f->timed_tokens = (uint32_t)tokens;
}

static void read_meta(struct facts *f)
{
	const char *data = facts_meta(f, "data_hash");
	const char *supernet = facts_meta(f, "supernet");

	read_task(f);
	f->has_data = data && hash_from_hex(&f->data, data);
	f->has_supernet = supernet && hash_from_hex(&f->supernet, supernet);
}

static enum err load_rows(struct store *s, struct facts *f, struct err_ctx *ctx)
{
	int64_t id = f->job.id;
	enum err e = store_list_candidates(s, id, &f->candidates, &f->n_candidates, ctx);

	if (!e)
		e = store_list_accuracy(s, id, NULL, &f->accuracy, &f->n_accuracy, ctx);
	if (!e)
		e = store_list_measurements(
			s, id, 0, &f->measurements, &f->n_measurements, ctx);
	if (!e)
		e = store_list_builds(s, id, NULL, &f->builds, &f->n_builds, ctx);
	if (!e)
		e = store_list_meta(s, id, &f->meta, &f->n_meta, ctx);
	return e;
}

enum err facts_load(
	struct store *s, const char *job, struct facts *f, struct err_ctx *ctx)
{
	enum err e;

	memset(f, 0, sizeof(*f));
	e = store_snapshot(s, ctx);
	if (e)
		return e;
	e = store_job_find(s, job, &f->job, ctx);
	if (!e)
		e = load_rows(s, f, ctx);
	store_snapshot_end(s);
	if (!e)
		e = objectives_parse(
			f->job.objectives, f->objectives, &f->n_objectives, ctx);
	if (!e)
		e = index_rows(f, ctx);
	if (e) {
		facts_release(f);
		return e;
	}
	read_meta(f);
	return ERR_OK;
}

static void chain_release(struct chain *c)
{
	free(c->first);
	free(c->next);
}

void facts_release(struct facts *f)
{
	store_job_release(&f->job);
	store_candidates_free(f->candidates, f->n_candidates);
	store_measurements_free(f->measurements, f->n_measurements);
	store_meta_free(f->meta, f->n_meta);
	free(f->by_hash);
	free(f->accuracy);
	free(f->builds);
	chain_release(&f->accuracy_of);
	chain_release(&f->measurements_of);
	chain_release(&f->builds_of);
	memset(f, 0, sizeof(*f));
}
