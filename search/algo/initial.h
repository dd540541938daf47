/* The stratified sample that a model-based search starts from. */
#ifndef HAWSER_SEARCH_ALGO_INITIAL_H
#define HAWSER_SEARCH_ALGO_INITIAL_H

#include "search/algo/algorithm.h"

enum err initial_ask(struct search_state *st, struct proposal *p, struct err_ctx *ctx);

#endif
