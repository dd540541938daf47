/* Byte-pair encoding, trained on words with counts (Sennrich et al. 2016, on bytes).
 *
 * The pair with the highest count is merged, of equals the one with the smaller left id,
 * then right id: the same text always gives the same merges. Pairs that occur once are
 * not merged, so a small text may give fewer merges than asked for.
 */
#ifndef HAWSER_TRAIN_DATA_BPE_H
#define HAWSER_TRAIN_DATA_BPE_H

#include <stdint.h>

#include "src/base/err.h"

struct bpe_word {
	uint16_t *ids; /* [n], merged in place */
	uint32_t n;
	uint64_t count;
};

/* merges: caller's, [n_wanted][2]; ids of merges begin at `first_id`. */
enum err bpe_train(struct bpe_word *words, uint32_t n_words, uint32_t first_id,
	uint32_t n_wanted, uint16_t *merges, uint32_t *n_made, struct err_ctx *ctx);

#endif
