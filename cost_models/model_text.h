/* Text of a fitted model: what every kind writes and reads.
 *
 *   hawser-cost-model 1 ridge
 *   p 27
 *   beta 0.25 1.5 ...
 *   sum 5f0c...            (16 digits: SHA-256 of all bytes before this line)
 *
 * One key a line, in a fixed order, numbers with 17 digits so that a model reads back
 * exactly. The reader keeps its first error and then reads nothing: check once, at
 * the end. A changed, missing or extra byte is ERR_CORRUPT with its line.
 */
#ifndef HAWSER_COST_MODELS_MODEL_TEXT_H
#define HAWSER_COST_MODELS_MODEL_TEXT_H

#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/err.h"

struct model_writer {
	struct buf *out; /* borrowed */
	size_t start;
};

void model_writer_begin(struct model_writer *w, struct buf *out, const char *kind);
void model_write_size(struct model_writer *w, const char *key, size_t v);
void model_write_doubles(
	struct model_writer *w, const char *key, const double *v, size_t n);
enum err model_writer_end(struct model_writer *w);

struct model_reader {
	const char *at;	 /* next byte */
	const char *end; /* of the lines before "sum" */
	int line;
	enum err err;
	struct err_ctx *ctx;
};

/* Checks the first line, the kind and the sum. */
void model_reader_begin(
	struct model_reader *r, const char *text, const char *kind, struct err_ctx *ctx);
/* 0 and an error when it is not a whole number in [lo, hi]. */
size_t model_read_size(struct model_reader *r, const char *key, size_t lo, size_t hi);
/* Exactly n finite numbers. */
void model_read_doubles(struct model_reader *r, const char *key, double *v, size_t n);
/* Nothing may be left. */
enum err model_reader_end(struct model_reader *r);
/* For faults that only the kind can see ("negative scale"). */
void model_reader_fail(struct model_reader *r, const char *what);
/* The kind named in a text's first line; 0 when it has none. */
int model_text_kind(const char *text, char *kind, size_t cap);

#endif
