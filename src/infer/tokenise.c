#include "src/infer/tokenise.h"

#define MAX_IDS 65536u /* ids are stored in 16 bits */

static uint32_t n_base(const struct tokeniser_table *t)
{
	return N_SPECIAL_TOKENS + t->n_bytes;
}

static int is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static int is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static int is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

/* Letters, digits, and every byte of a multi-byte character. */
static int is_word(unsigned char c)
{
	return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z') || c >= 0x80;
}

/* Index of a byte among the base bytes, or -1. */
static int32_t byte_index(const struct tokeniser_table *t, unsigned char c)
{
	uint32_t lo = 0, hi = t->n_bytes;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (t->bytes[mid] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->n_bytes && t->bytes[lo] == c ? (int32_t)lo : -1;
}

static uint16_t byte_id(const struct tokeniser_table *t, uint32_t vocab, char c)
{
	int32_t i = byte_index(t, (unsigned char)c);

	if (i < 0 || N_SPECIAL_TOKENS + (uint32_t)i >= vocab)
		return TOKEN_UNK;
	return (uint16_t)(N_SPECIAL_TOKENS + i);
}

/* Joins every (left, right) of the word, from the left; returns the new length. */
static uint32_t merge_pair(
	uint16_t *tok, uint32_t n, uint16_t left, uint16_t right, uint16_t made)
{
	uint32_t w = 0;

	for (uint32_t r = 0; r < n; r++) {
		if (r + 1 < n && tok[r] == left && tok[r + 1] == right) {
			tok[w++] = made;
			r++;
		} else {
			tok[w++] = tok[r];
		}
	}
	return w;
}

/* A set of ids, folded into 32 bits: says "certainly not there" for most merges. */
static uint32_t fold_ids(const uint16_t *tok, uint32_t n)
{
	uint32_t set = 0;

	for (uint32_t i = 0; i < n; i++)
		set |= (uint32_t)1 << (tok[i] & 31);
	return set;
}

/* One pass over the merges in rank order is exact: a merge of a later rank only makes ids
 * that no earlier merge can take. */
static uint32_t apply_merges(
	const struct tokeniser_table *t, uint32_t vocab, uint16_t *tok, uint32_t n)
{
	uint32_t base = n_base(t), n_merges, set = fold_ids(tok, n);

	n_merges = vocab > base ? vocab - base : 0;
	for (uint32_t m = 0; m < n_merges && n > 1; m++) {
		uint16_t left = t->merges[2 * m], right = t->merges[2 * m + 1];
		uint32_t before = n;

		if (!(set >> (left & 31) & 1) || !(set >> (right & 31) & 1))
			continue;
		n = merge_pair(tok, n, left, right, (uint16_t)(base + m));
		if (n != before)
			set = fold_ids(tok, n);
	}
	return n;
}

uint32_t tokenise_word(const struct tokeniser_table *t, uint32_t vocab_size,
	const char *word, size_t len, int32_t *ids, uint32_t cap)
{
	uint16_t tok[TOKENISE_MAX_WORD];
	uint32_t n = 0;

	if (vocab_size > t->vocab_size)
		vocab_size = t->vocab_size;
	if (len != 1 || word[0] != '\n')
		tok[n++] = byte_id(t, vocab_size, ' ');
	for (size_t i = 0; i < len && n < TOKENISE_MAX_WORD; i++)
		tok[n++] = byte_id(t, vocab_size, word[i]);
	n = apply_merges(t, vocab_size, tok, n);
	if (n > cap)
		n = cap;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = tok[i];
	return n;
}

/* Punctuation that stays inside a word: "that's", "r&b", "top-ten"; "7:30", "1.5". */
static int joins(unsigned char before, unsigned char c, unsigned char after)
{
	if (c == '\'' || c == '-' || c == '&' || c == '_')
		return is_word(before) && is_word(after);
	if (c == '.' || c == ',' || c == ':' || c == '/')
		return is_digit(before) && is_digit(after);
	return 0;
}

size_t tokenise_normalise(const char *text, char *out, size_t cap)
{
	size_t n = 0;
	int gap = 0; /* the next character begins a word */
	unsigned char before = ' ';

	if (!cap)
		return 0;
	for (size_t i = 0; text[i]; i++) {
		unsigned char c = (unsigned char)text[i];
		int alone;

		if (c <= ' ' || c == 0x7f) {
			gap = 1;
			before = ' ';
			continue;
		}
		alone = !is_word(c) && !joins(before, c, (unsigned char)text[i + 1]);
		if ((gap || alone) && n) {
			if (n + 2 >= cap)
				break;
			out[n++] = ' ';
		}
		if (n + 1 >= cap)
			break;
		out[n++] = (char)(is_upper(c) ? c + ('a' - 'A') : c);
		gap = alone;
		before = c;
	}
	out[n] = '\0';
	return n;
}

uint32_t tokenise_text(const struct tokeniser_table *t, uint32_t vocab_size,
	const char *text, int32_t *ids, uint32_t cap, uint32_t *word_first,
	uint32_t *n_words)
{
	int newline_is_word = byte_index(t, '\n') >= 0;
	uint32_t n = 0, words = 0;
	size_t i = 0;

	while (text[i] && n < cap) {
		size_t begin = i;

		if (text[i] == '\n') {
			i++;
			if (!newline_is_word)
				continue;
		} else if (is_space((unsigned char)text[i])) {
			i++;
			continue;
		} else {
			while (text[i] && text[i] != '\n' &&
				!is_space((unsigned char)text[i]))
				i++;
		}
		if (word_first)
			word_first[words] = n;
		words++;
		n += tokenise_word(
			t, vocab_size, text + begin, i - begin, ids + n, cap - n);
	}
	if (n_words)
		*n_words = words;
	return n;
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static int merges_ok(const uint8_t *p, uint32_t base, uint32_t n_merges)
{
	for (uint32_t i = 0; i < 2 * n_merges; i++) {
		uint32_t id = (uint32_t)p[2 * i] | (uint32_t)p[2 * i + 1] << 8;

		if (id < N_SPECIAL_TOKENS || id >= base + i / 2)
			return 0;
	}
	return 1;
}

int tokenise_view(struct tokeniser_table *t, const uint8_t *data, size_t len)
{
	uint32_t n_bytes, n_merges, base;
	size_t at;

	if (len < 8 || (uintptr_t)data % 2)
		return -1;
	n_bytes = get_u32(data);
	n_merges = get_u32(data + 4);
	if (n_bytes > 256 || n_merges > MAX_IDS - N_SPECIAL_TOKENS - n_bytes)
		return -1;
	at = 8 + (size_t)n_bytes + n_bytes % 2;
	if (len != at + 4 * (size_t)n_merges)
		return -1;
	for (uint32_t i = 1; i < n_bytes; i++)
		if (data[8 + i] <= data[8 + i - 1])
			return -1;
	base = N_SPECIAL_TOKENS + n_bytes;
	if (!merges_ok(data + at, base, n_merges))
		return -1;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	if (n_merges)
		return -1;
#endif
	t->vocab_size = base + n_merges;
	t->n_bytes = n_bytes;
	t->n_merges = n_merges;
	t->bytes = data + 8;
	t->merges = (const uint16_t *)(const void *)(data + at);
	return 0;
}
