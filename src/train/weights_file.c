#include <stdlib.h>
#include <string.h>

#include "src/train/train.h"
#include "src/train/vectors.h"

/* "weights 1\n<genome>\n<task> <intents> <tags>\n<hash of the data>\n" */
static void format_header(struct buf *b, const struct genome *g,
	const struct task_shape *task, const struct hash *data)
{
	char text[GENOME_TEXT_MAX], hex[HASH_HEX + 1];

	genome_format(g, text);
	hash_to_hex(data, hex);
	buf_printf(b, "weights 1\n%s\n%s %d %d\n%s\n", text, task_kind_names[task->kind],
		task->n_intents, task->n_tags, hex);
}

static enum err count_floats(const struct genome *g, const struct task_shape *task,
	size_t *n, struct err_ctx *ctx)
{
	struct layout *l = malloc(sizeof(*l));

	if (!l)
		return err_set(ctx, ERR_NOMEM, "out of memory for a layout");
	layout_init(l, g, task);
	*n = l->n_floats;
	free(l);
	return ERR_OK;
}

enum err weights_save(const char *path, const struct genome *g,
	const struct task_shape *task, const struct hash *data, const float *w,
	struct err_ctx *ctx)
{
	struct vectors shape = {4, 1, 0};
	const void *v[1] = {w};
	struct buf header;
	size_t n = 0;
	enum err err = count_floats(g, task, &n, ctx);

	if (err)
		return err;
	shape.n = n;
	buf_init(&header);
	format_header(&header, g, task, data);
	err = buf_err(&header, ctx);
	if (!err)
		err = vectors_save(path, buf_str(&header), &shape, v, ctx);
	buf_release(&header);
	return err;
}

/* Names the first line in which the headers differ. */
static enum err other_network(const char *path, const struct vectors_file *f,
	const struct buf *want, struct err_ctx *ctx)
{
	static const char *const what[] = {"format", "network", "task", "data set"};
	size_t line = 0;

	for (size_t i = 0; i < f->header_len && i < want->len; i++) {
		if (f->header[i] != want->data[i])
			break;
		line += f->header[i] == '\n';
	}
	return err_set(ctx, ERR_INVALID, "'%s' holds weights of another %s", path,
		what[line < 4 ? line : 0]);
}

enum err weights_load(const char *path, const struct genome *g,
	const struct task_shape *task, const struct hash *data, float **w,
	struct err_ctx *ctx)
{
	struct vectors_file f;
	struct buf want;
	size_t n = 0;
	float *out = NULL;
	enum err err = count_floats(g, task, &n, ctx);

	if (!err)
		err = vectors_open(&f, path, ctx);
	if (err)
		return err;
	buf_init(&want);
	format_header(&want, g, task, data);
	err = buf_err(&want, ctx);
	if (!err && (want.len != f.header_len || memcmp(want.data, f.header, want.len)))
		err = other_network(path, &f, &want, ctx);
	if (!err && (f.shape.size != 4 || f.shape.n_vectors != 1 || f.shape.n != n))
		err = err_set(
			ctx, ERR_CORRUPT, "'%s' has the wrong number of weights", path);
	if (!err && !(out = malloc(n * sizeof(*out))))
		err = err_set(ctx, ERR_NOMEM, "out of memory for %zu weights", n);
	if (!err) {
		vectors_get(&f, 0, out);
		*w = out;
	}
	buf_release(&want);
	buf_release(&f.bytes);
	return err;
}
