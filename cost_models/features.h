/* Analytic features of a candidate for the cost models, from src/model/graph.h: counts of
 * work (MACs by weight bits, elements normalised, exponentiated, quantised ...), of
 * bytes, and of the widest tensors. Each is a cost, never negative; where a gene changes
 * the price of an element (activation, norm, compiler flags, kernels) the count stands a
 * second time for that choice. No constant column: every kind has its own intercept.
 */
#ifndef HAWSER_COST_MODELS_FEATURES_H
#define HAWSER_COST_MODELS_FEATURES_H

#include "src/model/genome.h"
#include "src/model/graph.h"

#define COST_FEATURES_MAX 64

/* The number of features and their names. Feature 0 is always "macs" and feature 1
 * always "depth": the baselines use them. */
size_t cost_features_count(void);
const char *cost_features_name(size_t i);
/* Fills x[cost_features_count()] for a run on n_tokens tokens. */
void cost_features(const struct genome *g, const struct task_shape *task,
	uint32_t n_tokens, double *x);

#endif
