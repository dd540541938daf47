/* From logits to labels: the intent and the words' tags that are likeliest together.
 *
 * Tags follow the BIO grammar (I-x comes after B-x or I-x only), and an intent goes with
 * those tags only that training saw beside it. Every intent has a best path through the
 * words (Viterbi); the intent whose logit and path add up to most is the answer, so that
 * slots that are sure settle an intent that is not. Ties go to the lower index.
 *
 * Freestanding and without memory of its own: host and device answer alike.
 */
#ifndef HAWSER_INFER_LABELS_H
#define HAWSER_INFER_LABELS_H

#include <stdint.h>

enum label_mark { LABEL_OUTSIDE, LABEL_BEGIN, LABEL_INSIDE };

#define LABEL_PAIR_BYTES(n_tags) (((n_tags) + 7u) / 8u)

struct label_rules {
	uint32_t n_intents, n_tags; /* tag 0 is "O", and goes with every intent */
	const uint8_t *mark;	    /* [n_tags] enum label_mark */
	const int16_t *begin; /* [n_tags] index of B-x for B-x and I-x; -1: none */
	/* [n_intents, LABEL_PAIR_BYTES(n_tags)] bit t % 8 of byte t / 8: tag t goes with the
	 * intent. 0: every tag goes with every intent. */
	const uint8_t *pairs;
};

/* Tag logits of n words: word w's are the n_tags values of row row[w], or of row w where
 * `row` is 0. */
struct label_words {
	const float *logits;
	const uint32_t *row;
	uint32_t n;
};

/* Scratch of the caller's, for up to as many words as there will be. */
struct label_room {
	float *score;	 /* [2, n_tags] */
	int16_t *back;	 /* [n_words, n_tags] */
	int16_t *choice; /* [n_tags] */
	int16_t *path;	 /* [n_words] */
};

/* The best path of any tags; tags [words->n]. */
void labels_path(const struct label_rules *r, const struct label_words *words,
	const struct label_room *room, int16_t *tags);

/* The best intent and its path. `intent` [n_intents] are its logits and become sums of
 * logits over the whole answer, one for each intent. */
uint32_t labels_best(const struct label_rules *r, float *intent,
	const struct label_words *words, const struct label_room *room, int16_t *tags);

#endif
