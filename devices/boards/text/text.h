/* A program around a model that people type at: lines of text in, answers out. Exported
 * models (`hawser export`) are linked with it; it needs an embedded vocabulary.
 *
 * Hosted C, standard library only; memory is taken once at the start.
 */
#ifndef HAWSER_DEVICES_BOARDS_TEXT_TEXT_H
#define HAWSER_DEVICES_BOARDS_TEXT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "src/infer/model_api.h"
#include "src/infer/tokenise.h"

#define TEXT_LINE_MAX 8192 /* bytes of a line; longer ones are cut */

struct text_options {
	double temperature; /* 0: the likeliest token */
	uint32_t n_tokens;  /* to continue a text by */
	uint64_t seed;
};

/* Both read standard input to its end and return the program's exit code. */
int text_classify(const struct tokeniser_table *t);
int text_generate(const struct tokeniser_table *t, const struct text_options *o);

/* The i-th of names that end in '\n'; its length without it. NULL past the end. */
const char *text_name(const char *names, uint32_t i, size_t *len);
/* exp(x - max) over all of them, each over the sum: probabilities. */
void text_softmax(const float *logits, uint32_t n, double temperature, float *p);
/* Without the line's end; 0 at the end of the input. */
int text_read_line(char *line, size_t cap);

#endif
