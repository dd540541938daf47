/* Folders of joint intent-slot papers: train, valid (or dev), test, each with seq.in
 * (words), seq.out (a BIO tag per word) and label (an intent per line). Without seq.out:
 * intents only. */
#include <string.h>

#include "src/base/file.h"
#include "src/train/data/lines.h"
#include "src/train/data/reader.h"

static int recognise(const char *source)
{
	return file_is_dir(source) && source_has(source, "train/seq.in");
}

struct seqio {
	struct lines in, out, label;
	int has_slots;
};

static enum err open_files(struct seqio *q, const char *dir, struct err_ctx *ctx)
{
	char path[3][DATA_PATH_MAX];
	enum err e = file_join(path[0], sizeof(path[0]), dir, "seq.in", ctx);

	if (!e)
		e = file_join(path[1], sizeof(path[1]), dir, "label", ctx);
	if (!e)
		e = file_join(path[2], sizeof(path[2]), dir, "seq.out", ctx);
	if (!e)
		e = lines_open(&q->in, path[0], ctx);
	if (e)
		return e;
	e = lines_open(&q->label, path[1], ctx);
	if (!e && q->has_slots) {
		e = lines_open(&q->out, path[2], ctx);
		if (e)
			lines_close(&q->label);
	}
	if (e)
		lines_close(&q->in);
	return e;
}

static void close_files(struct seqio *q)
{
	lines_close(&q->in);
	lines_close(&q->label);
	if (q->has_slots)
		lines_close(&q->out);
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		s[--n] = '\0';
	return s;
}

static enum err shorter(
	const struct lines *a, const struct lines *longer, struct err_ctx *ctx)
{
	return err_set(ctx, ERR_INVALID,
		"%s:%zu: no such line, but '%s' has it; are the files of one set?",
		a->path, longer->number, longer->path);
}

static enum err read_rows(
	struct builder *b, enum split s, struct seqio *q, struct err_ctx *ctx)
{
	for (;;) {
		char *in = lines_next(&q->in), *label = lines_next(&q->label);
		char *out = q->has_slots ? lines_next(&q->out) : NULL;
		struct finding f = {q->in.path, q->in.number, NULL, in, NULL, out};
		enum err e;

		if (!in && !label && !out)
			return ERR_OK;
		if (!in)
			return shorter(&q->in, label ? &q->label : &q->out, ctx);
		if (!label)
			return shorter(&q->label, &q->in, ctx);
		if (q->has_slots && !out)
			return shorter(&q->out, &q->in, ctx);
		f.intent = trim(label);
		e = builder_add(b, s, &f, ctx);
		if (e)
			return e;
	}
}

enum err seqio_read_split(struct builder *b, enum split s, const char *dir, int has_slots,
	struct err_ctx *ctx)
{
	struct seqio q;
	enum err e;

	memset(&q, 0, sizeof(q));
	q.has_slots = has_slots;
	e = open_files(&q, dir, ctx);
	if (e)
		return e;
	e = read_rows(b, s, &q, ctx);
	if (!e && !b->d->n[s])
		e = err_set(ctx, ERR_INVALID, "'%s' is empty", q.in.path);
	close_files(&q);
	return e;
}

static enum err read(struct builder *b, const char *source, struct err_ctx *ctx)
{
	static const struct {
		const char *name, *probe;
		enum split split;
	} parts[] = {{"train", "train/seq.in", SPLIT_TRAIN},
		{"valid", "valid/seq.in", SPLIT_VALID},
		{"dev", "dev/seq.in", SPLIT_VALID}, {"test", "test/seq.in", SPLIT_TEST}};
	int has_slots = source_has(source, "train/seq.out");
	char dir[DATA_PATH_MAX];
	enum err e = ERR_OK;

	for (size_t i = 0; i < 4 && !e; i++) {
		enum split s = parts[i].split;

		if ((s != SPLIT_TRAIN && !source_has(source, parts[i].probe)) ||
			b->d->n[s])
			continue;
		e = file_join(dir, sizeof(dir), source, parts[i].name, ctx);
		if (!e)
			e = seqio_read_split(b, s, dir, has_slots, ctx);
	}
	return e;
}

const struct reader reader_seqio = {"seqio", recognise, read};
