/* The tokeniser, on the device and on the host: byte-pair encoding over words.
 *
 * Freestanding; caller-owned memory. Text is split at white space; every word is
 * encoded as a space followed by its bytes, so a word's first token tells that it starts
 * a word. Merges are applied in rank order; a vocabulary of V tokens uses the first
 * V - n_base merges, so smaller vocabularies are prefixes of larger ones. A byte that
 * training never saw is TOKEN_UNK.
 *
 * Ids: TOKEN_PAD, TOKEN_UNK, TOKEN_BOS, then one per base byte in byte order, then
 * merges. Plain text (language model) keeps '\n' as a word of its own.
 */
#ifndef HAWSER_INFER_TOKENISE_H
#define HAWSER_INFER_TOKENISE_H

#include <stddef.h>
#include <stdint.h>

enum { TOKEN_PAD, TOKEN_UNK, TOKEN_BOS, N_SPECIAL_TOKENS };

struct tokeniser_table {
	uint32_t vocab_size; /* ids in use: specials + n_bytes + n_merges */
	uint32_t n_bytes;    /* base bytes */
	uint32_t n_merges;
	const uint8_t *bytes;	/* [n_bytes] ascending; id = N_SPECIAL_TOKENS + index */
	const uint16_t *merges; /* [n_merges][2] ids; result id = N_SPECIAL_TOKENS +
				   n_bytes + i */
};

#define TOKENISE_MAX_WORD 128 /* bytes with the leading space; longer words are cut */

/* Encodes one word (without its leading space) with the first `vocab_size` ids of the
 * table. Returns the number of ids written, at most `cap`. */
uint32_t tokenise_word(const struct tokeniser_table *t, uint32_t vocab_size,
	const char *word, size_t len, int32_t *ids, uint32_t cap);

/* Lower-cases ASCII letters and puts spaces around punctuation, as training's reader for
 * free text does; `out` holds `cap` bytes with the NUL. Returns the length written. */
size_t tokenise_normalise(const char *text, char *out, size_t cap);

/* A whole normalised line: ids, and for every word its first token's index. Stops at
 * `cap` ids. `word_first` may be NULL, else holds cap entries; *n_words counts words
 * begun. */
uint32_t tokenise_text(const struct tokeniser_table *t, uint32_t vocab_size,
	const char *text, int32_t *ids, uint32_t cap, uint32_t *word_first,
	uint32_t *n_words);

/* The stored form: u32 n_bytes, u32 n_merges, bytes, padding to 2, merges as u16 pairs;
 * little endian. Views `data` without copying on little-endian targets (2-aligned).
 * Returns 0, or -1 when malformed (lengths, order of bytes, an id that does not exist
 * yet). */
int tokenise_view(struct tokeniser_table *t, const uint8_t *data, size_t len);

#endif
