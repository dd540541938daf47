/* "Did you mean ...?": the known word nearest to a mistyped one.
 *
 * Distance is Damerau-Levenshtein in its restricted form (insert, delete, replace, swap
 * of neighbours). A word further away than a third of its length is no hint.
 */
#ifndef HAWSER_BASE_NEAREST_H
#define HAWSER_BASE_NEAREST_H

/* The nearest of a NULL-terminated list, the earlier one on a tie; NULL when none is
 * near. The result is one of `known`. */
const char *nearest_word(const char *word, const char *const *known);

#endif
