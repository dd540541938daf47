#include "src/train/ngram.h"

#include <math.h>
#include <string.h>

#include "src/train/linear.h"

#define ORDER 4
#define WINDOW 64

/* Counts of n-grams, and per context how often and with how many followers it was seen.
 */
struct ngrams {
	struct dictionary gram, context, follower;
	uint32_t vocab_size;
};

static uint64_t key_of(const int32_t *ids, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u + n;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint64_t)(uint32_t)ids[i]) * 0x100000001b3u + (h >> 31);
	return h;
}

static uint32_t count_of(const struct dictionary *d, uint64_t key)
{
	size_t at = dictionary_find(d, key);

	return at == SIZE_MAX ? 0 : d->count[at];
}

static enum err count_gram(
	struct ngrams *m, const int32_t *ids, size_t n, struct err_ctx *ctx)
{
	uint64_t gram = key_of(ids, n), context = key_of(ids, n - 1);
	int fresh = !count_of(&m->gram, gram);
	enum err err = dictionary_count(&m->gram, gram, ctx);

	if (!err)
		err = dictionary_count(&m->context, context, ctx);
	if (!err && fresh)
		err = dictionary_count(&m->follower, context, ctx);
	return err;
}

static enum err count_all(struct ngrams *m, const struct encoded *e, struct err_ctx *ctx)
{
	enum err err = ERR_OK;

	for (size_t s = 0; s < e->n; s++)
		for (uint32_t t = e->start[s]; t < e->start[s + 1]; t++)
			for (uint32_t n = 1; n <= ORDER && n <= t - e->start[s] + 1;
				n++) {
				err = count_gram(m, e->ids + t + 1 - n, n, ctx);
				if (err)
					return err;
			}
	return ERR_OK;
}

/* p(last | before) = (c + f p(last | shorter)) / (total + f), f followers of the context
 */
static double probability(const struct ngrams *m, const int32_t *end, size_t longest)
{
	double p = 1 / (double)m->vocab_size;

	for (size_t n = 1; n <= longest; n++) {
		uint64_t context = key_of(end + 1 - n, n - 1);
		double total = count_of(&m->context, context);
		double followers = count_of(&m->follower, context);

		if (total == 0)
			break;
		p = (count_of(&m->gram, key_of(end + 1 - n, n)) + followers * p) /
		    (total + followers);
	}
	return p;
}

static enum err score(struct corpus *c, const struct ngrams *m, enum split split,
	struct quality *out, struct err_ctx *ctx)
{
	const struct encoded *e;
	double sum = 0;
	size_t n = 0;
	enum err err = corpus_encoded(c, split, m->vocab_size, WINDOW, &e, ctx);

	if (err)
		return err;
	for (size_t s = 0; s < e->n; s++)
		for (uint32_t t = e->start[s]; t < e->start[s + 1]; t++, n++) {
			size_t longest = t - e->start[s] + 2;

			sum -= log(probability(
				m, e->ids + t + 1, longest < ORDER ? longest : ORDER));
		}
	if (!n)
		return err_set(ctx, ERR_INVALID, "no token to predict");
	memset(out, 0, sizeof(*out));
	out->intent_acc = out->slot_f1 = out->sentence_acc = NAN;
	out->intent_ci.lo = out->intent_ci.hi = out->f1_ci.lo = out->f1_ci.hi = NAN;
	out->n = e->n;
	out->n_tokens = n;
	out->cross_entropy = sum / (double)n;
	out->perplexity = exp(out->cross_entropy);
	return ERR_OK;
}

enum err baseline_ngram(struct corpus *c, struct quality *valid, struct quality *test,
	struct err_ctx *ctx)
{
	struct ngrams m;
	const struct encoded *e;
	enum err err;

	dictionary_init(&m.gram);
	dictionary_init(&m.context);
	dictionary_init(&m.follower);
	m.vocab_size = c->tokeniser->vocab_size;
	err = corpus_encoded(c, SPLIT_TRAIN, m.vocab_size, WINDOW, &e, ctx);
	if (!err)
		err = count_all(&m, e, ctx);
	if (!err)
		err = score(c, &m, SPLIT_VALID, valid, ctx);
	if (!err)
		err = score(c, &m, SPLIT_TEST, test, ctx);
	dictionary_release(&m.gram);
	dictionary_release(&m.context);
	dictionary_release(&m.follower);
	return err;
}
