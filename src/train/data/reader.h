/* The table of readers. A reader turns one kind of source into findings for a builder; it
 * neither limits nor judges them (the builder does), but says where each was found.
 */
#ifndef HAWSER_TRAIN_DATA_READER_H
#define HAWSER_TRAIN_DATA_READER_H

#include "src/train/data/builder.h"

struct reader {
	const char *name; /* as in --format */
	/* Whether the source looks like this format; looks at names and, for files, at
	 * the first bytes. NULL: only by name. */
	int (*recognise)(const char *source);
	enum err (*read)(struct builder *b, const char *source, struct err_ctx *ctx);
};

extern const struct reader reader_home, reader_saved, reader_seqio, reader_snips2017,
	reader_clinc150, reader_clinc150_oos, reader_tsv, reader_text;
/* In the order in which they are asked; ends with NULL. */
extern const struct reader *const readers[];

/* "dir/name" exists as a file. */
int source_has(const char *dir, const char *name);
/* The first bytes of a file, NUL-terminated; 0 on any failure. */
size_t source_head(const char *path, char *out, size_t cap);
int source_ends_with(const char *source, const char *suffix);

/* seqio.c and text.c, for our own saved form. */
enum err seqio_read_split(struct builder *b, enum split s, const char *dir, int has_slots,
	struct err_ctx *ctx);
enum err text_read_split(
	struct builder *b, enum split s, const char *path, struct err_ctx *ctx);

#endif
