/* Hawser's own form: a folder with meta.yaml and, per split, a folder with seq.in, label
 * and (with slots) seq.out, or <split>.txt for plain text. meta.yaml holds the hash: a
 * changed file is noticed.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/yaml.h"
#include "src/train/data/lines.h"
#include "src/train/data/reader.h"

#define META "meta.yaml"
#define FORM "hawser-data"
#define FORM_VERSION 1

/* ---- the folder */

static int recognise(const char *source)
{
	char path[DATA_PATH_MAX], head[64];

	if (!file_is_dir(source) || file_join(path, sizeof(path), source, META, NULL))
		return 0;
	source_head(path, head, sizeof(head));
	return !strncmp(head, "form: " FORM "\n", strlen("form: " FORM "\n"));
}

/* Also of a folder that is not there. */
static int is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int n = 0;

	if (!d)
		return 1;
	while ((entry = readdir(d)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(d);
	return n == 0;
}

/* ---- writing */

/* A YAML double-quoted string. Labels hold no control characters, notes and names might.
 */
static void put_string(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			buf_printf(out, "\\x%02x", (unsigned char)*s);
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void put_list(struct buf *out, const char *key, char *const *items, size_t n)
{
	buf_printf(out, "%s:%s\n", key, n ? "" : " []");
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, "  - ");
		put_string(out, items[i]);
		buf_putc(out, '\n');
	}
}

static enum err write_buf(
	const char *dir, const char *name, struct buf *out, struct err_ctx *ctx)
{
	char path[DATA_PATH_MAX];
	enum err e = buf_err(out, ctx);

	if (!e)
		e = file_join(path, sizeof(path), dir, name, ctx);
	if (!e)
		e = file_write_atomic(path, buf_str(out), out->len, 0644, ctx);
	buf_reset(out);
	return e;
}

static enum err write_meta(const struct dataset *d, const char *dir, struct err_ctx *ctx)
{
	char hex[HASH_HEX + 1];
	struct buf out;
	enum err e;

	buf_init(&out);
	hash_to_hex(&d->hash, hex);
	buf_printf(&out, "form: %s\nversion: %d\nname: ", FORM, FORM_VERSION);
	put_string(&out, d->name);
	buf_puts(&out, "\nnote: ");
	put_string(&out, d->note);
	buf_printf(&out, "\nkind: %s\nhash: \"%s\"\n", task_kind_names[d->kind], hex);
	put_list(&out, "intents", d->intents, d->n_intents);
	put_list(&out, "tags", d->tags, d->n_tags);
	e = write_buf(dir, META, &out, ctx);
	buf_release(&out);
	return e;
}

enum column { COLUMN_TEXT, COLUMN_LABEL, COLUMN_TAGS, N_COLUMNS };
static const char *const column_files[N_COLUMNS] = {"seq.in", "label", "seq.out"};

static void put_row(struct buf *out, const struct dataset *d, const struct utterance *u,
	enum column c)
{
	if (c == COLUMN_TEXT)
		buf_puts(out, u->text);
	else if (c == COLUMN_LABEL)
		buf_puts(out, d->intents[u->intent]);
	for (uint32_t w = 0; c == COLUMN_TAGS && w < u->n_words; w++)
		buf_printf(out, "%s%s", w ? " " : "", d->tags[u->tags[w]]);
	buf_putc(out, '\n');
}

static enum err write_labelled(const struct dataset *d, enum split s, const char *dir,
	struct buf *out, struct err_ctx *ctx)
{
	int n_columns = d->kind == TASK_INTENT_SLOTS ? N_COLUMNS : COLUMN_TAGS;
	char part[DATA_PATH_MAX];
	enum err e = file_join(part, sizeof(part), dir, split_names[s], ctx);

	if (!e)
		e = file_mkdirs(part, ctx);
	for (int c = 0; c < n_columns && !e; c++) {
		for (size_t i = 0; i < d->n[s]; i++)
			put_row(out, d, &d->u[s][i], (enum column)c);
		e = write_buf(part, column_files[c], out, ctx);
	}
	return e;
}

static enum err write_text(const struct dataset *d, enum split s, const char *dir,
	struct buf *out, struct err_ctx *ctx)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.txt", split_names[s]);
	for (size_t i = 0; i < d->n[s]; i++)
		buf_puts(out, d->u[s][i].text);
	return write_buf(dir, name, out, ctx);
}

enum err dataset_save(const struct dataset *d, const char *dir, struct err_ctx *ctx)
{
	struct buf out;
	enum err e;

	if (file_exists(dir) && !file_is_dir(dir))
		return err_set(ctx, ERR_EXISTS, "'%s' exists and is no folder", dir);
	if (!recognise(dir) && !is_empty(dir))
		return err_set(ctx, ERR_EXISTS,
			"folder '%s' holds other files; name a new one", dir);
	e = file_mkdirs(dir, ctx);
	buf_init(&out);
	for (int s = 0; s < N_SPLITS && !e; s++)
		e = d->kind == TASK_LM ? write_text(d, (enum split)s, dir, &out, ctx)
				       : write_labelled(d, (enum split)s, dir, &out, ctx);
	buf_release(&out);
	/* Last: a folder without it is not taken for a saved set. */
	return e ? e : write_meta(d, dir, ctx);
}

/* ---- reading */

struct meta {
	const char *name, *note, *kind, *hash;
};

static enum err get_string(const struct yaml_doc *doc, const char *key, const char **out,
	struct err_ctx *ctx)
{
	const struct yaml_node *n;
	enum err e = yaml_require(doc, yaml_root(doc), key, &n, ctx);

	return e ? e : yaml_str(doc, n, out, ctx);
}

/* Labels are registered before any utterance, so that unused ones survive. */
static enum err get_labels(const struct yaml_doc *doc, const char *key,
	struct strmap *labels, struct err_ctx *ctx)
{
	const struct yaml_node *list;
	const char *name;
	uint32_t index;
	enum err e = yaml_require(doc, yaml_root(doc), key, &list, ctx);

	if (!e && yaml_kind(list) != YAML_SEQUENCE)
		return yaml_err(doc, list, ERR_CORRUPT, ctx, "'%s' is no list", key);
	for (size_t i = 0; !e && i < yaml_count(list); i++) {
		e = yaml_str(doc, yaml_item(list, i), &name, ctx);
		if (!e && (!name[0] || strlen(name) > DATA_MAX_LABEL ||
				  i >= DATA_MAX_LABELS))
			e = yaml_err(doc, list, ERR_CORRUPT, ctx, "not a label");
		if (!e)
			e = strmap_put(labels, name, strlen(name), &index, ctx);
	}
	return e;
}

static enum err get_meta(struct builder *b, const struct yaml_doc *doc, struct meta *m,
	struct err_ctx *ctx)
{
	static const char *const known[] = {"form", "version", "name", "note", "kind",
		"hash", "intents", "tags", NULL};
	const struct yaml_node *version;
	int64_t v;
	enum err e = yaml_check_keys(doc, yaml_root(doc), known, ctx);

	if (!e)
		e = yaml_require(doc, yaml_root(doc), "version", &version, ctx);
	if (!e)
		e = yaml_int(doc, version, FORM_VERSION, FORM_VERSION, &v, ctx);
	if (!e)
		e = get_string(doc, "name", &m->name, ctx);
	if (!e)
		e = get_string(doc, "note", &m->note, ctx);
	if (!e)
		e = get_string(doc, "kind", &m->kind, ctx);
	if (!e)
		e = get_string(doc, "hash", &m->hash, ctx);
	if (!e)
		e = get_labels(doc, "intents", &b->intents, ctx);
	if (!e)
		e = get_labels(doc, "tags", &b->tags, ctx);
	return e;
}

static enum err read_split(struct builder *b, enum split s, const char *dir,
	const char *kind, struct err_ctx *ctx)
{
	char part[DATA_PATH_MAX], name[32];
	int is_text = !strcmp(kind, task_kind_names[TASK_LM]);
	enum err e;

	snprintf(name, sizeof(name), "%s%s", split_names[s], is_text ? ".txt" : "");
	e = file_join(part, sizeof(part), dir, name, ctx);
	if (e)
		return e;
	if (is_text)
		return text_read_split(b, s, part, ctx);
	return seqio_read_split(
		b, s, part, !strcmp(kind, task_kind_names[TASK_INTENT_SLOTS]), ctx);
}

static enum err read_doc(struct builder *b, const struct yaml_doc *doc,
	const char *source, struct err_ctx *ctx)
{
	struct meta m;
	enum err e = get_meta(b, doc, &m, ctx);

	if (e)
		return e;
	if (!hash_from_hex(&b->stored, m.hash))
		return err_set(
			ctx, ERR_CORRUPT, "%s/" META ": 'hash' is no SHA-256", source);
	b->is_saved = 1;
	snprintf(b->d->name, sizeof(b->d->name), "%s", m.name);
	buf_puts(&b->note, m.note);
	for (int s = 0; s < N_SPLITS && !e; s++)
		e = read_split(b, (enum split)s, source, m.kind, ctx);
	return e;
}

static enum err read(struct builder *b, const char *source, struct err_ctx *ctx)
{
	char path[DATA_PATH_MAX];
	struct yaml_doc *doc;
	enum err e = file_join(path, sizeof(path), source, META, ctx);

	if (!e)
		e = yaml_open(&doc, path, ctx);
	if (e)
		return e;
	e = read_doc(b, doc, source, ctx);
	yaml_close(doc);
	return e;
}

const struct reader reader_saved = {"saved", recognise, read};
