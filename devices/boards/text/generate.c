/* Goes on with every line, token by token. When the context is full, its second half is
 * kept and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/boards/text/text.h"

#define TOKEN_BYTES_MAX 256
#define EXPAND_DEPTH 256

struct generator {
	const struct tokeniser_table *t;
	char line[TEXT_LINE_MAX];
	int32_t *ids; /* the context, [seq_len] */
	uint32_t n;   /* tokens in it */
	float *p;     /* [vocab_size] */
	uint64_t random;
};

/* A token's bytes: merges are opened left to right with a stack of our own. */
static size_t token_bytes(const struct tokeniser_table *t, int32_t id, char *out)
{
	uint32_t base = N_SPECIAL_TOKENS + t->n_bytes;
	uint32_t stack[EXPAND_DEPTH], depth = 0;
	size_t n = 0;

	stack[depth++] = (uint32_t)id;
	while (depth && n < TOKEN_BYTES_MAX) {
		uint32_t at = stack[--depth];

		if (at >= t->vocab_size || at < N_SPECIAL_TOKENS) {
			out[n++] = '?';
		} else if (at < base) {
			out[n++] = (char)t->bytes[at - N_SPECIAL_TOKENS];
		} else if (depth + 2 <= EXPAND_DEPTH) {
			stack[depth++] = t->merges[2 * (at - base) + 1];
			stack[depth++] = t->merges[2 * (at - base)];
		}
	}
	return n;
}

/* Uniform in [0, 1): splitmix64. */
static double draw(struct generator *g)
{
	uint64_t z = g->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

/* Never a special token. */
static int32_t choose(struct generator *g, const float *logits, double temperature)
{
	uint32_t first = N_SPECIAL_TOKENS, n = model_info.vocab_size;
	uint32_t best = first;
	double left;

	for (uint32_t i = first; i < n; i++)
		if (logits[i] > logits[best])
			best = i;
	if (temperature <= 0)
		return (int32_t)best;
	text_softmax(logits + first, n - first, temperature, g->p);
	left = draw(g);
	for (uint32_t i = first; i < n; i++) {
		left -= (double)g->p[i - first];
		if (left < 0)
			return (int32_t)i;
	}
	return (int32_t)best;
}

/* Adds a token to the context and runs it. */
static int step(struct generator *g, int32_t id, struct model_output *o)
{
	if (g->n == model_info.seq_len) {
		uint32_t keep = g->n / 2;

		memmove(g->ids, g->ids + g->n - keep, keep * sizeof(*g->ids));
		g->n = keep;
		model_reset();
		if (keep && model_info.is_decoder && model_run(g->ids, keep, o))
			return -1;
	}
	g->ids[g->n++] = id;
	if (model_info.is_decoder)
		return model_run(&id, 1, o);
	return model_run(g->ids, g->n, o);
}

static int begin(struct generator *g, struct model_output *o)
{
	size_t n = strlen(g->line);

	if (!n)
		g->line[n++] = '\n';
	g->line[n] = 0;
	g->n = tokenise_text(g->t, model_info.vocab_size, g->line, g->ids,
		model_info.seq_len, NULL, NULL);
	if (!g->n)
		g->ids[g->n++] = TOKEN_UNK;
	model_reset();
	return model_run(g->ids, g->n, o);
}

static int go_on(struct generator *g, const struct text_options *o)
{
	char bytes[TOKEN_BYTES_MAX];
	struct model_output out;

	if (begin(g, &out))
		return -1;
	fputs(g->line, stdout);
	for (uint32_t i = 0; i < o->n_tokens; i++) {
		int32_t id = choose(g, out.lm, o->temperature);

		fwrite(bytes, 1, token_bytes(g->t, id, bytes), stdout);
		fflush(stdout);
		if (i + 1 < o->n_tokens && step(g, id, &out))
			return -1;
	}
	putchar('\n');
	return 0;
}

int text_generate(const struct tokeniser_table *t, const struct text_options *o)
{
	static struct generator g;
	int err = 0;

	g.t = t;
	g.random = o->seed;
	g.ids = calloc(model_info.seq_len, sizeof(*g.ids));
	g.p = calloc(model_info.vocab_size, sizeof(*g.p));
	if (!g.ids || !g.p) {
		fprintf(stderr, "out of memory\n");
		return 1;
	}
	while (!err && text_read_line(g.line, sizeof(g.line) - 1))
		err = go_on(&g, o);
	return err ? 1 : 0;
}
