/* Dominance, fronts and hypervolume on arrays of objective vectors.
 *
 * All minimise: callers negate what they maximise. Points are [n, m] row-major, m in
 * 1..OBJECTIVES_MAX. NANs never dominate and are always dominated.
 */
#ifndef HAWSER_SEARCH_PARETO_H
#define HAWSER_SEARCH_PARETO_H

#include <stddef.h>

/* 1 when a is no worse than b everywhere and better somewhere. */
int pareto_dominates(const double *a, const double *b, size_t m);
/* keep[i] = 1 for non-dominated points (duplicates: all kept); returns how many. */
size_t pareto_filter(const double *x, size_t n, size_t m, unsigned char *keep);
/* rank[i] = 0 for the first front, 1 for the next, ...; returns the number of fronts. */
size_t pareto_sort(const double *x, size_t n, size_t m, unsigned *rank);
/* NSGA-II crowding distance within one set of points. */
void pareto_crowding(const double *x, size_t n, size_t m, double *distance);
/* Exact hypervolume dominated between the points and `ref` (points beyond it count 0). */
double pareto_hypervolume(const double *x, size_t n, size_t m, const double *ref);

#endif
