/* Builds a data set out of what a reader finds, and finishes it: labels in name order,
 * missing splits drawn, overlaps counted, the hash taken.
 *
 * A reader calls builder_add for every utterance in file order and leaves judging them to
 * the builder: all formats then have the same limits and the same messages.
 */
#ifndef HAWSER_TRAIN_DATA_BUILDER_H
#define HAWSER_TRAIN_DATA_BUILDER_H

#include "src/base/buf.h"
#include "src/train/data/strmap.h"
#include "src/train/dataset.h"

#define DATA_MAX_TEXT 65535	/* bytes in one labelled utterance */
#define DATA_MAX_WORDS 4096	/* in one labelled utterance */
#define DATA_MAX_LABELS 4096	/* intents, and tags; all fit into a meta.yaml */
#define DATA_MAX_LABEL 100	/* bytes in a label */
#define DATA_MAX_ROWS 20000000u /* utterances in a split */

struct builder {
	struct dataset *d;
	struct strmap intents, tags;
	struct buf note; /* sentences, joined by "; " */
	size_t cap[N_SPLITS];
	int started, has_tags; /* the first utterance decides about slots */
	size_t n_folded;       /* utterances with upper-case letters */
	size_t n_orphans;      /* I-x that opened a span */
	int is_saved;	       /* our own form: content must hash to `stored` */
	struct hash stored;
};

/* One utterance as found. Everything is borrowed. */
struct finding {
	const char *file;   /* for messages */
	size_t line;	    /* line, or number of the utterance where `unit` says so */
	const char *unit;   /* NULL: a line */
	const char *text;   /* words between white space */
	const char *intent; /* label */
	const char *tags;   /* a BIO tag per word, between white space; NULL: no slots */
};

/* `d` is zeroed here and owned by the caller; on failure release both. */
void builder_init(struct builder *b, struct dataset *d);
void builder_release(struct builder *b);
enum err builder_add(
	struct builder *b, enum split s, const struct finding *f, struct err_ctx *ctx);
/* A split of plain text, white space already in order; once per split. */
enum err builder_add_text(struct builder *b, enum split s, const char *text, size_t len,
	struct err_ctx *ctx);
void builder_note(struct builder *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Counts the words of a text as the tokeniser splits it. */
size_t builder_count_words(const char *text, size_t len, int newline_is_word);
/* tokenise_normalise into a buffer of any size. */
enum err builder_normalise(const char *text, struct buf *out, struct err_ctx *ctx);
/* `source` is what messages call the set. */
enum err builder_finish(struct builder *b, const char *source, struct err_ctx *ctx);

/* splits.c: draws what is missing, and counts sentences shared between splits. */
enum err splits_draw(struct builder *b, const char *source, struct err_ctx *ctx);
enum err splits_note_overlap(struct builder *b, struct err_ctx *ctx);

/* The hash of a data set's content (kind, labels, utterances). */
void dataset_rehash(struct dataset *d);

#endif
