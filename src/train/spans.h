/* Slots: the BIO grammar of a data set's tags, and spans. Private to training. */
#ifndef HAWSER_TRAIN_SPANS_H
#define HAWSER_TRAIN_SPANS_H

#include "src/train/dataset.h"

struct tag_grammar {
	size_t n;
	uint8_t *mark;	/* [n] outside, begin, inside */
	int16_t *begin; /* [n] index of B-x for B-x and I-x; -1: none */
};
enum err tag_grammar_init(struct tag_grammar *g, const struct dataset *d, struct err_ctx *ctx);
void tag_grammar_release(struct tag_grammar *g);
/* As decode_tags, with the grammar made once and running out of memory told. */
enum err tag_grammar_decode(const struct tag_grammar *g, const float *logits, size_t n_words,
	int16_t *tags, struct err_ctx *ctx);

struct span {
	uint32_t first, last; /* words */
	int kind;
};
/* Maximal spans as conlleval reads them: I-x that follows no x begins one. `out` holds n. */
size_t spans_find(const struct tag_grammar *g, const int16_t *tags, size_t n, struct span *out);

#endif
