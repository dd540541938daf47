#include "devices/boards/text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/infer/fmath.h"

const char *text_name(const char *names, uint32_t i, size_t *len)
{
	while (names && *names) {
		size_t n = strcspn(names, "\n");

		if (i-- == 0) {
			*len = n;
			return names;
		}
		names += n + (names[n] == '\n');
	}
	return NULL;
}

void text_softmax(const float *logits, uint32_t n, double temperature, float *p)
{
	float largest = logits[0], sum = 0, scale = (float)(1 / temperature);

	for (uint32_t i = 1; i < n; i++)
		largest = logits[i] > largest ? logits[i] : largest;
	for (uint32_t i = 0; i < n; i++) {
		p[i] = fmath_exp((logits[i] - largest) * scale);
		sum += p[i];
	}
	for (uint32_t i = 0; i < n; i++)
		p[i] /= sum;
}

int text_read_line(char *line, size_t cap)
{
	size_t n = 0;
	int c;

	while ((c = getchar()) != EOF && c != '\n')
		if (n + 1 < cap && c != 0)
			line[n++] = (char)c;
	line[n] = 0;
	return n > 0 || c != EOF;
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [-t temperature] [-n tokens] [-s seed] < text\n"
		"A classifier prints intent and slots of every line; a language model "
		"goes on\n"
		"with every line for n tokens (64), picking the likeliest (-t 0, the "
		"default)\n"
		"or by chance.\n",
		program);
	return 2;
}

static int parse(int argc, char **argv, struct text_options *o)
{
	for (int i = 1; i < argc; i += 2) {
		char *end;
		double v;

		if (i + 1 == argc || strlen(argv[i]) != 2 || argv[i][0] != '-')
			return 0;
		v = strtod(argv[i + 1], &end);
		if (end == argv[i + 1] || *end || !(v >= 0) || v > 1e9)
			return 0;
		if (argv[i][1] == 't' && (v == 0 || v >= 0.01))
			o->temperature = v;
		else if (argv[i][1] == 'n')
			o->n_tokens = (uint32_t)v;
		else if (argv[i][1] == 's')
			o->seed = (uint64_t)v;
		else
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct text_options o = {.n_tokens = 64, .seed = 1};
	struct tokeniser_table t;

	if (!parse(argc, argv, &o))
		return usage(argv[0]);
	if (!model_text.vocab ||
		tokenise_view(&t, model_text.vocab, model_text.vocab_bytes)) {
		fprintf(stderr, "this model has no vocabulary: it cannot read text\n");
		return 1;
	}
	return model_info.n_intents ? text_classify(&t) : text_generate(&t, &o);
}
