/* One random damage to a text or to bytes, as files, links and fingers do it: a flip, an
 * insertion, a deletion, a doubled piece, a cut, a word of the grammar in the wrong
 * place.
 */
#ifndef HAWSER_TESTS_FUZZ_MUTATE_H
#define HAWSER_TESTS_FUZZ_MUTATE_H

#include <stdint.h>
#include <string.h>

#include "src/base/rng.h"

/* Changes data[0..len) in place, at most `cap` bytes; returns the new length. `words`
 * ends with NULL and may be NULL. */
static inline size_t mutate(
	struct rng *rng, uint8_t *data, size_t len, size_t cap, const char *const *words)
{
	size_t at = len ? (size_t)rng_below(rng, len) : 0, n, n_words = 0;

	while (words && words[n_words])
		n_words++;
	switch (rng_below(rng, n_words ? 7 : 6)) {
	case 0: /* a bit */
		if (len)
			data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
		return len;
	case 1: /* any byte */
		if (len)
			data[at] = (uint8_t)rng_below(rng, 256);
		return len;
	case 2: /* a byte more */
		if (len == cap)
			return len;
		memmove(data + at + 1, data + at, len - at);
		data[at] = (uint8_t)(32 + rng_below(rng, 95));
		return len + 1;
	case 3: /* a piece less */
		n = len ? 1 + (size_t)rng_below(rng, len - at < 8 ? len - at : 8) : 0;
		memmove(data + at, data + at + n, len - at - n);
		return len - n;
	case 4: /* a piece twice */
		n = len ? 1 + (size_t)rng_below(rng, len - at < 40 ? len - at : 40) : 0;
		if (len + n > cap)
			return len;
		memmove(data + at + n, data + at, len - at);
		return len + n;
	case 5: /* cut, now and then */
		return rng_below(rng, 4) ? len : at;
	default: /* a word of the grammar over what is there */
		words += rng_below(rng, n_words);
		n = strlen(*words);
		if (n > len - at)
			n = len - at;
		memcpy(data + at, *words, n);
		return len;
	}
}

#endif
