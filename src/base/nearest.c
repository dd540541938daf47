#include "src/base/nearest.h"

#include <stddef.h>
#include <string.h>

#define WORD_MAX 64

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Both words shorter than WORD_MAX. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], n = strlen(b);
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *t;

	for (size_t j = 0; j <= n; j++) {
		above[j] = j;
		before[j] = 0;
	}
	for (size_t i = 1; a[i - 1]; i++) {
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t same = a[i - 1] == b[j - 1];

			row[j] = min_size(above[j], row[j - 1]) + 1;
			row[j] = min_size(row[j], above[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				a[i - 2] == b[j - 1])
				row[j] = min_size(row[j], before[j - 2] + 1);
		}
		t = before;
		before = above;
		above = row;
		row = t;
	}
	return above[n];
}

const char *nearest_word(const char *word, const char *const *known)
{
	size_t len = strlen(word), best;
	const char *found = NULL;

	if (len >= WORD_MAX)
		return NULL;
	best = (len + 2) / 3 + 1;
	for (; *known; known++) {
		size_t d;

		if (strlen(*known) >= WORD_MAX)
			continue;
		d = distance(word, *known);
		if (d < best) {
			best = d;
			found = *known;
		}
	}
	return found;
}
