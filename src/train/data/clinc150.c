/* CLINC150's data_full.json: {"train": [["text", "label"], ...], "val": ..., "test": ...,
 * "oos_train": ...}. Out-of-scope sentences are left out, or with the format
 * "clinc150-oos" kept under the intent "oos".
 */
#include <string.h>

#include <jansson.h>

#include "src/base/file.h"
#include "src/train/data/lines.h"
#include "src/train/data/reader.h"

#define FILE_NAME "data_full.json"

static const struct {
	const char *key;
	enum split split;
	int oos;
} lists[] = {
	{"train", SPLIT_TRAIN, 0},
	{"val", SPLIT_VALID, 0},
	{"test", SPLIT_TEST, 0},
	{"oos_train", SPLIT_TRAIN, 1},
	{"oos_val", SPLIT_VALID, 1},
	{"oos_test", SPLIT_TEST, 1},
};

static int recognise(const char *source)
{
	char head[256];

	if (file_is_dir(source))
		return source_has(source, FILE_NAME);
	source_head(source, head, sizeof(head));
	return head[strspn(head, " \t\r\n")] == '{';
}

static enum err add_row(struct builder *b, enum split s, const json_t *row,
	struct finding *f, struct buf *text, struct err_ctx *ctx)
{
	const char *words = json_string_value(json_array_get(row, 0));
	const char *label = json_string_value(json_array_get(row, 1));
	enum err e;

	if (json_array_size(row) != 2 || !words || !label)
		return err_set(ctx, ERR_PARSE, "%s: %s %zu: not [\"text\", \"label\"]",
			f->file, f->unit, f->line);
	if (strlen(words) > DATA_MAX_TEXT)
		return err_set(ctx, ERR_INVALID, "%s: %s %zu: the text is too long",
			f->file, f->unit, f->line);
	e = builder_normalise(words, text, ctx);
	if (e)
		return e;
	f->text = buf_str(text);
	f->intent = label;
	return builder_add(b, s, f, ctx);
}

static enum err read_lists(struct builder *b, const json_t *root, const char *path,
	int keep_oos, struct err_ctx *ctx)
{
	struct finding f = {.file = path};
	struct buf text;
	size_t dropped = 0;
	enum err e = ERR_OK;

	buf_init(&text);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !e; i++) {
		const json_t *list = json_object_get(root, lists[i].key);

		if (list && !json_is_array(list))
			e = err_set(ctx, ERR_PARSE, "%s: \"%s\" is no list", path,
				lists[i].key);
		if (lists[i].oos && !keep_oos) {
			dropped += json_array_size(list);
			continue;
		}
		f.unit = lists[i].key;
		for (size_t k = 0; !e && k < json_array_size(list); k++) {
			f.line = k + 1;
			e = add_row(b, lists[i].split, json_array_get(list, k), &f, &text,
				ctx);
		}
	}
	buf_release(&text);
	if (dropped)
		builder_note(b,
			"%zu out-of-scope sentences left out (--format clinc150-oos "
			"keeps them)",
			dropped);
	return e;
}

static enum err read_file(
	struct builder *b, const char *source, int keep_oos, struct err_ctx *ctx)
{
	char path[DATA_PATH_MAX];
	struct lines l;
	json_error_t je;
	json_t *root;
	enum err e = ERR_OK;

	if (file_is_dir(source))
		e = file_join(path, sizeof(path), source, FILE_NAME, ctx);
	else
		memcpy(path, source, strlen(source) + 1);
	if (!e)
		e = lines_open(&l, path, ctx);
	if (e)
		return e;
	root = json_loadb(l.text.data + l.at, l.text.len - l.at, 0, &je);
	if (!root)
		e = err_set(ctx, ERR_PARSE, "%s:%d:%d: %s", path, je.line, je.column,
			je.text);
	else if (!json_is_array(json_object_get(root, "train")))
		e = err_set(ctx, ERR_PARSE, "%s: no list \"train\": not CLINC150", path);
	else
		e = read_lists(b, root, path, keep_oos, ctx);
	json_decref(root);
	lines_close(&l);
	return e;
}

static enum err read(struct builder *b, const char *source, struct err_ctx *ctx)
{
	return read_file(b, source, 0, ctx);
}

static enum err read_oos(struct builder *b, const char *source, struct err_ctx *ctx)
{
	return read_file(b, source, 1, ctx);
}

const struct reader reader_clinc150 = {"clinc150", recognise, read};
const struct reader reader_clinc150_oos = {"clinc150-oos", NULL, read_oos};
