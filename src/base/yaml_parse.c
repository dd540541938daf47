#include "src/base/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#include <libfyaml.h>

#include "src/base/file.h"
#include "src/base/utf8.h"

struct builder {
	struct yaml_doc *doc;
	struct fy_parser *parser;
	struct yaml_node *stack[YAML_MAX_DEPTH]; /* open sequences and mappings */
	struct yaml_node
		*pending[YAML_MAX_DEPTH]; /* mapping: a key waiting for its value */
	size_t depth;
	int n_documents;
	int line, col; /* of the latest event that had a position */
	struct err_ctx *ctx;
};

static enum err fail_here(struct builder *b, enum err code, const char *what)
{
	return err_set(b->ctx, code, "%s:%d:%d: %s", b->doc->name, b->line, b->col, what);
}

static char *copy_text(const char *text, size_t len)
{
	char *s = malloc(len + 1);

	if (s) {
		if (len)
			memcpy(s, text, len);
		s[len] = '\0';
	}
	return s;
}

/* The token's text as a string of ours; a missing token is an empty text. */
static enum err token_text(struct builder *b, struct fy_token *token, char **out)
{
	size_t len = 0;
	const char *text = token ? fy_token_get_text(token, &len) : "";

	if (!text)
		return fail_here(b, ERR_PARSE, "unreadable text");
	if (len && memchr(text, '\0', len))
		return fail_here(b, ERR_PARSE, "a NUL character is not allowed in text");
	*out = copy_text(text, len);
	return *out ? ERR_OK : err_set(b->ctx, ERR_NOMEM, "out of memory");
}

/* NULL when out of memory. */
static struct yaml_node *new_node(struct builder *b, enum yaml_kind kind)
{
	struct yaml_node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->kind = kind;
	n->line = b->line;
	n->col = b->col;
	n->next = b->doc->nodes;
	b->doc->nodes = n;
	return n;
}

static enum err grow(struct builder *b, struct yaml_node *parent)
{
	size_t cap = parent->cap ? parent->cap * 2 : 8;
	struct yaml_node **p;

	if (parent->n < parent->cap)
		return ERR_OK;
	p = realloc(parent->item, cap * sizeof(struct yaml_node *));
	if (!p)
		return err_set(b->ctx, ERR_NOMEM, "out of memory");
	parent->item = p;
	if (parent->kind == YAML_MAPPING) {
		p = realloc(parent->key, cap * sizeof(struct yaml_node *));
		if (!p)
			return err_set(b->ctx, ERR_NOMEM, "out of memory");
		parent->key = p;
	}
	parent->cap = cap;
	return ERR_OK;
}

static enum err check_key(
	struct builder *b, const struct yaml_node *map, const struct yaml_node *key)
{
	if (key->kind != YAML_SCALAR)
		return yaml_err(
			b->doc, key, ERR_PARSE, b->ctx, "a key must be plain text");
	if (map->n >= YAML_MAX_KEYS)
		return yaml_err(b->doc, key, ERR_PARSE, b->ctx,
			"more than %d keys in one mapping", YAML_MAX_KEYS);
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->key[i]->text, key->text) == 0)
			return yaml_err(b->doc, key, ERR_PARSE, b->ctx,
				"key '%s' is given twice (first on line %d)", key->text,
				map->key[i]->line);
	return ERR_OK;
}

/* Hangs a new or shared node where the document is at. */
static enum err attach(struct builder *b, struct yaml_node *n)
{
	struct yaml_node *parent, **pending;
	enum err e;

	if (b->depth == 0) {
		b->doc->root = n;
		return ERR_OK;
	}
	parent = b->stack[b->depth - 1];
	pending = &b->pending[b->depth - 1];
	if (parent->kind == YAML_MAPPING && !*pending) {
		e = check_key(b, parent, n);
		if (!e)
			*pending = n;
		return e;
	}
	e = grow(b, parent);
	if (e)
		return e;
	if (parent->kind == YAML_MAPPING)
		parent->key[parent->n] = *pending;
	parent->item[parent->n++] = n;
	*pending = NULL;
	return ERR_OK;
}

static enum err set_anchor(struct builder *b, struct yaml_node *n, struct fy_token *token)
{
	enum err e;

	if (!token)
		return ERR_OK;
	if (b->doc->n_anchors == YAML_MAX_ANCHORS)
		return fail_here(b, ERR_PARSE, "too many anchors");
	e = token_text(b, token, &n->anchor);
	if (e)
		return e;
	n->next_anchor = b->doc->anchors;
	b->doc->anchors = n;
	b->doc->n_anchors++;
	return ERR_OK;
}

static enum err start_collection(
	struct builder *b, enum yaml_kind kind, struct fy_token *anchor)
{
	struct yaml_node *n = new_node(b, kind);
	enum err e;

	if (!n)
		return err_set(b->ctx, ERR_NOMEM, "out of memory");
	if (b->depth == YAML_MAX_DEPTH)
		return fail_here(b, ERR_PARSE, "nested too deeply");
	e = set_anchor(b, n, anchor);
	if (!e)
		e = attach(b, n);
	if (e)
		return e;
	n->open = 1;
	b->stack[b->depth] = n;
	b->pending[b->depth] = NULL;
	b->depth++;
	return ERR_OK;
}

static enum err end_collection(struct builder *b)
{
	if (b->depth)
		b->stack[--b->depth]->open = 0;
	return ERR_OK;
}

static enum err add_scalar(struct builder *b, const struct fy_event_scalar_data *s)
{
	struct yaml_node *n = new_node(b, YAML_SCALAR);
	enum err e;

	if (!n)
		return err_set(b->ctx, ERR_NOMEM, "out of memory");
	e = token_text(b, s->value, &n->text);
	if (!e)
		e = set_anchor(b, n, s->anchor);
	if (e)
		return e;
	if (s->value) {
		enum fy_scalar_style style = fy_token_scalar_style(s->value);

		n->quoted = style != FYSS_PLAIN;
		/* libfyaml points behind the opening quote */
		n->col -= style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	}
	return attach(b, n);
}

static enum err add_alias(struct builder *b, struct fy_token *token)
{
	struct yaml_node *n;
	char *name;
	enum err e = token_text(b, token, &name);

	if (e)
		return e;
	for (n = b->doc->anchors; n && strcmp(n->anchor, name) != 0; n = n->next_anchor)
		;
	if (!n)
		e = err_set(b->ctx, ERR_PARSE,
			"%s:%d:%d: no anchor '&%s' before this alias", b->doc->name,
			b->line, b->col, name);
	else if (n->open)
		e = err_set(b->ctx, ERR_PARSE, "%s:%d:%d: alias '*%s' contains itself",
			b->doc->name, b->line, b->col, name);
	free(name);
	return e ? e : attach(b, n);
}

static enum err take_event(struct builder *b, struct fy_event *ev)
{
	const struct fy_mark *mark = fy_event_start_mark(ev);

	if (mark) {
		b->line = mark->line + 1;
		b->col = mark->column + 1;
	}
	if (fy_event_get_tag_token(ev))
		return fail_here(b, ERR_PARSE, "tags ('!...') are not supported");
	switch (ev->type) {
	case FYET_DOCUMENT_START:
		if (++b->n_documents > 1)
			return fail_here(b, ERR_PARSE,
				"a second document starts here; only one is allowed");
		return ERR_OK;
	case FYET_MAPPING_START:
		return start_collection(b, YAML_MAPPING, ev->mapping_start.anchor);
	case FYET_SEQUENCE_START:
		return start_collection(b, YAML_SEQUENCE, ev->sequence_start.anchor);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return end_collection(b);
	case FYET_SCALAR:
		return add_scalar(b, &ev->scalar);
	case FYET_ALIAS:
		return add_alias(b, ev->alias.anchor);
	default:
		return ERR_OK;
	}
}

/* The first complaint libfyaml collected, with its position. */
static enum err syntax_error(struct builder *b, struct fy_diag *diag)
{
	void *at = NULL;
	const struct fy_diag_error *first = fy_diag_errors_iterate(diag, &at);

	if (first && first->line > 0) {
		b->line = first->line;
		b->col = first->column > 0 ? first->column : 1;
	}
	return fail_here(
		b, ERR_PARSE, first && first->msg ? first->msg : "malformed YAML");
}

static enum err read_events(struct builder *b, struct fy_diag *diag)
{
	struct fy_event *ev;
	enum err e = ERR_OK;

	while (!e && (ev = fy_parser_parse(b->parser)) != NULL) {
		e = take_event(b, ev);
		fy_parser_event_free(b->parser, ev);
	}
	if (!e && fy_parser_get_stream_error(b->parser))
		e = syntax_error(b, diag);
	if (!e && (!b->doc->root || b->depth))
		e = fail_here(b, ERR_PARSE, "the document is empty");
	return e;
}

static enum err build(
	struct yaml_doc *doc, const char *text, size_t len, struct err_ctx *ctx)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_DISABLE_RECYCLING};
	struct builder b = {.doc = doc, .line = 1, .col = 1, .ctx = ctx};
	enum err e = ERR_NOMEM;

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.colorize = false;
	cfg.diag = fy_diag_create(&diag_cfg);
	if (!cfg.diag)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	fy_diag_set_collect_errors(cfg.diag, true);
	b.parser = fy_parser_create(&cfg);
	if (!b.parser || fy_parser_set_string(b.parser, text, len) != 0)
		err_set(ctx, ERR_NOMEM, "out of memory");
	else
		e = read_events(&b, cfg.diag);
	if (b.parser)
		fy_parser_destroy(b.parser);
	fy_diag_destroy(cfg.diag);
	return e;
}

/* libfyaml lets malformed text through in plain scalars; we do not. */
static enum err check_text(
	const char *text, size_t len, const char *name, struct err_ctx *ctx)
{
	size_t bad = utf8_valid_prefix(text, len), line = 1, col = 1;

	if (bad == len)
		return ERR_OK;
	for (size_t i = 0; i < bad; i++) {
		col += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (text[i] == '\n') {
			line++;
			col = 1;
		}
	}
	return err_set(
		ctx, ERR_PARSE, "%s:%zu:%zu: not valid UTF-8 text", name, line, col);
}

static enum err parse_bytes(struct yaml_doc **out, const char *text, size_t len,
	const char *name, struct err_ctx *ctx)
{
	struct yaml_doc *doc;
	enum err e;

	if (len > YAML_MAX_BYTES)
		return err_set(ctx, ERR_INVALID, "%s: larger than the limit of %u bytes",
			name, YAML_MAX_BYTES);
	e = check_text(text, len, name, ctx);
	if (e)
		return e;
	doc = calloc(1, sizeof(*doc));
	if (doc)
		doc->name = copy_text(name, strlen(name));
	if (!doc || !doc->name) {
		yaml_close(doc);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	e = build(doc, text, len, ctx);
	if (e) {
		yaml_close(doc);
		return e;
	}
	*out = doc;
	return ERR_OK;
}

enum err yaml_parse(
	struct yaml_doc **out, const char *text, const char *name, struct err_ctx *ctx)
{
	return parse_bytes(out, text, strlen(text), name, ctx);
}

enum err yaml_open(struct yaml_doc **out, const char *path, struct err_ctx *ctx)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = file_read(path, YAML_MAX_BYTES, &b, ctx);
	if (!e)
		e = parse_bytes(out, buf_str(&b), b.len, path, ctx);
	buf_release(&b);
	return e;
}

void yaml_close(struct yaml_doc *doc)
{
	if (!doc)
		return;
	while (doc->nodes) {
		struct yaml_node *n = doc->nodes;

		doc->nodes = n->next;
		free(n->text);
		free(n->anchor);
		free(n->item);
		free(n->key);
		free(n);
	}
	free(doc->name);
	free(doc);
}
