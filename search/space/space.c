/* Opening, identity, size and membership of a space. */
#include "search/space/gene.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/model/graph.h"

static int ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n >= k && !strcmp(s + n - k, tail);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum err no_such_space(const char *name, const char *dir, struct err_ctx *ctx)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, by_name);
	struct buf known;
	enum err e;

	buf_init(&known);
	for (int i = 0; i < n; i++) {
		const char *file = entries[i]->d_name;

		if (ends_with(file, ".yaml") && strcmp(file, "presets.yaml") != 0)
			buf_printf(&known, "%s%.*s", known.len ? ", " : "",
				(int)strlen(file) - 5, file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	e = err_set(ctx, ERR_NOTFOUND,
		"no search space '%s' (known: %s; or give a path that ends in .yaml)",
		name, known.len ? buf_str(&known) : "none");
	buf_release(&known);
	return e;
}

enum err space_open(struct space **out, const char *name_or_path, struct err_ctx *ctx)
{
	char home[4096], dir[4096], file[128], path[4096];
	enum err e;

	if (ends_with(name_or_path, ".yaml"))
		return space_parse_file(out, name_or_path, ctx);
	if ((e = file_home(home, sizeof(home), ctx)) ||
		(e = file_join(dir, sizeof(dir), home, "search/spaces", ctx)))
		return e;
	if (strchr(name_or_path, '/') || !strcmp(name_or_path, "presets") ||
		snprintf(file, sizeof(file), "%s.yaml", name_or_path) >=
			(int)sizeof(file))
		return no_such_space(name_or_path, dir, ctx);
	if ((e = file_join(path, sizeof(path), dir, file, ctx)))
		return e;
	if (!file_exists(path))
		return no_such_space(name_or_path, dir, ctx);
	return space_parse_file(out, path, ctx);
}

void space_close(struct space *s)
{
	if (!s)
		return;
	free(s->presets);
	free(s);
}

const char *space_name(const struct space *s)
{
	return s->name;
}

enum arch space_arch(const struct space *s)
{
	return s->arch;
}

uint32_t space_max_vocab(const struct space *s)
{
	return s->c[GENE_VOCAB_SIZE].v[s->c[GENE_VOCAB_SIZE].n - 1];
}

const char *space_preset(const struct space *s, size_t i, struct genome *g)
{
	if (i >= s->n_presets)
		return NULL;
	*g = s->presets[i].g;
	return s->presets[i].name;
}

struct task_shape space_least_task(const struct space *s)
{
	if (s->arch == ARCH_DECODER)
		return (struct task_shape){.kind = TASK_LM};
	return (struct task_shape){.kind = TASK_CLASSIFY, .n_intents = 1};
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Names, presets and summaries do not belong to the content. */
void space_hash(const struct space *s, struct hash *out)
{
	char text[SPACE_MAX_LIMITS][METRIC_NAME_MAX + 40], value[32];
	struct hash_state st;

	hash_init(&st);
	hash_field_str(&st, "hawser-space-1");
	hash_field_str(&st, arch_names[s->arch]);
	for (int id = 0; id < N_GENES; id++) {
		if (id == GENE_KV && s->c[id].n == 1 && s->c[id].v[0] == 32)
			continue; /* younger than the spaces that do not name it */
		hash_field_str(&st, genes[id].name);
		for (size_t i = 0; i < s->c[id].n; i++) {
			gene_write((enum gene_id)id, s->c[id].v[i], value, sizeof(value));
			hash_field_str(&st, value);
		}
		hash_field_str(&st, "");
	}
	for (size_t i = 0; i < s->n_limits; i++)
		snprintf(text[i], sizeof(text[i]), "%s%s%.17g",
			s->limits[i].what.metric->name, s->limits[i].op,
			s->limits[i].bound);
	qsort(text, s->n_limits, sizeof(*text), by_text);
	for (size_t i = 0; i < s->n_limits; i++)
		if (i == 0 || strcmp(text[i], text[i - 1]) != 0)
			hash_field_str(&st, text[i]);
	hash_final(&st, out);
}

/* ---- size */

/* Distinct values of `id` after resolving its symbol to `same_as`. */
static double n_resolved(const struct space *s, enum gene_id id, const struct genome *raw,
	uint32_t same_as)
{
	const struct choices *c = &s->c[id];
	int symbol = choices_has(c, 0) && same_as;
	double n = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint32_t v = c->v[i];

		if (i && v == c->v[i - 1])
			continue;
		if (genes[id].fits && !genes[id].fits(s, raw, 0, v))
			continue;
		n += !(symbol && v == same_as);
	}
	return n;
}

/* How many different layers there are at this d_model. */
static double n_layer_kinds(const struct space *s, struct genome *raw)
{
	const struct choices *heads = &s->c[GENE_N_HEADS], *ff = &s->c[GENE_D_FF];
	double n_heads = 0, n_ff = 0;

	for (size_t i = 0; i < heads->n; i++) {
		if (i && heads->v[i] == heads->v[i - 1])
			continue;
		raw->layer[0].n_heads = (uint16_t)heads->v[i];
		n_heads += n_resolved(s, GENE_N_KV_HEADS, raw, heads->v[i]);
	}
	for (size_t i = 0; i < ff->n; i++) {
		if (i && ff->v[i] == ff->v[i - 1])
			continue;
		raw->layer[0].d_ff = (uint16_t)ff->v[i];
		n_ff += n_resolved(s, GENE_FFN_RANK, raw, 0);
	}
	return n_heads * n_ff * (double)choices_n_distinct(&s->c[GENE_D_HEAD]) *
	       (double)choices_n_distinct(&s->c[GENE_BITS]);
}

/* Stacks of layers of every offered depth: the first is free, each further one is either
 * free or shares the one below. */
static double n_stacks(const struct space *s, double kinds)
{
	const struct choices *depth = &s->c[GENE_N_LAYERS];
	double above = (choices_has(&s->c[GENE_SHARED], 0) ? kinds : 0) +
		       (choices_has(&s->c[GENE_SHARED], 1) ? 1 : 0);
	double n = 0;

	for (size_t i = 0; i < depth->n; i++)
		if (i == 0 || depth->v[i] != depth->v[i - 1])
			n += kinds * pow(above, (double)depth->v[i] - 1);
	return n;
}

double space_size(const struct space *s)
{
	const struct choices *width = &s->c[GENE_D_MODEL];
	struct genome raw;
	double n = 0;

	memset(&raw, 0, sizeof(raw));
	for (size_t i = 0; i < width->n; i++) {
		if (i && width->v[i] == width->v[i - 1])
			continue;
		raw.d_model = (uint16_t)width->v[i];
		n += n_resolved(s, GENE_D_EMBED, &raw, width->v[i]) *
		     n_stacks(s, n_layer_kinds(s, &raw));
	}
	for (int id = 0; id < GENE_FIRST_PER_LAYER; id++)
		if (id != GENE_N_LAYERS && id != GENE_D_MODEL && id != GENE_D_EMBED)
			n *= (double)choices_n_distinct(&s->c[id]);
	return n;
}

/* ---- limits and membership */

static double limit_value(const struct limit *l, const struct graph_cost *c)
{
	if (!strcmp(l->what.metric->name, "macs"))
		return c->macs;
	if (!strcmp(l->what.metric->name, "params"))
		return c->n_params;
	return c->model_bytes;
}

double space_violation(
	const struct space *s, const struct genome *g, const struct task_shape *task)
{
	struct graph_cost cost;
	double sum = 0;

	if (s->n_limits == 0)
		return 0;
	graph_cost(g, task, g->seq_len, &cost);
	for (size_t i = 0; i < s->n_limits; i++) {
		double x = limit_value(&s->limits[i], &cost), bound = s->limits[i].bound;

		/* Never 0 for a broken limit: "<" at its bound is broken by nothing. */
		if (!limit_holds(&s->limits[i], x))
			sum += fabs(x - bound) / (fabs(bound) + 1) + 1e-12;
	}
	return sum;
}

static enum err not_allowed(const struct space *s, enum gene_id id, int layer, uint32_t v,
	struct err_ctx *ctx)
{
	char value[32], where[32] = "";
	struct buf allowed;
	enum err e;

	buf_init(&allowed);
	for (size_t i = 0; i < s->c[id].n; i++) {
		if (i && s->c[id].v[i] == s->c[id].v[i - 1])
			continue;
		gene_write(id, s->c[id].v[i], value, sizeof(value));
		buf_printf(&allowed, "%s%s", i ? " " : "", value);
	}
	gene_write(id, v, value, sizeof(value));
	if (gene_per_layer(id))
		snprintf(where, sizeof(where), "layer %d: ", layer);
	e = err_set(ctx, ERR_INVALID, "%sgene '%s' is '%s', space '%s' has: %s", where,
		genes[id].name, value, s->name, buf_str(&allowed));
	buf_release(&allowed);
	return e;
}

enum err space_contains(const struct space *s, const struct genome *g,
	const struct task_shape *task, struct err_ctx *ctx)
{
	struct genome raw, back;
	enum err e = genome_check(g, ctx);

	if (e)
		return e;
	if (g->arch != s->arch)
		return err_set(ctx, ERR_INVALID,
			"gene 'arch' is '%s', space '%s' has: %s", arch_names[g->arch],
			s->name, arch_names[s->arch]);
	gene_raw(s, g, &raw);
	for (int id = 0; id < N_GENES; id++) {
		int n = gene_per_layer((enum gene_id)id) ? g->n_layers : 1;

		for (int i = 0; i < n; i++) {
			uint32_t v = gene_get((enum gene_id)id, &raw, i);

			if (!gene_allows(s, (enum gene_id)id, &raw, i, v))
				return not_allowed(s, (enum gene_id)id, i, v, ctx);
		}
	}
	gene_resolve(&raw, &back);
	if (!genome_equal(g, &back))
		return err_set(ctx, ERR_INVALID, "the genome is not in canonical form");
	if (task && space_violation(s, g, task) > 0)
		return err_set(ctx, ERR_INVALID,
			"the genome breaks a limit of space '%s' (macs, params or "
			"model_bytes)",
			s->name);
	return ERR_OK;
}
