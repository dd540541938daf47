#include "src/base/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/nearest.h"
#include "src/base/yaml_tree.h"

const struct yaml_node *yaml_root(const struct yaml_doc *doc)
{
	return doc->root;
}

enum yaml_kind yaml_kind(const struct yaml_node *n)
{
	return n->kind;
}

size_t yaml_count(const struct yaml_node *n)
{
	return n->n;
}

const struct yaml_node *yaml_item(const struct yaml_node *n, size_t i)
{
	return i < n->n ? n->item[i] : NULL;
}

const char *yaml_key(const struct yaml_node *n, size_t i)
{
	return n->kind == YAML_MAPPING && i < n->n ? n->key[i]->text : NULL;
}

const struct yaml_node *yaml_value(const struct yaml_node *n, size_t i)
{
	return n->kind == YAML_MAPPING ? yaml_item(n, i) : NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *n, const char *key)
{
	for (size_t i = 0; n->kind == YAML_MAPPING && i < n->n; i++)
		if (strcmp(n->key[i]->text, key) == 0)
			return n->item[i];
	return NULL;
}

enum err yaml_err(const struct yaml_doc *doc, const struct yaml_node *n, enum err code,
	struct err_ctx *ctx, const char *fmt, ...)
{
	char text[sizeof(ctx->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!n)
		return err_set(ctx, code, "%s: %s", doc->name, text);
	return err_set(ctx, code, "%s:%d:%d: %s", doc->name, n->line, n->col, text);
}

static const char *const kind_names[] = {"a value", "a list", "a mapping (key: value)"};

static enum err check_kind(const struct yaml_doc *doc, const struct yaml_node *n,
	enum yaml_kind kind, struct err_ctx *ctx)
{
	if (n->kind == kind)
		return ERR_OK;
	return yaml_err(doc, n, ERR_INVALID, ctx, "expected %s, found %s",
		kind_names[kind], kind_names[n->kind]);
}

enum err yaml_check_keys(const struct yaml_doc *doc, const struct yaml_node *n,
	const char *const *known, struct err_ctx *ctx)
{
	enum err e = check_kind(doc, n, YAML_MAPPING, ctx);

	for (size_t i = 0; !e && i < n->n; i++) {
		const char *hint;
		size_t k = 0;

		while (known[k] && strcmp(known[k], n->key[i]->text) != 0)
			k++;
		if (known[k])
			continue;
		hint = nearest_word(n->key[i]->text, known);
		if (hint)
			e = yaml_err(doc, n->key[i], ERR_INVALID, ctx,
				"unknown key '%s' (did you mean '%s'?)", n->key[i]->text,
				hint);
		else
			e = yaml_err(doc, n->key[i], ERR_INVALID, ctx, "unknown key '%s'",
				n->key[i]->text);
	}
	return e;
}

enum err yaml_require(const struct yaml_doc *doc, const struct yaml_node *n,
	const char *key, const struct yaml_node **out, struct err_ctx *ctx)
{
	const struct yaml_node *found;
	enum err e = check_kind(doc, n, YAML_MAPPING, ctx);

	if (e)
		return e;
	found = yaml_get(n, key);
	if (!found)
		return yaml_err(doc, n, ERR_INVALID, ctx, "missing key '%s'", key);
	*out = found;
	return ERR_OK;
}

enum err yaml_str(const struct yaml_doc *doc, const struct yaml_node *n, const char **out,
	struct err_ctx *ctx)
{
	enum err e = check_kind(doc, n, YAML_SCALAR, ctx);

	if (e)
		return e;
	if (!n->text[0] && !n->quoted)
		return yaml_err(doc, n, ERR_INVALID, ctx, "a value is missing");
	*out = n->text;
	return ERR_OK;
}

enum err yaml_int(const struct yaml_doc *doc, const struct yaml_node *n, int64_t lo,
	int64_t hi, int64_t *out, struct err_ctx *ctx)
{
	const char *text, *digits;
	long long v;
	enum err e = yaml_str(doc, n, &text, ctx);

	if (e)
		return e;
	digits = text + (text[0] == '-' || text[0] == '+');
	if (!digits[0] || digits[strspn(digits, "0123456789")])
		return yaml_err(
			doc, n, ERR_INVALID, ctx, "'%.60s' is not a whole number", text);
	errno = 0;
	v = strtoll(text, NULL, 10);
	if (errno || v < lo || v > hi)
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'%.60s' is not in %lld to %lld", text, (long long)lo,
			(long long)hi);
	*out = v;
	return ERR_OK;
}

enum err yaml_double(const struct yaml_doc *doc, const struct yaml_node *n, double lo,
	double hi, double *out, struct err_ctx *ctx)
{
	const char *text;
	char *end;
	double v;
	enum err e = yaml_str(doc, n, &text, ctx);

	if (e)
		return e;
	v = strtod(text, &end);
	if (end == text || *end || text[strspn(text, "+-.0123456789eE")])
		return yaml_err(
			doc, n, ERR_INVALID, ctx, "'%.60s' is not a finite number", text);
	if (!isfinite(v) || v < lo || v > hi)
		return yaml_err(doc, n, ERR_INVALID, ctx, "'%.60s' is not in %g to %g",
			text, lo, hi);
	*out = v;
	return ERR_OK;
}
