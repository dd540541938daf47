/* Gradient-boosted regression trees on log y: the challenger that needs no law. Small
 * (depth 3, shrinkage 0.08), exact greedy splits on presorted features, squared error. A
 * tree cannot extrapolate: predictions stay within what was seen.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models/kinds.h"
#include "cost_models/model_text.h"

#define N_TREES 150
#define TREE_DEPTH 3
#define TREE_NODES 7 /* inner nodes; 8 leaves */
#define TREE_LEAVES 8
#define SHRINKAGE 0.08
#define MIN_LEAF 3

struct tree {
	double feature[TREE_NODES]; /* index; -1: all rows go left */
	double bound[TREE_NODES];   /* left when x <= bound */
	double leaf[TREE_LEAVES];
};

struct cost_model {
	size_t p;
	double base[4]; /* mean of log y, relative spread, lowest and highest log y */
	struct tree tree[N_TREES];
};

struct boost {
	const double *x;
	size_t n, p;
	double *r;	  /* [n] residual of log y */
	uint32_t *sorted; /* [p, n] rows in order of the feature */
	uint8_t *node;	  /* [n] node of the current level */
};

struct entry {
	double v;
	uint32_t row;
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->v != y->v)
		return x->v < y->v ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static void boost_release(struct boost *k)
{
	free(k->r);
	free(k->sorted);
	free(k->node);
}

static int boost_init(struct boost *k, const double *x, size_t n, size_t p)
{
	struct entry *entries = malloc(n * sizeof(*entries));

	*k = (struct boost){.x = x, .n = n, .p = p};
	k->r = malloc(n * sizeof(*k->r));
	k->sorted = malloc(n * p * sizeof(*k->sorted));
	k->node = malloc(n);
	if (!entries || !k->r || !k->sorted || !k->node) {
		free(entries);
		boost_release(k);
		return 0;
	}
	for (size_t j = 0; j < p; j++) {
		for (size_t i = 0; i < n; i++)
			entries[i] = (struct entry){x[i * p + j], (uint32_t)i};
		qsort(entries, n, sizeof(*entries), compare);
		for (size_t i = 0; i < n; i++)
			k->sorted[j * n + i] = entries[i].row;
	}
	free(entries);
	return 1;
}

/* The best split of each of the level's nodes, searched for together. */
struct split {
	double gain, bound;
	size_t feature;
};

struct side {
	double sum;
	size_t n;
	double last; /* largest value on the left so far */
};

static void scan_feature(const struct boost *k, size_t feature, const struct side *total,
	struct split *best)
{
	struct side left[TREE_LEAVES] = {{0}};

	for (size_t i = 0; i < k->n; i++) {
		size_t row = k->sorted[feature * k->n + i], at = k->node[row];
		double v = k->x[row * k->p + feature];
		struct side *l = &left[at];
		size_t right = total[at].n - l->n;

		if (l->n >= MIN_LEAF && right >= MIN_LEAF && v > l->last) {
			double rest = total[at].sum - l->sum;
			double gain = l->sum * l->sum / (double)l->n +
				      rest * rest / (double)right;

			if (gain > best[at].gain * (1 + 1e-12)) {
				double middle = l->last / 2 + v / 2;

				best[at].gain = gain;
				best[at].feature = feature;
				best[at].bound = middle < v ? middle : l->last;
			}
		}
		l->sum += k->r[row];
		l->n++;
		l->last = v;
	}
}

/* Splits every node of a level and moves the rows down. */
static void grow_level(struct boost *k, struct tree *t, size_t level)
{
	size_t n_nodes = (size_t)1 << level, first = n_nodes - 1;
	struct side total[TREE_LEAVES] = {{0}};
	struct split best[TREE_LEAVES];

	for (size_t i = 0; i < k->n; i++) {
		total[k->node[i]].sum += k->r[i];
		total[k->node[i]].n++;
	}
	for (size_t a = 0; a < n_nodes; a++) {
		double n = total[a].n ? (double)total[a].n : 1;

		/* a split must gain something over none */
		best[a] = (struct split){
			total[a].sum * total[a].sum / n + 1e-12, 0, SIZE_MAX};
	}
	for (size_t j = 0; j < k->p; j++)
		scan_feature(k, j, total, best);
	for (size_t a = 0; a < n_nodes; a++) {
		int none = best[a].feature == SIZE_MAX;

		t->feature[first + a] = none ? -1 : (double)best[a].feature;
		t->bound[first + a] = best[a].bound;
	}
	for (size_t i = 0; i < k->n; i++) {
		const struct split *s = &best[k->node[i]];
		int right =
			s->feature != SIZE_MAX && k->x[i * k->p + s->feature] > s->bound;

		k->node[i] = (uint8_t)(2 * k->node[i] + right);
	}
}

/* Fits one tree to the residuals and takes its part off them. */
static void grow_tree(struct boost *k, struct tree *t)
{
	double sum[TREE_LEAVES] = {0};
	size_t n[TREE_LEAVES] = {0};

	memset(k->node, 0, k->n);
	for (size_t level = 0; level < TREE_DEPTH; level++)
		grow_level(k, t, level);
	for (size_t i = 0; i < k->n; i++) {
		sum[k->node[i]] += k->r[i];
		n[k->node[i]]++;
	}
	for (size_t a = 0; a < TREE_LEAVES; a++)
		t->leaf[a] = n[a] ? SHRINKAGE * sum[a] / (double)n[a] : 0;
	for (size_t i = 0; i < k->n; i++)
		k->r[i] -= t->leaf[k->node[i]];
}

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	enum err e = cost_data_check(x, y, n, p, ctx);
	struct cost_model *m;
	struct boost k = {0};
	double ss = 0;

	if (e)
		return e;
	m = calloc(1, sizeof(*m));
	if (!m || !boost_init(&k, x, n, p)) {
		free(m);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	m->p = p;
	m->base[2] = INFINITY;
	m->base[3] = -INFINITY;
	for (size_t i = 0; i < n; i++) {
		k.r[i] = log(y[i]);
		m->base[0] += k.r[i] / (double)n;
		m->base[2] = fmin(m->base[2], k.r[i]);
		m->base[3] = fmax(m->base[3], k.r[i]);
	}
	for (size_t i = 0; i < n; i++)
		k.r[i] -= m->base[0];
	for (size_t t = 0; t < N_TREES; t++)
		grow_tree(&k, &m->tree[t]);
	for (size_t i = 0; i < n; i++)
		ss += k.r[i] * k.r[i];
	/* trees fit their own rows too well: a factor of two is usual */
	m->base[1] = fmax(2 * sqrt(ss / (double)n), cost_sigma_floor(n));
	boost_release(&k);
	*out = m;
	return ERR_OK;
}

static double leaf_of(const struct tree *t, const double *x)
{
	size_t at = 0;

	for (size_t level = 0; level < TREE_DEPTH; level++) {
		size_t i = ((size_t)1 << level) - 1 + at;
		int right = t->feature[i] >= 0 && x[(size_t)t->feature[i]] > t->bound[i];

		at = 2 * at + (size_t)right;
	}
	return t->leaf[at];
}

static void predict(const struct cost_model *m, const double *x, double *mean, double *sd)
{
	double f = m->base[0];

	for (size_t t = 0; t < N_TREES; t++)
		f += leaf_of(&m->tree[t], x);
	*mean = exp(fmin(fmax(f, m->base[2]), m->base[3]));
	if (sd)
		*sd = *mean * m->base[1];
}

static void save(const struct cost_model *m, struct model_writer *w)
{
	model_write_size(w, "p", m->p);
	model_write_doubles(w, "base", m->base, 4);
	for (size_t t = 0; t < N_TREES; t++) {
		model_write_doubles(w, "feature", m->tree[t].feature, TREE_NODES);
		model_write_doubles(w, "bound", m->tree[t].bound, TREE_NODES);
		model_write_doubles(w, "leaf", m->tree[t].leaf, TREE_LEAVES);
	}
}

static void read_tree(struct model_reader *r, struct tree *t, size_t p)
{
	model_read_doubles(r, "feature", t->feature, TREE_NODES);
	model_read_doubles(r, "bound", t->bound, TREE_NODES);
	model_read_doubles(r, "leaf", t->leaf, TREE_LEAVES);
	for (size_t i = 0; i < TREE_NODES && !r->err; i++) {
		double f = t->feature[i];

		if (f != -1 && !(f >= 0 && f < (double)p && f == floor(f)))
			model_reader_fail(r, "no such feature");
	}
}

static struct cost_model *load(struct model_reader *r, size_t p)
{
	struct cost_model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = p;
	model_read_doubles(r, "base", m->base, 4);
	for (size_t t = 0; t < N_TREES && !r->err; t++)
		read_tree(r, &m->tree[t], p);
	if (!r->err && (m->base[1] < 0 || m->base[3] < m->base[2]))
		model_reader_fail(r, "a range is expected");
	return m;
}

static void release(struct cost_model *m)
{
	free(m);
}

const struct cost_model_kind cost_kind_trees = {
	.name = "trees",
	.summary = "gradient-boosted trees, the challenger without a law",
	.fit = fit,
	.predict = predict,
	.save = save,
	.load = load,
	.free = release,
};
