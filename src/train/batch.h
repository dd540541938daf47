/* Packed batches: some sequences of an encoded split, one after the other, no padding. */
#ifndef HAWSER_TRAIN_BATCH_H
#define HAWSER_TRAIN_BATCH_H

#include "src/base/err.h"
#include "src/base/rng.h"
#include "src/train/dataset.h"

#define BATCH_NO_ROW UINT32_MAX

struct batch {
	uint32_t n_seq, n_tok;
	uint32_t longest;
	uint32_t n_words;    /* words that have a first token and a tag */
	uint32_t n_slots;    /* words, cut-off ones included: equal for all encodings */
	uint32_t n_targets;  /* tokens with a next one to predict */
	uint32_t *start;     /* [n_seq + 1] */
	int32_t *ids;	     /* [n_tok] */
	int32_t *intent;     /* [n_seq] */
	uint32_t *word_tok;  /* [n_words] token of the batch */
	int32_t *word_tag;   /* [n_words] */
	uint32_t *word_slot; /* [n_words] its number among all words of the batch */
	uint32_t *slot_word; /* [n_slots] the inverse, or BATCH_NO_ROW */
	int32_t *next;	     /* [n_tok] the token that follows in a text, or -1 */
	const struct encoded *from;
	size_t cap_seq, cap_tok, cap_word; /* allocated */
};

void batch_init(struct batch *b);
void batch_release(struct batch *b);
/* Packs sequences index[0..n) of `e`, taken modulo its number of sequences. Grows the
 * batch's memory as needed. */
enum err batch_fill(struct batch *b, const struct encoded *e, const uint32_t *index, size_t n,
	struct err_ctx *ctx);
/* Subword regularisation, after BPE-dropout (Provilkov et al. 2020): a word is now and then cut
 * into smaller tokens, so that networks learn the parts of rare words, too. Here the smaller
 * tokens are those of smaller vocabularies of the same tokeniser, whose ids mean the same. */
struct batch_mix {
	const struct encoded *alt[2]; /* the same texts in smaller vocabularies */
	size_t n_alt;
	double p;	  /* of a word to be taken from one of them */
	uint32_t seq_len; /* a text that would get longer is taken as it is */
};
/* As batch_fill, for labelled texts. */
enum err batch_fill_mixed(struct batch *b, const struct encoded *e, const uint32_t *index,
	size_t n, const struct batch_mix *mix, struct rng *rng, struct err_ctx *ctx);
/* Replaces each token by TOKEN_UNK with probability p; targets stay. */
void batch_drop_words(struct batch *b, double p, struct rng *rng);

#endif
