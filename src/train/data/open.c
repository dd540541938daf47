#include <stdio.h>
#include <string.h>

#include "src/base/file.h"
#include "src/train/data/lines.h"
#include "src/train/data/reader.h"

const struct reader *const readers[] = {
	&reader_home,
	&reader_saved,
	&reader_seqio,
	&reader_snips2017,
	&reader_clinc150,
	&reader_clinc150_oos,
	&reader_tsv,
	&reader_text,
	NULL,
};

int source_has(const char *dir, const char *name)
{
	char path[DATA_PATH_MAX];

	return !file_join(path, sizeof(path), dir, name, NULL) && file_exists(path) &&
	       !file_is_dir(path);
}

size_t source_head(const char *path, char *out, size_t cap)
{
	FILE *f;
	size_t n;

	out[0] = '\0';
	if (file_is_dir(path))
		return 0;
	f = fopen(path, "rb");
	if (!f)
		return 0;
	n = fread(out, 1, cap - 1, f);
	fclose(f);
	out[n] = '\0';
	return n;
}

int source_ends_with(const char *source, const char *suffix)
{
	size_t n = strlen(source), k = strlen(suffix);

	return n >= k && !strcmp(source + n - k, suffix);
}

static void list_formats(char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; readers[i] && n < cap; i++)
		n += (size_t)snprintf(
			out + n, cap - n, "%s%s", i ? ", " : "", readers[i]->name);
}

static enum err find_reader(const char *source, const char *format,
	const struct reader **out, struct err_ctx *ctx)
{
	char known[256];

	for (size_t i = 0; readers[i]; i++) {
		if (format ? strcmp(readers[i]->name, format) != 0
			   : !readers[i]->recognise || !readers[i]->recognise(source))
			continue;
		*out = readers[i];
		return ERR_OK;
	}
	list_formats(known, sizeof(known));
	if (format)
		return err_set(ctx, ERR_USAGE, "unknown data format '%s'; known are %s",
			format, known);
	if (!strncmp(source, "builtin:", 8))
		return err_set(ctx, ERR_NOTFOUND,
			"no built-in data set '%s'; there is 'builtin:home'", source + 8);
	if (!file_exists(source))
		return err_set(ctx, ERR_NOTFOUND, "no such data set: '%s'", source);
	if (file_is_dir(source))
		return err_set(ctx, ERR_INVALID,
			"folder '%s' holds no data set that is known; expected "
			"train/seq.in, "
			"train.tsv, train.txt, train_<intent>.json or data_full.json",
			source);
	return err_set(ctx, ERR_INVALID, "'%s' is empty or of no known format (%s)",
		source, known);
}

/* The last part of a path, without trailing slashes. */
static void name_source(char *out, size_t cap, const char *source)
{
	size_t end = strlen(source), begin;

	while (end > 1 && source[end - 1] == '/')
		end--;
	begin = end;
	while (begin && source[begin - 1] != '/')
		begin--;
	if (!strncmp(source, "builtin:", 8))
		begin = 0;
	snprintf(out, cap, "%.*s", (int)(end - begin), source + begin);
}

enum err dataset_open(
	struct dataset *d, const char *source, const char *format, struct err_ctx *ctx)
{
	const struct reader *r = NULL;
	struct dataset made;
	struct builder b;
	enum err e;

	if (!source[0])
		return err_set(ctx, ERR_USAGE, "no data set named");
	if (strlen(source) >= DATA_PATH_MAX)
		return err_set(ctx, ERR_INVALID, "path too long: '%.80s...'", source);
	e = find_reader(source, format, &r, ctx);
	if (e)
		return e;
	builder_init(&b, &made);
	name_source(made.name, sizeof(made.name), source);
	e = r->read(&b, source, ctx);
	if (!e)
		e = builder_finish(&b, source, ctx);
	builder_release(&b);
	if (e) {
		dataset_release(&made);
		return e;
	}
	*d = made;
	return ERR_OK;
}
