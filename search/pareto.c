/* Points are visited in lexicographic order, so that only earlier ones can dominate, and
 * only by their tails (all objectives but the first). A layer keeps the tails of one
 * front: a minimum for two objectives, a staircase for three, a list for four.
 *
 * Source: sort and staircase after Kung, Luccio and Preparata 1975; fronts by binary
 * search after Zhang et al. 2015 (ENS-BS); crowding after Deb et al. 2002.
 */
#include "search/pareto.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/model/objective.h"

int pareto_dominates(const double *a, const double *b, size_t m)
{
	int better = 0, a_ok = 1, b_ok = 1;

	for (size_t k = 0; k < m; k++) {
		a_ok &= !isnan(a[k]);
		b_ok &= !isnan(b[k]);
	}
	if (!a_ok || !b_ok)
		return a_ok;
	for (size_t k = 0; k < m; k++) {
		if (a[k] > b[k])
			return 0;
		better |= a[k] < b[k];
	}
	return better;
}

/* ---- points in lexicographic order, those with a NAN last */

struct sorted {
	size_t n, m;	 /* without those that hold a NAN */
	double *x;	 /* [n, m] */
	uint32_t *index; /* of each row in the caller's array; [n_all] */
	size_t n_all;
};

struct row {
	double v[OBJECTIVES_MAX];
	uint32_t index;
	int is_nan;
};

static int by_values(const void *a, const void *b)
{
	const struct row *p = a, *q = b;

	if (p->is_nan != q->is_nan)
		return p->is_nan - q->is_nan;
	for (size_t k = 0; k < OBJECTIVES_MAX && !p->is_nan; k++) {
		if (p->v[k] < q->v[k])
			return -1;
		if (p->v[k] > q->v[k])
			return 1;
	}
	return (p->index > q->index) - (p->index < q->index);
}

static void sorted_release(struct sorted *s)
{
	free(s->x);
	free(s->index);
}

static int sorted_init(struct sorted *s, const double *x, size_t n, size_t m)
{
	struct row *rows = calloc(n ? n : 1, sizeof(*rows));

	s->x = malloc((n ? n : 1) * m * sizeof(*s->x));
	s->index = malloc((n ? n : 1) * sizeof(*s->index));
	if (!rows || !s->x || !s->index) {
		free(rows);
		sorted_release(s);
		s->x = NULL;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		rows[i].index = (uint32_t)i;
		for (size_t k = 0; k < m; k++) {
			rows[i].v[k] = x[i * m + k];
			rows[i].is_nan |= isnan(x[i * m + k]) != 0;
		}
	}
	qsort(rows, n, sizeof(*rows), by_values);
	s->n_all = n;
	s->m = m;
	for (s->n = 0; s->n < n && !rows[s->n].is_nan; s->n++)
		memcpy(&s->x[s->n * m], rows[s->n].v, m * sizeof(*s->x));
	for (size_t i = 0; i < n; i++)
		s->index[i] = rows[i].index;
	free(rows);
	return 1;
}

static int same_row(const struct sorted *s, size_t i, size_t j)
{
	for (size_t k = 0; k < s->m; k++)
		if (!(s->x[i * s->m + k] == s->x[j * s->m + k]))
			return 0;
	return 1;
}

/* ---- the tails of one front; t = m - 1 values each */

struct layer {
	double *v;
	size_t n, cap;
};

/* Index of the first stair whose y is larger. */
static size_t stair_after(const struct layer *l, double y)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (l->v[mid * 2] <= y)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Is some member's tail no worse than p everywhere? */
static int layer_covers(const struct layer *l, const double *p, size_t t)
{
	size_t at;

	switch (t) {
	case 0:
		return l->n > 0;
	case 1:
		return l->n > 0 && l->v[0] <= p[0];
	case 2:
		at = stair_after(l, p[0]);
		return at > 0 && l->v[at * 2 - 1] <= p[1];
	default:
		for (size_t i = l->n; i-- > 0;) {
			const double *q = &l->v[i * 3];

			if ((q[0] <= p[0]) & (q[1] <= p[1]) & (q[2] <= p[2]))
				return 1;
		}
		return 0;
	}
}

static int layer_reserve(struct layer *l, size_t t)
{
	size_t cap = l->cap ? l->cap * 2 : 4;
	double *v;

	if (l->n < l->cap)
		return 1;
	v = realloc(l->v, cap * (t ? t : 1) * sizeof(*v));
	if (!v)
		return 0;
	l->v = v;
	l->cap = cap;
	return 1;
}

/* Adds a tail that is not covered; members that it covers are of no more use. */
static int layer_insert(struct layer *l, const double *p, size_t t)
{
	size_t at = 0, end;

	if (!layer_reserve(l, t))
		return 0;
	if (t == 2) {
		at = stair_after(l, p[0]);
		while (at > 0 && l->v[at * 2 - 2] >= p[0])
			at--;
		for (end = at; end < l->n && l->v[end * 2 + 1] >= p[1];)
			end++;
		memmove(&l->v[(at + 1) * 2], &l->v[end * 2],
			(l->n - end) * 2 * sizeof(*l->v));
		l->n = l->n - (end - at) + 1;
	} else if (t == 3) {
		for (size_t i = 0; i < l->n; i++) {
			double *q = &l->v[i * 3];

			if ((q[0] >= p[0]) & (q[1] >= p[1]) & (q[2] >= p[2]))
				continue;
			memmove(&l->v[at++ * 3], q, 3 * sizeof(*q));
		}
		l->n = at + 1;
	} else {
		l->n = 1;
	}
	for (size_t k = 0; k < t; k++)
		l->v[at * t + k] = p[k];
	return 1;
}

/* ---- without memory: peel front by front, O(n^2) a front */

static size_t sort_plain(const double *x, size_t n, size_t m, unsigned *rank)
{
	size_t left = n;
	unsigned front = 0;

	for (size_t i = 0; i < n; i++)
		rank[i] = UINT32_MAX;
	while (left) {
		for (size_t i = 0; i < n; i++) {
			int beaten = rank[i] < front;

			for (size_t j = 0; j < n && !beaten; j++)
				beaten = rank[j] >= front &&
					 pareto_dominates(&x[j * m], &x[i * m], m);
			if (!beaten) {
				rank[i] = front;
				left--;
			}
		}
		front++;
	}
	return front;
}

size_t pareto_filter(const double *x, size_t n, size_t m, unsigned char *keep)
{
	struct layer front = {0};
	struct sorted s;
	size_t kept = 0;
	int ok = sorted_init(&s, x, n, m);

	memset(keep, 0, n);
	for (size_t i = 0; ok && i < s.n; i++) {
		const double *tail = &s.x[i * m + 1];

		if (i && same_row(&s, i, i - 1)) {
			keep[s.index[i]] = keep[s.index[i - 1]];
		} else if (!layer_covers(&front, tail, m - 1)) {
			keep[s.index[i]] = 1;
			ok = layer_insert(&front, tail, m - 1);
		}
		kept += keep[s.index[i]];
	}
	free(front.v);
	if (s.x)
		sorted_release(&s);
	if (ok)
		return kept;
	kept = 0;
	for (size_t i = 0; i < n; i++) {
		keep[i] = 1;
		for (size_t k = 0; k < m; k++)
			keep[i] = keep[i] && !isnan(x[i * m + k]);
		for (size_t j = 0; j < n && keep[i]; j++)
			keep[i] = !pareto_dominates(&x[j * m], &x[i * m], m);
		kept += keep[i];
	}
	return kept;
}

struct layers {
	struct layer *l;
	size_t n, cap;
};

/* The first layer that does not cover the tail: those that do come first. */
static size_t find_layer(const struct layers *all, const double *tail, size_t t)
{
	size_t lo = 0, hi = all->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (layer_covers(&all->l[mid], tail, t))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int add_to_layer(struct layers *all, size_t at, const double *tail, size_t t)
{
	if (at == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 16;
		struct layer *l = realloc(all->l, cap * sizeof(*l));

		if (!l)
			return 0;
		all->l = l;
		all->cap = cap;
	}
	if (at == all->n)
		all->l[all->n++] = (struct layer){0};
	return layer_insert(&all->l[at], tail, t);
}

size_t pareto_sort(const double *x, size_t n, size_t m, unsigned *rank)
{
	struct layers all = {0};
	struct sorted s;
	size_t n_fronts;
	int ok = sorted_init(&s, x, n, m);

	for (size_t i = 0; ok && i < s.n; i++) {
		const double *tail = &s.x[i * m + 1];
		size_t at;

		if (i && same_row(&s, i, i - 1)) {
			rank[s.index[i]] = rank[s.index[i - 1]];
			continue;
		}
		at = find_layer(&all, tail, m - 1);
		rank[s.index[i]] = (unsigned)at;
		ok = add_to_layer(&all, at, tail, m - 1);
	}
	n_fronts = all.n;
	for (size_t i = 0; i < all.n; i++)
		free(all.l[i].v);
	free(all.l);
	if (ok) {
		for (size_t i = s.n; i < n; i++)
			rank[s.index[i]] = (unsigned)n_fronts;
		n_fronts += s.n < n;
	}
	if (s.x)
		sorted_release(&s);
	return ok ? n_fronts : sort_plain(x, n, m, rank);
}

/* ---- crowding */

struct keyed {
	double key;
	uint32_t index;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *p = a, *q = b;

	if (p->key < q->key)
		return -1;
	if (p->key > q->key)
		return 1;
	return (p->index > q->index) - (p->index < q->index);
}

void pareto_crowding(const double *x, size_t n, size_t m, double *distance)
{
	struct keyed *order = malloc((n ? n : 1) * sizeof(*order));

	for (size_t i = 0; i < n; i++)
		distance[i] = 0;
	for (size_t k = 0; order && n && k < m; k++) {
		double span;

		for (size_t i = 0; i < n; i++) {
			double v = x[i * m + k];

			order[i] = (struct keyed){isnan(v) ? INFINITY : v, (uint32_t)i};
		}
		qsort(order, n, sizeof(*order), by_key);
		span = order[n - 1].key - order[0].key;
		distance[order[0].index] = distance[order[n - 1].index] = INFINITY;
		for (size_t i = 1; span > 0 && isfinite(span) && i + 1 < n; i++)
			distance[order[i].index] +=
				(order[i + 1].key - order[i - 1].key) / span;
	}
	free(order);
}
