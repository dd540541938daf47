#include "search/space/gene.h"

#include <stdio.h>
#include <string.h>

static const char *const no_yes[] = {"no", "yes"};

static int some_fits(
	const struct space *s, enum gene_id id, const struct genome *raw, int layer)
{
	for (size_t i = 0; i < s->c[id].n; i++)
		if (!genes[id].fits || genes[id].fits(s, raw, layer, s->c[id].v[i]))
			return 1;
	return 0;
}

static int fits_d_embed(
	const struct space *s, const struct genome *raw, int layer, uint32_t v)
{
	(void)s;
	(void)layer;
	return v <= raw->d_model;
}

static int fits_kv_heads(
	const struct space *s, const struct genome *raw, int layer, uint32_t v)
{
	(void)s;
	return v == 0 || raw->layer[layer].n_heads % v == 0;
}

/* A factorisation has to save weights, or it is only a slower way to the same size. */
static int fits_ffn_rank(
	const struct space *s, const struct genome *raw, int layer, uint32_t v)
{
	uint64_t d = raw->d_model, f = raw->layer[layer].d_ff;

	(void)s;
	return v == 0 || v * (d + f) < d * f;
}

static int fits_d_ff(
	const struct space *s, const struct genome *raw, int layer, uint32_t v)
{
	struct genome probe = *raw;

	probe.layer[layer].d_ff = (uint16_t)v;
	return some_fits(s, GENE_FFN_RANK, &probe, layer);
}

static int fits_d_model(
	const struct space *s, const struct genome *raw, int layer, uint32_t v)
{
	struct genome probe = *raw;

	(void)layer;
	probe.d_model = (uint16_t)v;
	return some_fits(s, GENE_D_EMBED, &probe, 0) &&
	       some_fits(s, GENE_D_FF, &probe, 0);
}

static int fits_heads(
	const struct space *s, const struct genome *raw, int layer, uint32_t v)
{
	struct genome probe = *raw;

	probe.layer[layer].n_heads = (uint16_t)v;
	return some_fits(s, GENE_N_KV_HEADS, &probe, layer);
}

/* Decoders of a language model read cached keys one by one. */
static int fits_attn_int8(
	const struct space *s, const struct genome *raw, int layer, uint32_t v)
{
	(void)s;
	(void)layer;
	return !v || raw->arch == ARCH_ENCODER;
}

#define FIELD(f)                                                                         \
	.offset = offsetof(struct genome, f), .width = sizeof(((struct genome *)0)->f)
#define LAYER(f)                                                                         \
	.offset = offsetof(struct layer_genes, f),                                       \
	.width = sizeof(((struct layer_genes *)0)->f)
#define WORDS(names) .words = names, .n_words = sizeof(names) / sizeof(*names)

const struct gene genes[N_GENES] = {
	[GENE_N_LAYERS] = {"n_layers", FIELD(n_layers), .required = 1},
	[GENE_VOCAB_SIZE] = {"vocab_size", FIELD(vocab_size), .required = 1},
	[GENE_SEQ_LEN] = {"seq_len", FIELD(seq_len), .required = 1},
	[GENE_D_MODEL] = {"d_model", FIELD(d_model), .required = 1, .fits = fits_d_model},
	[GENE_D_EMBED] = {"d_embed", FIELD(d_embed), .order = ORDER_ZERO_TOP,
		.symbol = "full", .fits = fits_d_embed, .n_context = 1,
		.context = {GENE_D_MODEL}},
	[GENE_EMBED_BITS] = {"embed_bits", FIELD(embed_bits), .fallback = 8},
	[GENE_ACT] = {"act", FIELD(act), .order = ORDER_NONE, WORDS(act_names)},
	[GENE_NORM] = {"norm", FIELD(norm), .order = ORDER_NONE, WORDS(norm_names)},
	[GENE_NORM_PLACE] = {"norm_place", FIELD(norm_place), .order = ORDER_NONE,
		WORDS(norm_place_names)},
	[GENE_POOL] = {"pool", FIELD(pool), .order = ORDER_NONE, WORDS(pool_names)},
	[GENE_ABS_POS] = {"abs_pos", FIELD(abs_pos), WORDS(no_yes)},
	[GENE_REL_POS] = {"rel_pos", FIELD(rel_radius)},
	[GENE_CONV] = {"conv", FIELD(conv)},
	[GENE_OPT] = {"opt", FIELD(opt), .order = ORDER_NONE, WORDS(opt_level_names)},
	[GENE_KERNELS] = {"kernels", FIELD(kernels), .order = ORDER_NONE,
		WORDS(kernel_names)},
	[GENE_ATTN_INT8] = {"attn_int8", FIELD(attn_int8), .order = ORDER_DOWN,
		.fits = fits_attn_int8, WORDS(no_yes)},
	[GENE_KV] = {"kv", FIELD(kv), .fallback = 32},
	[GENE_ACT_SCALES] = {"act_scales", FIELD(act_scales), .order = ORDER_DOWN,
		WORDS(scale_names)},
	[GENE_N_HEADS] = {"n_heads", LAYER(n_heads), .required = 1, .fits = fits_heads},
	[GENE_N_KV_HEADS] = {"n_kv_heads", LAYER(n_kv_heads), .order = ORDER_ZERO_TOP,
		.symbol = "same", .fits = fits_kv_heads, .n_context = 1,
		.context = {GENE_N_HEADS}},
	[GENE_D_HEAD] = {"d_head", LAYER(d_head), .required = 1},
	[GENE_D_FF] = {"d_ff", LAYER(d_ff), .required = 1, .fits = fits_d_ff,
		.n_context = 1, .context = {GENE_D_MODEL}},
	[GENE_FFN_RANK] = {"ffn_rank", LAYER(ffn_rank), .order = ORDER_ZERO_TOP,
		.fits = fits_ffn_rank, .n_context = 2,
		.context = {GENE_D_MODEL, GENE_D_FF}},
	[GENE_BITS] = {"bits", LAYER(bits), .fallback = 32},
	[GENE_SHARED] = {"shared", LAYER(shared), .order = ORDER_DOWN, WORDS(no_yes)},
};

static size_t field_at(enum gene_id id, int layer)
{
	if (!gene_per_layer(id))
		return genes[id].offset;
	return offsetof(struct genome, layer) +
	       (size_t)layer * sizeof(struct layer_genes) + genes[id].offset;
}

uint32_t gene_get(enum gene_id id, const struct genome *g, int layer)
{
	const char *at = (const char *)g + field_at(id, layer);
	uint16_t half;
	uint32_t full;

	switch (genes[id].width) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		memcpy(&half, at, sizeof(half));
		return half;
	default:
		memcpy(&full, at, sizeof(full));
		return full;
	}
}

void gene_set(enum gene_id id, struct genome *g, int layer, uint32_t v)
{
	char *at = (char *)g + field_at(id, layer);
	uint16_t half = (uint16_t)v;

	switch (genes[id].width) {
	case 1:
		*(uint8_t *)at = (uint8_t)v;
		break;
	case 2:
		memcpy(at, &half, sizeof(half));
		break;
	default:
		memcpy(at, &v, sizeof(v));
	}
}

void gene_write(enum gene_id id, uint32_t v, char *out, size_t cap)
{
	if (genes[id].words && v < genes[id].n_words)
		snprintf(out, cap, "%s", genes[id].words[v]);
	else if (genes[id].symbol && v == 0)
		snprintf(out, cap, "%s", genes[id].symbol);
	else
		snprintf(out, cap, "%u", (unsigned)v);
}

uint32_t gene_size_rank(enum gene_id id, uint32_t v)
{
	switch (genes[id].order) {
	case ORDER_ZERO_TOP:
		return v ? v : UINT32_MAX;
	case ORDER_DOWN:
		return UINT32_MAX - v;
	default:
		return v;
	}
}

int choices_has(const struct choices *c, uint32_t v)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i] == v)
			return 1;
	return 0;
}

size_t choices_n_distinct(const struct choices *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += i == 0 || c->v[i] != c->v[i - 1];
	return n;
}

int gene_allows(const struct space *s, enum gene_id id, const struct genome *raw,
	int layer, uint32_t v)
{
	/* The lowest layer has nothing to share, whatever the choices are. */
	if (id == GENE_SHARED && layer == 0)
		return v == 0;
	return choices_has(&s->c[id], v) &&
	       (!genes[id].fits || genes[id].fits(s, raw, layer, v));
}

int gene_same(const struct genome *a, const struct genome *b)
{
	if (a->arch != b->arch || a->n_layers != b->n_layers)
		return 0;
	for (int id = 0; id < GENE_FIRST_PER_LAYER; id++)
		if (gene_get((enum gene_id)id, a, 0) != gene_get((enum gene_id)id, b, 0))
			return 0;
	return !memcmp(a->layer, b->layer, a->n_layers * sizeof(*a->layer));
}

void gene_resolve(const struct genome *raw, struct genome *g)
{
	*g = *raw;
	if (g->d_embed == 0)
		g->d_embed = g->d_model;
	for (int i = 0; i < g->n_layers; i++) {
		struct layer_genes *l = &g->layer[i];

		if (i == 0)
			l->shared = 0;
		if (l->shared) {
			*l = g->layer[i - 1];
			l->shared = 1;
		}
		if (l->n_kv_heads == 0)
			l->n_kv_heads = l->n_heads;
	}
	genome_canonicalise(g);
}

void gene_raw(const struct space *s, const struct genome *g, struct genome *raw)
{
	*raw = *g;
	if (raw->d_embed == raw->d_model && choices_has(&s->c[GENE_D_EMBED], 0))
		raw->d_embed = 0;
	/* Where all is fp32 scales do not matter and are written as dynamic. */
	if (!choices_has(&s->c[GENE_ACT_SCALES], raw->act_scales) && genome_is_fp32(raw))
		raw->act_scales = (uint8_t)s->c[GENE_ACT_SCALES].v[0];
	for (int i = 0; i < raw->n_layers; i++) {
		struct layer_genes *l = &raw->layer[i];

		if (l->n_kv_heads == l->n_heads && choices_has(&s->c[GENE_N_KV_HEADS], 0))
			l->n_kv_heads = 0;
	}
}
