/* Sampling, mutation and crossover. All work on raw genomes (gene.h): set some genes,
 * settle those that no longer fit, resolve, and keep the result if its limits hold. */
#include "search/space/gene.h"

#include <string.h>

#define SAMPLE_TRIES 300
#define DESCENT_STEPS 3000
#define CHANGE_TRIES 64

/* A gene of one layer (or of the whole network: layer 0). */
struct slot {
	enum gene_id id;
	int layer;
};

/* One fitting choice, all equally likely; `other` than v unless there is no other. */
static uint32_t draw_choice(const struct space *s, struct slot at,
	const struct genome *raw, int other, uint32_t v, struct rng *rng)
{
	const struct choices *c = &s->c[at.id];
	uint32_t fit[SPACE_MAX_CHOICES];
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (!(other && c->v[i] == v) &&
			gene_allows(s, at.id, raw, at.layer, c->v[i]))
			fit[n++] = c->v[i];
	if (n == 0)
		return v;
	return n == 1 ? fit[0] : fit[rng_below(rng, n)];
}

/* Redraws what does not fit (everything, if `all`), from the top of the table down. */
static void settle(const struct space *s, struct genome *raw, int all, struct rng *rng)
{
	for (int id = 0; id < N_GENES; id++) {
		int n = gene_per_layer((enum gene_id)id) ? raw->n_layers : 1;

		for (int i = 0; i < n; i++) {
			struct slot at = {(enum gene_id)id, i};
			uint32_t v = gene_get(at.id, raw, i);

			if (all || !gene_allows(s, at.id, raw, i, v))
				gene_set(at.id, raw, i,
					draw_choice(s, at, raw, 0, 0, rng));
		}
	}
}

/* Slots of the raw genome that have more than one choice. */
static size_t open_slots(
	const struct space *s, const struct genome *raw, struct slot *out)
{
	size_t n = 0;

	for (int id = 0; id < N_GENES; id++) {
		int layers = gene_per_layer((enum gene_id)id) ? raw->n_layers : 1;

		if (choices_n_distinct(&s->c[id]) < 2)
			continue;
		for (int i = id == GENE_SHARED; i < layers; i++)
			out[n++] = (struct slot){(enum gene_id)id, i};
	}
	return n;
}
#define MAX_SLOTS                                                                        \
	(GENE_FIRST_PER_LAYER + (N_GENES - GENE_FIRST_PER_LAYER) * GENOME_MAX_LAYERS)

/* New layers are copies of the top one: the smallest step to a deeper network. */
static void set_slot(struct genome *raw, struct slot at, uint32_t v)
{
	int before = raw->n_layers;

	gene_set(at.id, raw, at.layer, v);
	for (int i = before; i < raw->n_layers; i++)
		raw->layer[i] = raw->layer[i - 1];
	for (int i = raw->n_layers; i < before; i++)
		memset(&raw->layer[i], 0, sizeof(raw->layer[i]));
}

static void change(
	const struct space *s, struct genome *raw, size_t n_changes, struct rng *rng)
{
	struct slot open[MAX_SLOTS];

	for (size_t k = 0; k < n_changes; k++) {
		size_t n = open_slots(s, raw, open);
		struct slot at;

		if (n == 0)
			return;
		at = open[rng_below(rng, n)];
		set_slot(raw, at,
			draw_choice(s, at, raw, 1, gene_get(at.id, raw, at.layer), rng));
	}
}

int space_draw(const struct space *s, const struct task_shape *task, struct rng *rng,
	struct genome *g)
{
	struct genome raw, made;
	double best = -1;

	for (int i = 0; i < SAMPLE_TRIES; i++) {
		double v;

		memset(&raw, 0, sizeof(raw));
		raw.arch = (uint8_t)s->arch;
		settle(s, &raw, 1, rng);
		gene_resolve(&raw, &made);
		v = space_violation(s, &made, task);
		if (best < 0 || v < best) {
			best = v;
			*g = made;
		}
		if (v <= 0)
			return 1;
	}
	/* Rare region: walk from the nearest draw downhill on the violation. */
	for (int i = 0; i < DESCENT_STEPS; i++) {
		double v;

		gene_raw(s, g, &raw);
		change(s, &raw, 1 + rng_below(rng, 3), rng);
		settle(s, &raw, 0, rng);
		gene_resolve(&raw, &made);
		v = space_violation(s, &made, task);
		if (v <= best) {
			best = v;
			*g = made;
		}
		if (v <= 0)
			return 1;
	}
	return 0;
}

void space_sample(const struct space *s, const struct task_shape *task, struct rng *rng,
	struct genome *g)
{
	struct genome corner;

	if (space_draw(s, task, rng, g))
		return;
	space_smallest(s, &corner);
	if (space_violation(s, &corner, task) <= space_violation(s, g, task))
		*g = corner;
}

/* Settles and resolves; 0 when the result breaks a limit or equals `not_this`. */
static int finish(const struct space *s, const struct task_shape *task, struct rng *rng,
	struct genome *raw, const struct genome *not_this, struct genome *out)
{
	struct genome made;

	settle(s, raw, 0, rng);
	gene_resolve(raw, &made);
	if (not_this && gene_same(&made, not_this))
		return 0;
	if (space_violation(s, &made, task) > 0)
		return 0;
	*out = made;
	return 1;
}

/* Every single change in turn; one of those that work, all equally likely. */
static int any_neighbour(const struct space *s, const struct task_shape *task,
	struct rng *rng, const struct genome *g, struct genome *out)
{
	struct slot open[MAX_SLOTS];
	struct genome start, raw, made;
	size_t n, n_found = 0;

	gene_raw(s, g, &start);
	n = open_slots(s, &start, open);
	for (size_t k = 0; k < n; k++) {
		const struct choices *c = &s->c[open[k].id];

		for (size_t i = 0; i < c->n; i++) {
			raw = start;
			if (!gene_allows(s, open[k].id, &raw, open[k].layer, c->v[i]))
				continue;
			set_slot(&raw, open[k], c->v[i]);
			if (!finish(s, task, rng, &raw, g, &made))
				continue;
			if (rng_below(rng, ++n_found) == 0)
				*out = made;
		}
	}
	return n_found > 0;
}

void space_mutate(const struct space *s, const struct task_shape *task, struct rng *rng,
	const struct genome *g, struct genome *out)
{
	struct genome from = *g, raw;

	for (int i = 0; i < CHANGE_TRIES; i++) {
		gene_raw(s, &from, &raw);
		change(s, &raw, 1 + rng_below(rng, 3), rng);
		if (finish(s, task, rng, &raw, &from, out))
			return;
	}
	if (!any_neighbour(s, task, rng, &from, out))
		*out = from;
}

void space_cross(const struct space *s, const struct task_shape *task, struct rng *rng,
	const struct genome *a, const struct genome *b, struct genome *out)
{
	struct genome raw_a, raw_b, raw;

	gene_raw(s, a, &raw_a);
	gene_raw(s, b, &raw_b);
	for (int tries = 0; tries < CHANGE_TRIES; tries++) {
		raw = rng_below(rng, 2) ? raw_a : raw_b;
		for (int id = 0; id < N_GENES; id++) {
			int per_layer = gene_per_layer((enum gene_id)id);
			int n = per_layer ? raw.n_layers : 1;

			for (int i = 0; i < n; i++) {
				int has_a = !per_layer || i < raw_a.n_layers;
				int has_b = !per_layer || i < raw_b.n_layers;
				int take_a = has_a && (!has_b || rng_below(rng, 2));

				gene_set((enum gene_id)id, &raw, i,
					gene_get((enum gene_id)id,
						take_a ? &raw_a : &raw_b, i));
			}
		}
		if (finish(s, task, rng, &raw, NULL, out))
			return;
	}
	*out = rng_below(rng, 2) ? *a : *b;
}
