/* YAML -> struct space. Every fault is reported at its node. */
#include "search/space/gene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/nearest.h"

struct parser {
	const struct yaml_doc *doc;
	struct space *s;
	struct err_ctx *ctx;
	const struct yaml_node
		*at[N_GENES]; /* where the gene is written; NULL: nowhere */
};

static enum err parse_word(
	struct parser *p, enum gene_id id, const struct yaml_node *n, uint32_t *v)
{
	const struct gene *gene = &genes[id];
	const char *known[8] = {0}, *text, *hint;
	enum err e;

	if ((e = yaml_str(p->doc, n, &text, p->ctx)))
		return e;
	for (uint32_t i = 0; i < gene->n_words; i++) {
		known[i] = gene->words[i];
		if (!strcmp(text, known[i])) {
			*v = i;
			return ERR_OK;
		}
	}
	hint = nearest_word(text, known);
	return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
		"gene '%s' cannot be '%s' (%s '%s'%s)", gene->name, text,
		hint ? "did you mean" : "the first choice is",
		hint ? hint : gene->words[0], hint ? "?" : "");
}

/* A genome in which every single value that genome_check allows stands. */
static void probe_init(struct genome *g, enum arch arch)
{
	*g = (struct genome){.arch = (uint8_t)arch,
		.embed_bits = 8,
		.kv = 32,
		.n_layers = 1,
		.seq_len = 1,
		.d_model = 8192,
		.d_embed = 1,
		.vocab_size = 8};
	for (int i = 0; i < GENOME_MAX_LAYERS; i++)
		g->layer[i] = (struct layer_genes){
			.n_heads = 1, .n_kv_heads = 1, .d_head = 1, .d_ff = 1, .bits = 8};
}

static enum err parse_number(
	struct parser *p, enum gene_id id, const struct yaml_node *n, uint32_t *v)
{
	static const int64_t most[] = {
		[1] = UINT8_MAX, [2] = UINT16_MAX, [4] = UINT32_MAX};
	const struct gene *gene = &genes[id];
	struct err_ctx why;
	struct genome probe;
	const char *text;
	int64_t number;
	enum err e;

	if ((e = yaml_str(p->doc, n, &text, p->ctx)))
		return e;
	*v = 0;
	if (gene->symbol && !strcmp(text, gene->symbol))
		return ERR_OK;
	if (yaml_int(p->doc, n, 0, most[gene->width], &number, NULL))
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"gene '%s' cannot be '%s' (needs a whole number%s%s%s)",
			gene->name, text, gene->symbol ? " or '" : "",
			gene->symbol ? gene->symbol : "", gene->symbol ? "'" : "");
	*v = (uint32_t)number;
	probe_init(&probe, p->s->arch);
	if (id == GENE_N_KV_HEADS)
		probe.layer[0].n_heads = (uint16_t)(*v && *v <= 128 ? *v : 128);
	gene_set(id, &probe, 0, *v);
	if ((e = genome_check(&probe, &why)))
		return yaml_err(p->doc, n, e, p->ctx, "%s", why.msg);
	return ERR_OK;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static enum err parse_gene(struct parser *p, enum gene_id id, const struct yaml_node *n)
{
	int many = yaml_kind(n) == YAML_SEQUENCE;
	size_t count = many ? yaml_count(n) : 1;
	struct choices *c = &p->s->c[id];
	enum err e;

	p->at[id] = n;
	if (id == GENE_POOL && p->s->arch == ARCH_DECODER)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"gene 'pool' has no meaning in a decoder (leave it out)");
	if (id == GENE_KV && p->s->arch == ARCH_ENCODER)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"gene 'kv' has no meaning in an encoder (leave it out)");
	if (yaml_kind(n) == YAML_MAPPING || count == 0 || count > SPACE_MAX_CHOICES)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"gene '%s' needs a value or a list of 1 to %d choices",
			genes[id].name, SPACE_MAX_CHOICES);
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *item = many ? yaml_item(n, i) : n;

		e = genes[id].words ? parse_word(p, id, item, &c->v[i])
				    : parse_number(p, id, item, &c->v[i]);
		if (e)
			return e;
	}
	c->n = count;
	qsort(c->v, c->n, sizeof(*c->v), by_value);
	return ERR_OK;
}

static enum err parse_genes(struct parser *p, const struct yaml_node *n)
{
	const char *names[N_GENES + 1] = {0};
	enum err e;

	for (int i = 0; i < N_GENES; i++)
		names[i] = genes[i].name;
	if ((e = yaml_check_keys(p->doc, n, names, p->ctx)))
		return e;
	for (int i = 0; i < N_GENES; i++) {
		const struct yaml_node *value = yaml_get(n, genes[i].name);

		if (value)
			e = parse_gene(p, (enum gene_id)i, value);
		else if (genes[i].required)
			e = yaml_err(p->doc, n, ERR_INVALID, p->ctx,
				"gene '%s' is missing", genes[i].name);
		else
			p->s->c[i] = (struct choices){.n = 1, .v = {genes[i].fallback}};
		if (e)
			return e;
	}
	return ERR_OK;
}

/* Does v fit in some context? Tries every combination of the genes it depends on. */
static int choice_lives(const struct space *s, enum gene_id id, uint32_t v)
{
	static const struct choices any = {.n = 1};
	const struct gene *gene = &genes[id];
	const struct choices *a = gene->n_context > 0 ? &s->c[gene->context[0]] : &any;
	const struct choices *b = gene->n_context > 1 ? &s->c[gene->context[1]] : &any;
	struct genome raw;

	if (!gene->fits)
		return 1;
	memset(&raw, 0, sizeof(raw));
	raw.n_layers = 1;
	for (size_t i = 0; i < a->n; i++) {
		for (size_t j = 0; j < b->n; j++) {
			if (gene->n_context > 0)
				gene_set(gene->context[0], &raw, 0, a->v[i]);
			if (gene->n_context > 1)
				gene_set(gene->context[1], &raw, 0, b->v[j]);
			if (gene->fits(s, &raw, 0, v))
				return 1;
		}
	}
	return 0;
}

/* A choice that no genome can have is a mistake of the file, as is a gene with none. The
 * dependent gene is named, where the message can say what it clashes with. */
static enum err check_choices(struct parser *p, const struct yaml_node *n)
{
	static const enum gene_id order[] = {GENE_D_EMBED, GENE_N_KV_HEADS, GENE_FFN_RANK,
		GENE_D_MODEL, GENE_N_HEADS, GENE_D_FF};
	static const char *const why[] = {"it is wider than every d_model",
		"it divides no n_heads", "it saves no weights at any d_model and d_ff",
		"no d_embed or ffn_rank suits it", "no n_kv_heads divides it",
		"no ffn_rank suits it"};
	char value[32];

	for (size_t k = 0; k < sizeof(order) / sizeof(*order); k++) {
		enum gene_id id = order[k];

		for (size_t i = 0; i < p->s->c[id].n; i++) {
			if (choice_lives(p->s, id, p->s->c[id].v[i]))
				continue;
			gene_write(id, p->s->c[id].v[i], value, sizeof(value));
			return yaml_err(p->doc, p->at[id] ? p->at[id] : n, ERR_INVALID,
				p->ctx, "choice '%s' of gene '%s' fits no genome: %s",
				value, genes[id].name, why[k]);
		}
	}
	return ERR_OK;
}

/* Without floating point every product is one of integers, and attention is as it is: what
 * the other genes offer has to go with that, so that no draw depends on another. */
static enum err check_integer(struct parser *p, const struct yaml_node *n)
{
	static const struct {
		enum gene_id id;
		uint32_t barred;
		const char *remedy;
	} rules[] = {{GENE_BITS, 32, "give it 8 and 4 only"},
		{GENE_EMBED_BITS, 32, "give it 8 and 4 only"},
		{GENE_KV, 16, "leave it out"}, {GENE_KV, 8, "leave it out"},
		{GENE_ATTN_INT8, 1, "leave it out"}};
	char value[32];

	if (!choices_has(&p->s->c[GENE_ACT_SCALES], SCALES_INTEGER))
		return ERR_OK;
	for (size_t k = 0; k < sizeof(rules) / sizeof(*rules); k++) {
		enum gene_id id = rules[k].id;

		if (!choices_has(&p->s->c[id], rules[k].barred))
			continue;
		gene_write(id, rules[k].barred, value, sizeof(value));
		return yaml_err(p->doc, p->at[id] ? p->at[id] : n, ERR_INVALID, p->ctx,
			"'act_scales' offers 'integer', with which gene '%s' cannot be "
			"'%s' (%s)",
			genes[id].name, value, rules[k].remedy);
	}
	return ERR_OK;
}

static enum err parse_limit(struct parser *p, const struct yaml_node *n, struct limit *l)
{
	static const char *const analytic[] = {"macs", "params", "model_bytes"};
	struct err_ctx why;
	const char *text;
	enum err e;

	if ((e = yaml_str(p->doc, n, &text, p->ctx)))
		return e;
	if ((e = limit_parse(l, text, &why)))
		return yaml_err(p->doc, n, e, p->ctx, "%s", why.msg);
	for (size_t i = 0; i < sizeof(analytic) / sizeof(*analytic); i++)
		if (!strcmp(l->what.metric->name, analytic[i]))
			return ERR_OK;
	return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
		"limit on '%s' cannot be told before measuring (a space limits macs, "
		"params or model_bytes; put others into the job)",
		l->what.metric->name);
}

static enum err parse_limits(struct parser *p, const struct yaml_node *n)
{
	struct genome g;
	struct rng rng;
	struct task_shape least = space_least_task(p->s);
	enum err e;

	if (yaml_kind(n) != YAML_SEQUENCE || yaml_count(n) > SPACE_MAX_LIMITS)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'limits' must be a list of at most %d limits", SPACE_MAX_LIMITS);
	for (size_t i = 0; i < yaml_count(n); i++) {
		if ((e = parse_limit(p, yaml_item(n, i), &p->s->limits[i])))
			return e;
		p->s->n_limits = i + 1;
	}
	rng_init(&rng, 1);
	if (!space_draw(p->s, &least, &rng, &g))
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"the space is impossible: no genome holds its limits (widen "
			"them, or offer smaller choices)");
	return ERR_OK;
}

static enum err parse_top(struct parser *p, const struct yaml_node *root)
{
	static const char *const keys[] = {
		"name", "summary", "arch", "genes", "limits", "presets", NULL};
	const struct yaml_node *n;
	const char *text;
	enum err e;

	if ((e = yaml_check_keys(p->doc, root, keys, p->ctx)) ||
		(e = yaml_require(p->doc, root, "name", &n, p->ctx)) ||
		(e = yaml_str(p->doc, n, &text, p->ctx)))
		return e;
	if (!*text || strlen(text) >= sizeof(p->s->name))
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'name' must have 1 to %zu characters", sizeof(p->s->name) - 1);
	snprintf(p->s->name, sizeof(p->s->name), "%s", text);
	if ((e = yaml_require(p->doc, root, "arch", &n, p->ctx)) ||
		(e = yaml_str(p->doc, n, &text, p->ctx)))
		return e;
	p->s->arch =
		!strcmp(text, arch_names[ARCH_DECODER]) ? ARCH_DECODER : ARCH_ENCODER;
	if (strcmp(text, arch_names[p->s->arch]))
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'arch' is '%s', not 'enc' or 'dec'", text);
	if ((e = yaml_require(p->doc, root, "genes", &n, p->ctx)) ||
		(e = parse_genes(p, n)) || (e = check_choices(p, n)) ||
		(e = check_integer(p, n)))
		return e;
	if ((n = yaml_get(root, "limits")) && (e = parse_limits(p, n)))
		return e;
	if ((n = yaml_get(root, "presets")))
		return preset_parse(
			p->doc, n, p->s, &p->s->presets, &p->s->n_presets, p->ctx);
	return ERR_OK;
}

static enum err parse_doc(struct space **out, struct yaml_doc *doc, struct err_ctx *ctx)
{
	struct parser p = {.doc = doc, .ctx = ctx};
	enum err e;

	p.s = calloc(1, sizeof(*p.s));
	if (!p.s) {
		yaml_close(doc);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	e = parse_top(&p, yaml_root(doc));
	yaml_close(doc);
	if (e) {
		space_close(p.s);
		return e;
	}
	*out = p.s;
	return ERR_OK;
}

enum err space_parse(
	struct space **out, const char *text, const char *name, struct err_ctx *ctx)
{
	struct yaml_doc *doc;
	enum err e = yaml_parse(&doc, text, name, ctx);

	return e ? e : parse_doc(out, doc, ctx);
}

enum err space_parse_file(struct space **out, const char *path, struct err_ctx *ctx)
{
	struct yaml_doc *doc;
	enum err e = yaml_open(&doc, path, ctx);

	return e ? e : parse_doc(out, doc, ctx);
}
