#include "tests/bench/shapes.h"

#include <stdio.h>

const char *const precision_names[N_PRECISIONS] = {"fp32", "int8", "int4"};
const uint8_t precision_bits[N_PRECISIONS] = {32, 8, 4};

const struct shape shapes[N_SHAPES] = {
	{"2x64x2x128x16", 2, 64, 2, 128, 16, {3.8, 9, 13}, 0.45},
	{"2x128x2x512x32", 2, 128, 2, 512, 32, {2.0, 4.5, 8}, 0.70},
	{"4x128x4x512x32", 4, 128, 4, 512, 32, {2.1, 5, 8}, 0.70},
	{"4x312x12x1200x32", 4, 312, 12, 1200, 32, {1.8, 2.8, 5.6}, 0.75},
	{"6x384x12x1536x32", 6, 384, 12, 1536, 32, {1.7, 2.4, 4.8}, 0.75},
	{"6x384x12x1536x128", 6, 384, 12, 1536, 128, {1.4, 2.3, 4.6}, 0.75},
};

const double decoder_share[N_PRECISIONS] = {0, 0.60, 0.40};

const struct task_shape encoder_task = {TASK_CLASSIFY, BENCH_CLASSES, 0};
const struct task_shape decoder_task = {TASK_LM, 0, 0};

/* The head of the text, then equal layers. */
static enum err parse(const char *head, const char *layer, unsigned n_layers,
	struct genome *out, struct err_ctx *ctx)
{
	char text[GENOME_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%s;L=", head);

	for (unsigned i = 0; i < n_layers; i++)
		n += snprintf(
			text + n, sizeof(text) - (size_t)n, "%s%s", i ? "," : "", layer);
	return genome_parse(out, text, ctx);
}

enum err shape_genome(const struct shape *s, enum precision p, enum kernel_choice kernels,
	struct genome *out, struct err_ctx *ctx)
{
	char head[256], layer[64];

	snprintf(head, sizeof(head),
		"enc;v=%d;t=%u;d=%u;e=%u;eb=%u;act=gelu;norm=ln;place=post;pool=mean;"
		"abs=1;rel=0;conv=0;opt=O3;kern=%s%s",
		BENCH_VOCAB, s->seq_len, s->d_model, s->d_model, precision_bits[p],
		kernel_names[kernels], p == FP32 ? "" : ";attn=8");
	snprintf(layer, sizeof(layer), "h%uk%ux%uf%ur0b%u", s->n_heads, s->n_heads,
		(unsigned)(s->d_model / s->n_heads), s->d_ff, precision_bits[p]);
	return parse(head, layer, s->n_layers, out, ctx);
}

enum err decoder_genome(enum precision p, enum kernel_choice kernels, struct genome *out,
	struct err_ctx *ctx)
{
	char head[256], layer[64];

	snprintf(head, sizeof(head),
		"dec;v=%d;t=%d;d=288;e=288;eb=%u;act=silu;norm=rms;place=pre;pool=mean;"
		"abs=1;rel=0;conv=0;opt=O3;kern=%s",
		DECODER_VOCAB, DECODER_PREFILL + DECODER_STEPS, precision_bits[p],
		kernel_names[kernels]);
	snprintf(layer, sizeof(layer), "h6k6x48f768r0b%u", precision_bits[p]);
	return parse(head, layer, 6, out, ctx);
}
