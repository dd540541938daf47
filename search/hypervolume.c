/* Exact hypervolume by sweeping the last objective upwards.
 *
 * Three objectives: a staircase of the first two grows as the sweep meets points; its
 * area times the distance to the next point adds up. Four: the same with a volume, which
 * grows by what each point adds to those before it: its box less the boxes of the others
 * clipped to it, again a three-dimensional sweep over a list that is kept sorted. O(n log
 * n) for two and three objectives on usual fronts, O(n^2) for four.
 *
 * Source: after Fonseca, Paquete and Lopez-Ibanez 2006 and Guerreiro, Fonseca and
 * Emmerich 2012, with arrays in place of their linked lists and trees.
 */
#include "search/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/model/objective.h"

struct stair {
	double x, y;
};

/* x rises, y falls; `area` is what the stairs dominate up to (rx, ry). */
struct stairs {
	struct stair *s; /* room for every point */
	size_t n;
	double rx, ry, area;
};

static size_t stairs_find(const struct stairs *st, double x)
{
	size_t lo = 0, hi = st->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (st->s[mid].x <= x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void stairs_add(struct stairs *st, double x, double y)
{
	size_t at = stairs_find(st, x), end;
	double left = x, level;

	if (at > 0 && st->s[at - 1].y <= y)
		return;
	/* The stair at the same x, if any, is higher and goes. */
	if (at > 0 && st->s[at - 1].x == x)
		at--;
	level = at > 0 ? st->s[at - 1].y : st->ry;
	for (end = at; end < st->n && st->s[end].y >= y; end++) {
		st->area += (st->s[end].x - left) * (level - y);
		left = st->s[end].x;
		level = st->s[end].y;
	}
	st->area += ((end < st->n ? st->s[end].x : st->rx) - left) * (level - y);
	memmove(&st->s[at + 1], &st->s[end], (st->n - end) * sizeof(*st->s));
	st->n = st->n - (end - at) + 1;
	st->s[at] = (struct stair){x, y};
}

/* Points of 3 values, rising in the third, all below ref. */
static double sweep3(const double *p, size_t n, const double *ref, struct stair *room)
{
	struct stairs st = {room, 0, ref[0], ref[1], 0};
	double volume = 0;

	for (size_t i = 0; i < n; i++) {
		double next = i + 1 < n ? p[i * 3 + 5] : ref[2];

		stairs_add(&st, p[i * 3], p[i * 3 + 1]);
		volume += st.area * (next - p[i * 3 + 2]);
	}
	return volume;
}

/* ---- four objectives */

struct sweep4 {
	double *kept; /* [n, 3] non-dominated in the first three, rising in the third */
	size_t n;
	double *clipped; /* [n, 3] */
	struct stair *room;
	const double *ref;
};

/* What p adds to the volume of the kept points; negative: nothing, it is covered. */
static double added_volume(struct sweep4 *s, const double *p)
{
	double box = 1;

	for (int k = 0; k < 3; k++)
		box *= s->ref[k] - p[k];
	for (size_t i = 0; i < s->n; i++) {
		const double *q = &s->kept[i * 3];
		double *c = &s->clipped[i * 3];

		c[0] = q[0] > p[0] ? q[0] : p[0];
		c[1] = q[1] > p[1] ? q[1] : p[1];
		c[2] = q[2] > p[2] ? q[2] : p[2];
		if ((q[0] <= p[0]) & (q[1] <= p[1]) & (q[2] <= p[2]))
			return -1;
	}
	return box - sweep3(s->clipped, s->n, s->ref, s->room);
}

static void keep_point(struct sweep4 *s, const double *p)
{
	size_t n = 0, at;

	for (size_t i = 0; i < s->n; i++) {
		const double *q = &s->kept[i * 3];

		if ((q[0] >= p[0]) & (q[1] >= p[1]) & (q[2] >= p[2]))
			continue;
		memmove(&s->kept[n++ * 3], q, 3 * sizeof(*q));
	}
	for (at = n; at > 0 && s->kept[at * 3 - 1] > p[2];)
		at--;
	memmove(&s->kept[(at + 1) * 3], &s->kept[at * 3], (n - at) * 3 * sizeof(*p));
	memcpy(&s->kept[at * 3], p, 3 * sizeof(*p));
	s->n = n + 1;
}

/* Points of 4 values, rising in the fourth. */
static double sweep4(const double *p, size_t n, const double *ref)
{
	struct sweep4 s = {.ref = ref};
	double volume = 0, sum = 0;

	s.kept = malloc((n + 1) * 3 * sizeof(*s.kept));
	s.clipped = malloc((n + 1) * 3 * sizeof(*s.clipped));
	s.room = malloc((n + 1) * sizeof(*s.room));
	for (size_t i = 0; s.kept && s.clipped && s.room && i < n; i++) {
		double gain = added_volume(&s, &p[i * 4]);

		if (gain >= 0) {
			volume += gain;
			keep_point(&s, &p[i * 4]);
		}
		sum += volume * ((i + 1 < n ? p[i * 4 + 7] : ref[3]) - p[i * 4 + 3]);
	}
	if (!s.kept || !s.clipped || !s.room)
		sum = NAN;
	free(s.kept);
	free(s.clipped);
	free(s.room);
	return sum;
}

/* ---- any number */

struct row {
	double v[OBJECTIVES_MAX]; /* the caller's order reversed: the swept one first */
};

static int by_rows(const void *a, const void *b)
{
	const struct row *p = a, *q = b;

	for (int k = 0; k < OBJECTIVES_MAX; k++) {
		if (p->v[k] < q->v[k])
			return -1;
		if (p->v[k] > q->v[k])
			return 1;
	}
	return 0;
}

/* Copies the points strictly below ref, sorted by their last value; returns how many. */
static size_t sort_inside(const double *x, size_t n, size_t m, const double *ref,
	struct row *rows, double *out)
{
	size_t inside = 0;

	for (size_t i = 0; i < n; i++) {
		int ok = 1;

		for (size_t k = 0; k < m; k++) {
			ok &= x[i * m + k] < ref[k]; /* false for a NAN */
			rows[inside].v[m - 1 - k] = x[i * m + k];
		}
		inside += (size_t)ok;
	}
	qsort(rows, inside, sizeof(*rows), by_rows);
	for (size_t i = 0; i < inside; i++)
		for (size_t k = 0; k < m; k++)
			out[i * m + k] = rows[i].v[m - 1 - k];
	return inside;
}

static double sweep2(const double *p, size_t n, const double *ref)
{
	double area = 0, least = ref[0];

	for (size_t i = 0; i < n; i++) {
		if (p[i * 2] >= least)
			continue;
		area += (least - p[i * 2]) * (ref[1] - p[i * 2 + 1]);
		least = p[i * 2];
	}
	return area;
}

double pareto_hypervolume(const double *x, size_t n, size_t m, const double *ref)
{
	struct row *rows = calloc(n + 1, sizeof(*rows));
	double *p = malloc((n + 1) * m * sizeof(*p)), hv = NAN;
	struct stair *room = malloc((n + 1) * sizeof(*room));

	if (rows && p && room) {
		n = sort_inside(x, n, m, ref, rows, p);
		if (n == 0)
			hv = 0;
		else if (m == 1)
			hv = ref[0] - p[0];
		else if (m == 2)
			hv = sweep2(p, n, ref);
		else if (m == 3)
			hv = sweep3(p, n, ref, room);
		else
			hv = sweep4(p, n, ref);
	}
	free(rows);
	free(p);
	free(room);
	return hv;
}
