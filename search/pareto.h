/* Dominance, fronts and hypervolume on arrays of objective vectors.
 *
 * All minimise: callers negate what they maximise. Points are [n, m] row-major, m in
 * 1..OBJECTIVES_MAX. A point that holds a NAN never dominates and is dominated by every
 * point that holds none; among such points there is no order.
 *
 * Cost on usual sets of n points: filter and sort O(n log n) for two and three
 * objectives, O(n * front) for four; hypervolume O(n log n) for two and three, O(n^2) for
 * four. Out of memory, filter and sort go on slowly, hypervolume is NAN.
 */
#ifndef HAWSER_SEARCH_PARETO_H
#define HAWSER_SEARCH_PARETO_H

#include <stddef.h>

/* 1 when a is no worse than b everywhere and better somewhere. */
int pareto_dominates(const double *a, const double *b, size_t m);
/* keep[i] = 1 for non-dominated points (duplicates: all kept; with a NAN: never);
 * returns how many. */
size_t pareto_filter(const double *x, size_t n, size_t m, unsigned char *keep);
/* rank[i] = 0 for the first front, 1 for the next, ...; returns the number of fronts.
 * Points with a NAN form the last. */
size_t pareto_sort(const double *x, size_t n, size_t m, unsigned *rank);
/* NSGA-II crowding distance within one set of points. */
void pareto_crowding(const double *x, size_t n, size_t m, double *distance);
/* Exact hypervolume dominated between the points and `ref` (points beyond it count 0). */
double pareto_hypervolume(const double *x, size_t n, size_t m, const double *ref);

#endif
