/* Slots: spans of words under the rules of a data set's labels. Private to training. */
#ifndef HAWSER_TRAIN_SPANS_H
#define HAWSER_TRAIN_SPANS_H

#include "src/infer/labels.h"
#include "src/train/dataset.h"

struct span {
	uint32_t first, last; /* words */
	int kind;
};
/* Maximal spans as conlleval reads them: I-x that follows no x begins one. `out` holds n. */
size_t spans_find(const struct label_rules *r, const int16_t *tags, size_t n, struct span *out);

#endif
