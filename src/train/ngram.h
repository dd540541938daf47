/* The baseline of a language-model task: token n-grams with Witten-Bell smoothing. */
#ifndef HAWSER_TRAIN_NGRAM_H
#define HAWSER_TRAIN_NGRAM_H

#include "src/train/train.h"

/* Fills n, n_tokens, cross_entropy and perplexity over the same tokens that a network with
 * the corpus' whole vocabulary and windows of 64 predicts. */
enum err baseline_ngram(struct corpus *c, struct quality *valid, struct quality *test,
	struct err_ctx *ctx);

#endif
