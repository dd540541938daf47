/* Features of texts and of words in their text, for the linear baseline. */
#ifndef HAWSER_TRAIN_FEATURES_H
#define HAWSER_TRAIN_FEATURES_H

#include "src/train/dataset.h"
#include "src/train/linear.h"

/* A growing list of feature hashes with their counts in one row. */
struct bag {
	uint64_t *key;
	float *count;
	size_t n, cap;
	int failed;
};
void bag_init(struct bag *b);
void bag_release(struct bag *b);

/* Word n-grams of length 1 and 2, character n-grams of 2 to 4 within " word ". */
void bag_of_text(struct bag *b, const struct utterance *u);
/* Word `at` seen through a window of two words to each side, its affixes and shape. */
void bag_of_word(struct bag *b, const struct utterance *u, uint32_t at);

#endif
