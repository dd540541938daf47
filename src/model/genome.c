#include "src/model/genome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const arch_names[N_ARCHS] = {"enc", "dec"};
const char *const act_names[N_ACTS] = {"relu", "gelu", "silu"};
const char *const norm_names[N_NORMS] = {"ln", "rms"};
const char *const norm_place_names[N_NORM_PLACES] = {"pre", "post"};
const char *const pool_names[N_POOLS] = {"mean", "max", "first"};
const char *const opt_level_names[N_OPT_LEVELS] = {"O2", "O3", "Os"};
const char *const kernel_names[N_KERNEL_CHOICES] = {"ref", "opt"};
const char *const scale_names[N_SCALE_CHOICES] = {"dynamic", "static", "integer"};

static enum err check_range(
	const char *gene, long value, long lo, long hi, struct err_ctx *ctx)
{
	if (value >= lo && value <= hi)
		return ERR_OK;
	return err_set(ctx, ERR_INVALID, "gene '%s' is %ld, allowed are %ld to %ld", gene,
		value, lo, hi);
}

static enum err check_bits(const char *gene, int bits, struct err_ctx *ctx)
{
	if (bits == 32 || bits == 8 || bits == 4)
		return ERR_OK;
	return err_set(
		ctx, ERR_INVALID, "gene '%s' is %d, allowed are 32, 8 and 4", gene, bits);
}

static enum err check_kv(const struct genome *g, struct err_ctx *ctx)
{
	if (g->kv != 32 && g->kv != 16 && g->kv != 8)
		return err_set(ctx, ERR_INVALID,
			"gene 'kv' is %d, allowed are 32, 16 and 8", g->kv);
	if (g->kv != 32 && g->arch != ARCH_DECODER)
		return err_set(ctx, ERR_INVALID,
			"gene 'kv' is %d: only decoders keep keys and values", g->kv);
	return ERR_OK;
}

/* The path without floating point has products of integers only. */
static enum err check_integer(const struct genome *g, struct err_ctx *ctx)
{
	if (g->act_scales != SCALES_INTEGER)
		return ERR_OK;
	if (g->embed_bits == 32)
		return err_set(ctx, ERR_INVALID,
			"gene 'act_scales' is integer, but 'embed_bits' is 32: use 8 or 4");
	if (g->kv != 32)
		return err_set(ctx, ERR_INVALID,
			"gene 'act_scales' is integer, but 'kv' is %d: it keeps keys and "
			"values in 32 bits",
			g->kv);
	for (int i = 0; i < g->n_layers; i++)
		if (g->layer[i].bits == 32)
			return err_set(ctx, ERR_INVALID,
				"gene 'act_scales' is integer, but 'bits' of layer %d is "
				"32: use 8 or 4",
				i);
	return ERR_OK;
}

static enum err check_layer(const struct genome *g, int i, struct err_ctx *ctx)
{
	const struct layer_genes *l = &g->layer[i];
	enum err e;

	if ((e = check_range("n_heads", l->n_heads, 1, 128, ctx)) ||
		(e = check_range("n_kv_heads", l->n_kv_heads, 1, l->n_heads, ctx)) ||
		(e = check_range("d_head", l->d_head, 1, 512, ctx)) ||
		(e = check_range("d_ff", l->d_ff, 1, 32768, ctx)) ||
		(e = check_range("ffn_rank", l->ffn_rank, 0, 8192, ctx)) ||
		(e = check_bits("bits", l->bits, ctx)) ||
		(e = check_range("shared", l->shared, 0, i > 0, ctx)))
		return err_prefix(ctx, e, "layer %d", i);
	if (l->n_heads % l->n_kv_heads)
		return err_set(ctx, ERR_INVALID,
			"layer %d: n_kv_heads %d does not divide n_heads %d", i,
			l->n_kv_heads, l->n_heads);
	if (l->shared) {
		struct layer_genes a = *l, b = g->layer[i - 1];

		a.shared = b.shared = 0;
		if (memcmp(&a, &b, sizeof(a)))
			return err_set(ctx, ERR_INVALID,
				"layer %d shares the weights of layer %d but has another "
				"shape",
				i, i - 1);
	}
	return ERR_OK;
}

enum err genome_check(const struct genome *g, struct err_ctx *ctx)
{
	enum err e;

	if ((e = check_range("arch", g->arch, 0, N_ARCHS - 1, ctx)) ||
		(e = check_range("act", g->act, 0, N_ACTS - 1, ctx)) ||
		(e = check_range("norm", g->norm, 0, N_NORMS - 1, ctx)) ||
		(e = check_range(
			 "norm_place", g->norm_place, 0, N_NORM_PLACES - 1, ctx)) ||
		(e = check_range("pool", g->pool, 0, N_POOLS - 1, ctx)) ||
		(e = check_range("abs_pos", g->abs_pos, 0, 1, ctx)) ||
		(e = check_range("rel_pos", g->rel_radius, 0, 64, ctx)) ||
		(e = check_range("conv", g->conv, 0, 7, ctx)) ||
		(e = check_bits("embed_bits", g->embed_bits, ctx)) ||
		(e = check_kv(g, ctx)) ||
		(e = check_range("opt", g->opt, 0, N_OPT_LEVELS - 1, ctx)) ||
		(e = check_range("kernels", g->kernels, 0, N_KERNEL_CHOICES - 1, ctx)) ||
		(e = check_range("attn_int8", g->attn_int8, 0, 1, ctx)) ||
		(e = check_range(
			 "act_scales", g->act_scales, 0, N_SCALE_CHOICES - 1, ctx)) ||
		(e = check_range("n_layers", g->n_layers, 1, GENOME_MAX_LAYERS, ctx)) ||
		(e = check_range("seq_len", g->seq_len, 1, 8192, ctx)) ||
		(e = check_range("d_model", g->d_model, 1, 8192, ctx)) ||
		(e = check_range("d_embed", g->d_embed, 1, g->d_model, ctx)) ||
		(e = check_range("vocab_size", (long)g->vocab_size, 8, 65535, ctx)))
		return e;
	if (g->conv && g->conv % 2 == 0)
		return err_set(ctx, ERR_INVALID,
			"gene 'conv' is %d, allowed are 0 and odd widths", g->conv);
	for (int i = 0; i < g->n_layers; i++)
		if ((e = check_layer(g, i, ctx)))
			return e;
	return check_integer(g, ctx);
}

int genome_is_fp32(const struct genome *g)
{
	int quantised = g->embed_bits != 32;

	for (int i = 0; i < g->n_layers; i++)
		quantised |= g->layer[i].bits != 32;
	return !quantised;
}

void genome_canonicalise(struct genome *g)
{
	if (genome_is_fp32(g))
		g->act_scales = SCALES_DYNAMIC;
	if (g->act_scales == SCALES_INTEGER)
		g->attn_int8 = 0;
	if (g->arch == ARCH_DECODER)
		g->pool = g->attn_int8 = 0;
	else
		g->kv = 32;
	for (size_t i = g->n_layers; i < GENOME_MAX_LAYERS; i++)
		memset(&g->layer[i], 0, sizeof(g->layer[i]));
}

void genome_format(const struct genome *g, char *out)
{
	size_t n = 0;

	n += (size_t)snprintf(out, GENOME_TEXT_MAX,
		"%s;v=%u;t=%u;d=%u;e=%u;eb=%u;act=%s;norm=%s;place=%s;pool=%s;abs=%u;"
		"rel=%u;conv=%u;opt=%s;kern=%s%s",
		arch_names[g->arch], (unsigned)g->vocab_size, g->seq_len, g->d_model,
		g->d_embed, g->embed_bits, act_names[g->act], norm_names[g->norm],
		norm_place_names[g->norm_place], pool_names[g->pool], g->abs_pos,
		g->rel_radius, g->conv, opt_level_names[g->opt], kernel_names[g->kernels],
		g->attn_int8 ? ";attn=8" : "");
	if (g->kv != 32)
		n += (size_t)snprintf(out + n, GENOME_TEXT_MAX - n, ";kv=%u", g->kv);
	if (g->act_scales)
		n += (size_t)snprintf(out + n, GENOME_TEXT_MAX - n, ";as=%s",
			scale_names[g->act_scales]);
	n += (size_t)snprintf(out + n, GENOME_TEXT_MAX - n, ";L=");
	for (int i = 0; i < g->n_layers; i++) {
		const struct layer_genes *l = &g->layer[i];

		n += (size_t)snprintf(out + n, GENOME_TEXT_MAX - n,
			"%sh%uk%ux%uf%ur%ub%u%s", i ? "," : "", l->n_heads, l->n_kv_heads,
			l->d_head, l->d_ff, l->ffn_rank, l->bits, l->shared ? "s" : "");
	}
}

/* ---- parsing: a cursor over the text; every error shows where it stopped */

struct cursor {
	const char *text, *at;
	struct err_ctx *ctx;
};

static enum err fail(struct cursor *c, const char *expected)
{
	return err_set(c->ctx, ERR_PARSE,
		"genome text malformed at character %ld: expected %s near '%.16s'",
		(long)(c->at - c->text) + 1, expected, c->at);
}

static enum err literal(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(c->at, word, n))
		return fail(c, word);
	c->at += n;
	return ERR_OK;
}

static enum err number(struct cursor *c, const char *key, long max, long *out)
{
	char *end;
	long v;
	enum err e = literal(c, key);

	if (e)
		return e;
	if (*c->at < '0' || *c->at > '9')
		return fail(c, "a number");
	v = strtol(c->at, &end, 10);
	if (end - c->at > 6 || v > max)
		return fail(c, "a smaller number");
	c->at = end;
	*out = v;
	return ERR_OK;
}

static enum err word(
	struct cursor *c, const char *key, const char *const *names, int n, uint8_t *out)
{
	enum err e = literal(c, key);
	size_t len;

	if (e)
		return e;
	len = strcspn(c->at, ";,");
	for (int i = 0; i < n; i++) {
		if (strlen(names[i]) == len && !strncmp(c->at, names[i], len)) {
			c->at += len;
			*out = (uint8_t)i;
			return ERR_OK;
		}
	}
	return fail(c, "a known word");
}

static enum err parse_layer(struct cursor *c, struct layer_genes *l)
{
	long h, k, x, f, r, b;
	enum err e;

	if ((e = number(c, "h", 65535, &h)) || (e = number(c, "k", 65535, &k)) ||
		(e = number(c, "x", 65535, &x)) || (e = number(c, "f", 65535, &f)) ||
		(e = number(c, "r", 65535, &r)) || (e = number(c, "b", 255, &b)))
		return e;
	l->n_heads = (uint16_t)h;
	l->n_kv_heads = (uint16_t)k;
	l->d_head = (uint16_t)x;
	l->d_ff = (uint16_t)f;
	l->ffn_rank = (uint16_t)r;
	l->bits = (uint8_t)b;
	if (*c->at == 's') {
		l->shared = 1;
		c->at++;
	}
	return ERR_OK;
}

static enum err parse_head(struct cursor *c, struct genome *g)
{
	long v, t, d, em, eb, ab, rel, conv, kv = 32;
	enum err e;

	if ((e = word(c, "", arch_names, N_ARCHS, &g->arch)) ||
		(e = number(c, ";v=", 999999, &v)) || (e = number(c, ";t=", 65535, &t)) ||
		(e = number(c, ";d=", 65535, &d)) || (e = number(c, ";e=", 65535, &em)) ||
		(e = number(c, ";eb=", 255, &eb)) ||
		(e = word(c, ";act=", act_names, N_ACTS, &g->act)) ||
		(e = word(c, ";norm=", norm_names, N_NORMS, &g->norm)) ||
		(e = word(c, ";place=", norm_place_names, N_NORM_PLACES,
			 &g->norm_place)) ||
		(e = word(c, ";pool=", pool_names, N_POOLS, &g->pool)) ||
		(e = number(c, ";abs=", 255, &ab)) ||
		(e = number(c, ";rel=", 255, &rel)) ||
		(e = number(c, ";conv=", 255, &conv)) ||
		(e = word(c, ";opt=", opt_level_names, N_OPT_LEVELS, &g->opt)) ||
		(e = word(c, ";kern=", kernel_names, N_KERNEL_CHOICES, &g->kernels)))
		return e;
	g->attn_int8 = !strncmp(c->at, ";attn=8", 7);
	c->at += g->attn_int8 ? 7 : 0;
	if ((!strncmp(c->at, ";kv=", 4) && (e = number(c, ";kv=", 255, &kv))) ||
		(!strncmp(c->at, ";as=", 4) &&
			(e = word(c, ";as=", scale_names, N_SCALE_CHOICES,
				 &g->act_scales))) ||
		(e = literal(c, ";L=")))
		return e;
	g->vocab_size = (uint32_t)v;
	g->seq_len = (uint16_t)t;
	g->d_model = (uint16_t)d;
	g->d_embed = (uint16_t)em;
	g->embed_bits = (uint8_t)eb;
	g->abs_pos = (uint8_t)ab;
	g->rel_radius = (uint8_t)rel;
	g->conv = (uint8_t)conv;
	g->kv = (uint8_t)kv;
	return ERR_OK;
}

enum err genome_parse(struct genome *out, const char *text, struct err_ctx *ctx)
{
	struct cursor c = {text, text, ctx};
	struct genome g;
	enum err e;

	memset(&g, 0, sizeof(g));
	if ((e = parse_head(&c, &g)))
		return e;
	do {
		if (g.n_layers == GENOME_MAX_LAYERS)
			return fail(&c, "at most 48 layers");
		if ((e = parse_layer(&c, &g.layer[g.n_layers])))
			return e;
		g.n_layers++;
	} while (*c.at++ == ',');
	c.at--;
	if (*c.at)
		return fail(&c, "the end");
	if ((e = genome_check(&g, ctx)))
		return e;
	genome_canonicalise(&g);
	*out = g;
	return ERR_OK;
}

void genome_hash(const struct genome *g, struct hash *out)
{
	char text[GENOME_TEXT_MAX];
	struct genome c = *g;

	genome_canonicalise(&c);
	genome_format(&c, text);
	hash_bytes(out, text, strlen(text));
}

int genome_equal(const struct genome *a, const struct genome *b)
{
	char x[GENOME_TEXT_MAX], y[GENOME_TEXT_MAX];
	struct genome p = *a, q = *b;

	genome_canonicalise(&p);
	genome_canonicalise(&q);
	genome_format(&p, x);
	genome_format(&q, y);
	return !strcmp(x, y);
}
