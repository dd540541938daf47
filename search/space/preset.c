/* Named genomes: those of a space, and those that ship with Hawser. */
#include "search/space/gene.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/nearest.h"

enum err preset_parse(const struct yaml_doc *doc, const struct yaml_node *n,
	const struct space *s, struct preset **out, size_t *n_out, struct err_ctx *ctx)
{
	size_t count = yaml_count(n);
	struct preset *p;
	struct err_ctx why;
	const char *text;
	enum err e = ERR_OK;

	if (yaml_kind(n) != YAML_MAPPING)
		return yaml_err(doc, n, ERR_INVALID, ctx,
			"'presets' must map names to genome texts");
	p = calloc(count ? count : 1, sizeof(*p));
	if (!p)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; !e && i < count; i++) {
		const struct yaml_node *value = yaml_value(n, i);

		snprintf(p[i].name, sizeof(p[i].name), "%s", yaml_key(n, i));
		if ((e = yaml_str(doc, value, &text, ctx)))
			break;
		e = genome_parse(&p[i].g, text, &why);
		if (!e && s)
			e = space_contains(s, &p[i].g, NULL, &why);
		if (e)
			e = yaml_err(doc, value, e, ctx, "preset '%s': %.600s", p[i].name,
				why.msg);
	}
	if (e) {
		free(p);
		return e;
	}
	*out = p;
	*n_out = count;
	return ERR_OK;
}

static enum err load_shipped(struct preset **out, size_t *n, struct err_ctx *ctx)
{
	static const char *const keys[] = {"presets", NULL};
	char home[4096], path[4096];
	const struct yaml_node *list;
	struct yaml_doc *doc;
	enum err e;

	if ((e = file_home(home, sizeof(home), ctx)) ||
		(e = file_join(
			 path, sizeof(path), home, "search/spaces/presets.yaml", ctx)) ||
		(e = yaml_open(&doc, path, ctx)))
		return e;
	if (!(e = yaml_check_keys(doc, yaml_root(doc), keys, ctx)) &&
		!(e = yaml_require(doc, yaml_root(doc), "presets", &list, ctx)))
		e = preset_parse(doc, list, NULL, out, n, ctx);
	yaml_close(doc);
	return e;
}

/* Read once: the names are handed out for the life of the program. */
static struct {
	pthread_once_t once;
	struct preset *p;
	size_t n;
	enum err e;
	struct err_ctx why;
} shipped = {.once = PTHREAD_ONCE_INIT};

static void load_once(void)
{
	shipped.e = load_shipped(&shipped.p, &shipped.n, &shipped.why);
}

const char *preset_name(size_t i)
{
	pthread_once(&shipped.once, load_once);
	return i < shipped.n ? shipped.p[i].name : NULL;
}

static enum err no_such_preset(const char *name, struct err_ctx *ctx)
{
	const char **known = calloc(shipped.n + 1, sizeof(*known));
	const char *hint = NULL;
	struct buf all;
	enum err e;

	buf_init(&all);
	for (size_t i = 0; i < shipped.n; i++) {
		buf_printf(&all, "%s%s", i ? ", " : "", shipped.p[i].name);
		if (known)
			known[i] = shipped.p[i].name;
	}
	if (known)
		hint = nearest_word(name, known);
	e = hint ? err_set(ctx, ERR_NOTFOUND, "no preset '%s' (did you mean '%s'?)", name,
			   hint)
		 : err_set(ctx, ERR_NOTFOUND, "no preset '%s' (known: %s)", name,
			   buf_str(&all));
	buf_release(&all);
	free(known);
	return e;
}

enum err preset_find(const char *name, struct genome *g, struct err_ctx *ctx)
{
	pthread_once(&shipped.once, load_once);
	if (shipped.e)
		return err_set(ctx, shipped.e, "%s", shipped.why.msg);
	for (size_t i = 0; i < shipped.n; i++) {
		if (!strcmp(shipped.p[i].name, name)) {
			*g = shipped.p[i].g;
			return ERR_OK;
		}
	}
	return no_such_preset(name, ctx);
}
