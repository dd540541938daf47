/* What people put around a request, and how they mistype it. */
#include <string.h>

#include "src/train/data/home_expand.h"

static int chance(struct rng *rng, unsigned percent)
{
	return rng_below(rng, 100) < percent;
}

/* A wrapper that the split may use. */
static const char *draw_wrapper(
	struct rng *rng, const struct home_wrapper *list, enum split split)
{
	size_t n = 0, pick;
	const struct home_wrapper *w;

	for (w = list; w->text; w++)
		n += w->splits >> split & 1;
	pick = (size_t)rng_below(rng, n);
	for (w = list; w->text; w++)
		if ((w->splits >> split & 1) && !pick--)
			break;
	return w->text;
}

int home_add_wrappers(
	struct rng *rng, enum split split, int is_request, struct sentence *s)
{
	int ok = 1;

	if (is_request && chance(rng, 35))
		ok = home_insert(s, 0, draw_wrapper(rng, home_requests, split));
	if (ok && chance(rng, 15))
		ok = home_insert(s, 0, draw_wrapper(rng, home_openers, split));
	if (ok && chance(rng, 18))
		ok = home_insert(s, s->n_words, draw_wrapper(rng, home_closers, split));
	if (ok && chance(rng, 12)) {
		size_t at = (size_t)rng_below(rng, s->n_words);

		while (at > 0 && s->words[at].span >= 0 &&
			s->words[at].span == s->words[at - 1].span)
			at--;
		ok = home_insert(s, at, draw_wrapper(rng, home_fillers, split));
	}
	return ok;
}

/* A slip of the fingers: two letters swapped, one lost, one doubled, or a key beside it.
 */
static void slip(struct rng *rng, char *w)
{
	static const char left_of[] = "qvxswdfguhjknbiozeartcymg";
	size_t n = strlen(w), at = 1 + (size_t)rng_below(rng, n - 2);
	char t = w[at];

	switch (rng_below(rng, 4)) {
	case 0:
		w[at] = w[at + 1];
		w[at + 1] = t;
		break;
	case 1:
		memmove(w + at, w + at + 1, n - at);
		break;
	case 2:
		if (n + 2 > sizeof(((struct home_word *)0)->text))
			break;
		memmove(w + at + 1, w + at, n - at + 1);
		break;
	default:
		if (t >= 'a' && t < 'a' + (char)(sizeof(left_of) - 1))
			w[at] = left_of[t - 'a'];
		break;
	}
}

void home_add_slips(struct rng *rng, struct sentence *s)
{
	for (size_t i = 0; i < s->n_words; i++) {
		char *w = s->words[i].text;

		if (strlen(w) >= 4 && w[0] >= 'a' && chance(rng, 2))
			slip(rng, w);
	}
}
