/* What `hawser data show` tells about a data set. */
#ifndef HAWSER_CLI_DATA_SHOW_H
#define HAWSER_CLI_DATA_SHOW_H

#include <stdint.h>

#include "src/train/dataset.h"

struct data_split_facts {
	size_t n; /* utterances; windows for plain text */
	size_t n_words, max_words;
	size_t n_spans;
	size_t n_tokens, max_tokens, n_unknown;
	size_t n_single; /* words that are one token */
	size_t n_unseen; /* words that train does not have */
};

struct data_facts {
	uint32_t vocab_asked, vocab_made, n_bytes;
	struct data_split_facts split[N_SPLITS];
	size_t *n_intent; /* [N_SPLITS][n_intents] utterances */
	size_t *n_slot;	  /* [N_SPLITS][n_tags] spans, at their B- tag */
};

enum err data_facts_take(const struct dataset *d, uint32_t vocab_size,
	struct data_facts *f, struct err_ctx *ctx);
void data_facts_release(struct data_facts *f);
void data_show_text(const struct dataset *d, const struct data_facts *f, enum split split,
	size_t n_lines);
enum err data_show_json(const struct dataset *d, const struct data_facts *f,
	enum split split, size_t n_lines, struct err_ctx *ctx);

#endif
