/* The corners of a space: largest, smallest, and enough genomes to lay out a supernet. */
#include "search/space/gene.h"

#include <string.h>

/* What a corner is forced to; id N_GENES: nothing. */
struct wish {
	enum gene_id id;
	uint32_t v;
};

static uint32_t pick(const struct space *s, enum gene_id id, const struct genome *raw,
	int layer, int large)
{
	const struct choices *c = &s->c[id];
	uint32_t best = 0;
	int found = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint32_t v = c->v[i], rank = gene_size_rank(id, v);

		if (!gene_allows(s, id, raw, layer, v))
			continue;
		if (!found || (genes[id].order != ORDER_NONE &&
				      (large ? rank > gene_size_rank(id, best)
					     : rank < gene_size_rank(id, best))))
			best = v;
		found = 1;
	}
	return best;
}

/* Would the wish still fit, were gene `id` to take v? Only a context can spoil it. */
static int leaves_wish(const struct space *s, const struct wish *w, enum gene_id id,
	const struct genome *raw, int layer, uint32_t v)
{
	const struct gene *wished;
	struct genome probe = *raw;
	int is_context = 0;

	if (w->id == N_GENES || !genes[w->id].fits || id >= w->id)
		return 1;
	wished = &genes[w->id];
	for (int k = 0; k < wished->n_context; k++)
		is_context |= wished->context[k] == id;
	if (!is_context)
		return 1;
	gene_set(id, &probe, layer, v);
	if (wished->n_context == 1 || id == wished->context[1])
		return wished->fits(s, &probe, layer, w->v);
	for (size_t i = 0; i < s->c[wished->context[1]].n; i++) {
		gene_set((enum gene_id)wished->context[1], &probe, layer,
			s->c[wished->context[1]].v[i]);
		if (wished->fits(s, &probe, layer, w->v))
			return 1;
	}
	return 0;
}

static uint32_t pick_for(const struct space *s, enum gene_id id, const struct genome *raw,
	int layer, int large, const struct wish *w)
{
	struct space narrowed;
	size_t n = 0;

	if (w->id == id && gene_allows(s, id, raw, layer, w->v))
		return w->v;
	narrowed = *s;
	for (size_t i = 0; i < s->c[id].n; i++)
		if (leaves_wish(s, w, id, raw, layer, s->c[id].v[i]))
			narrowed.c[id].v[n++] = s->c[id].v[i];
	narrowed.c[id].n = n;
	return pick(n ? &narrowed : s, id, raw, layer, large);
}

static void corner(
	const struct space *s, int large, const struct wish *w, struct genome *g)
{
	struct genome raw;

	memset(&raw, 0, sizeof(raw));
	raw.arch = (uint8_t)s->arch;
	for (int id = 0; id < GENE_FIRST_PER_LAYER; id++)
		gene_set((enum gene_id)id, &raw, 0,
			pick_for(s, (enum gene_id)id, &raw, 0, large, w));
	for (int i = 0; i < raw.n_layers; i++)
		for (int id = GENE_FIRST_PER_LAYER; id < N_GENES; id++)
			gene_set((enum gene_id)id, &raw, i,
				pick_for(s, (enum gene_id)id, &raw, i, large, w));
	gene_resolve(&raw, g);
}

static const struct wish no_wish = {N_GENES, 0};

void space_largest(const struct space *s, struct genome *g)
{
	corner(s, 1, &no_wish, g);
}

void space_smallest(const struct space *s, struct genome *g)
{
	corner(s, 0, &no_wish, g);
}

static size_t add_corner(const struct space *s, const struct wish *w, struct genome *g,
	size_t n, size_t cap)
{
	struct genome made;

	if (n == cap)
		return n;
	corner(s, 1, w, &made);
	for (size_t i = 0; i < n; i++)
		if (genome_equal(&g[i], &made))
			return n;
	g[n] = made;
	return n + 1;
}

size_t space_extremes(const struct space *s, struct genome *g, size_t cap)
{
	size_t n = add_corner(s, &no_wish, g, 0, cap);

	for (int id = 0; id < N_GENES; id++) {
		const struct choices *c = &s->c[id];

		/* The norm's kind decides which tensors there are: "ln" covers "rms". */
		if (c->n == 0 || id == GENE_NORM)
			continue;
		/* The largest number, and the variant that 0 or the first word leaves
		 * out. */
		if (genes[id].order == ORDER_UP || genes[id].order == ORDER_ZERO_TOP ||
			id == GENE_NORM_PLACE)
			n = add_corner(s,
				&(struct wish){(enum gene_id)id, c->v[c->n - 1]}, g, n,
				cap);
	}
	return n;
}
