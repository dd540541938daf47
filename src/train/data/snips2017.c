/* The Snips data of 2017: a folder with train_X.json or train_X_full.json and
 * validate_X.json for each intent X: {"X": [{"data": [{"text": "..."}, {"text": "...",
 * "entity": "e"}]}]}.
 *
 * The full file takes the place of the short one. validate_X is the test split, as the
 * authors used it; a validation split is drawn from train. (The split known from joint
 * intent-slot papers is another one: it comes as a seqio folder.) Every piece of an
 * utterance is normalised by itself, so an entity always begins and ends at a word.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "src/base/file.h"
#include "src/base/utf8.h"
#include "src/train/data/lines.h"
#include "src/train/data/reader.h"

/* "train_X.json" or "train_X_full.json": X into `intent`; 0 for other names. */
static int intent_of(const char *name, char *intent, size_t cap)
{
	size_t n = strlen(name);

	if (strncmp(name, "train_", 6) || !source_ends_with(name, ".json"))
		return 0;
	n -= 6 + 5;
	if (n > 5 && !strncmp(name + 6 + n - 5, "_full", 5))
		n -= 5;
	if (!n || n >= cap)
		return 0;
	memcpy(intent, name + 6, n);
	intent[n] = '\0';
	return 1;
}

/* The intents of a folder, in name order in `names` (as keys). */
static enum err list_intents(const char *dir, struct strmap *names, struct err_ctx *ctx)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);
	char intent[DATA_MAX_LABEL + 1];
	uint32_t index;
	enum err e = ERR_OK;

	if (n < 0)
		return err_set(ctx, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
			"cannot list '%s': %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (!e && intent_of(entries[i]->d_name, intent, sizeof(intent)))
			e = strmap_put(names, intent, strlen(intent), &index, ctx);
		free(entries[i]);
	}
	free(entries);
	return e;
}

static int recognise(const char *source)
{
	struct strmap names;
	int found;

	if (!file_is_dir(source))
		return 0;
	strmap_init(&names);
	found = !list_intents(source, &names, NULL) && names.n > 0;
	strmap_release(&names);
	return found;
}

static enum err load(struct builder *b, const char *path, const char *name, json_t **out,
	struct err_ctx *ctx)
{
	struct buf text;
	json_error_t je;
	enum err e;

	buf_init(&text);
	e = file_read(path, DATA_MAX_FILE, &text, ctx);
	if (!e && utf8_valid_prefix(buf_str(&text), text.len) != text.len &&
		!memchr(text.data, '\0', text.len)) {
		e = latin1_to_utf8(&text, ctx);
		builder_note(b, "%s read as Latin-1", name);
	}
	if (!e) {
		*out = json_loadb(buf_str(&text), text.len, 0, &je);
		if (!*out)
			e = err_set(ctx, ERR_PARSE, "%s:%d:%d: %s", path, je.line,
				je.column, je.text);
	}
	buf_release(&text);
	return e;
}

/* Appends one piece's words and, for each, its tag. */
static enum err add_piece(const char *piece, const char *entity, struct buf *text,
	struct buf *tags, struct err_ctx *ctx)
{
	struct buf out;
	size_t words;
	enum err e;

	buf_init(&out);
	e = builder_normalise(piece, &out, ctx);
	words = builder_count_words(buf_str(&out), out.len, 0);
	if (words && text->len)
		buf_putc(text, ' ');
	buf_append(text, buf_str(&out), out.len);
	for (size_t i = 0; i < words; i++) {
		if (entity)
			buf_printf(tags, " %s%s", i ? "I-" : "B-", entity);
		else
			buf_puts(tags, " O");
	}
	buf_release(&out);
	return e;
}

static enum err wrong_shape(
	const struct finding *f, const char *what, struct err_ctx *ctx)
{
	return err_set(ctx, ERR_PARSE, "%s: %s %zu: %s", f->file, f->unit, f->line, what);
}

static enum err add_utterance(struct builder *b, enum split s, const json_t *item,
	struct finding *f, struct err_ctx *ctx)
{
	const json_t *pieces = json_object_get(item, "data");
	struct buf text, tags;
	enum err e = ERR_OK;

	if (!json_is_array(pieces))
		return wrong_shape(f, "no \"data\" list", ctx);
	buf_init(&text);
	buf_init(&tags);
	for (size_t i = 0; i < json_array_size(pieces) && !e; i++) {
		const json_t *piece = json_array_get(pieces, i);
		const json_t *entity = json_object_get(piece, "entity");
		const char *words = json_string_value(json_object_get(piece, "text"));

		if (!words)
			e = wrong_shape(f, "a piece without \"text\"", ctx);
		else if (entity && !json_is_string(entity))
			e = wrong_shape(f, "an \"entity\" that is no string", ctx);
		else if (text.len > DATA_MAX_TEXT || strlen(words) > DATA_MAX_TEXT)
			e = wrong_shape(f, "the text is too long", ctx);
		else
			e = add_piece(
				words, json_string_value(entity), &text, &tags, ctx);
	}
	if (!e)
		e = buf_err(text.failed ? &text : &tags, ctx);
	f->text = buf_str(&text);
	f->tags = buf_str(&tags);
	if (!e)
		e = builder_add(b, s, f, ctx);
	buf_release(&text);
	buf_release(&tags);
	return e;
}

static enum err read_file(struct builder *b, enum split s, const char *dir,
	const char *name, const char *intent, struct err_ctx *ctx)
{
	char path[DATA_PATH_MAX];
	struct finding f = {.file = path, .unit = "utterance", .intent = intent};
	json_t *root, *list;
	enum err e = file_join(path, sizeof(path), dir, name, ctx);

	if (!e)
		e = load(b, path, name, &root, ctx);
	if (e)
		return e;
	list = json_object_get(root, intent);
	if (!json_is_array(list) || !json_array_size(list))
		e = err_set(
			ctx, ERR_PARSE, "%s: no utterances under \"%s\"", path, intent);
	for (size_t i = 0; !e && i < json_array_size(list); i++) {
		f.line = i + 1;
		e = add_utterance(b, s, json_array_get(list, i), &f, ctx);
	}
	json_decref(root);
	return e;
}

static enum err read_intent(
	struct builder *b, const char *dir, const char *intent, struct err_ctx *ctx)
{
	char name[DATA_MAX_LABEL + 32];
	enum err e;

	snprintf(name, sizeof(name), "train_%s_full.json", intent);
	if (!source_has(dir, name))
		snprintf(name, sizeof(name), "train_%s.json", intent);
	e = read_file(b, SPLIT_TRAIN, dir, name, intent, ctx);
	snprintf(name, sizeof(name), "validate_%s.json", intent);
	if (!e && source_has(dir, name))
		e = read_file(b, SPLIT_TEST, dir, name, intent, ctx);
	return e;
}

static enum err read(struct builder *b, const char *source, struct err_ctx *ctx)
{
	struct strmap names;
	enum err e;

	strmap_init(&names);
	e = list_intents(source, &names, ctx);
	if (!e && !names.n)
		e = err_set(ctx, ERR_NOTFOUND, "no train_<intent>.json in '%s'", source);
	for (uint32_t i = 0; i < names.n && !e; i++)
		e = read_intent(b, source, names.keys[i], ctx);
	strmap_release(&names);
	return e;
}

const struct reader reader_snips2017 = {"snips2017", recognise, read};
