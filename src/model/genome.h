/* A candidate: one transformer configuration, a point of a search space.
 *
 * Plain data. Its canonical text is its identity: equal genomes have equal texts, and
 * the SHA-256 of the text is the candidate's hash everywhere.
 *
 *   enc;v=1000;t=32;d=64;e=64;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;
 *   conv=3;opt=O2;kern=ref;L=h2k2x16f128r0b8,h2k2x16f64r16b8s
 *
 * (one line, no spaces). A decoder that keeps its keys and values in less than fp32 has
 * ";kv=16" or ";kv=8" after kern. A layer is h<n_heads> k<n_kv_heads> x<d_head> f<d_ff>
 * r<ffn_rank> b<bits>, with a trailing 's' when it shares the weights of the layer
 * before it. ";attn=8" after the kernels: attention's products are in int8; ";as=static"
 * before the layers: activations are quantised with calibrated scales; ";as=integer": and
 * all between the products is done without floating point. What the network computes is defined in src/model/graph.h.
 */
#ifndef HAWSER_MODEL_GENOME_H
#define HAWSER_MODEL_GENOME_H

#include <stdint.h>

#include "src/base/err.h"
#include "src/base/hash.h"

#define GENOME_MAX_LAYERS 48
#define GENOME_TEXT_MAX 2048 /* bytes of canonical text, with the NUL */

enum arch { ARCH_ENCODER, ARCH_DECODER, N_ARCHS };
enum act { ACT_RELU, ACT_GELU, ACT_SILU, N_ACTS };
enum norm { NORM_LAYER, NORM_RMS, N_NORMS };
enum norm_place { NORM_PRE, NORM_POST, N_NORM_PLACES };
enum pool { POOL_MEAN, POOL_MAX, POOL_FIRST, N_POOLS };
enum opt_level { OPT_O2, OPT_O3, OPT_OS, N_OPT_LEVELS };	   /* compiler flag set */
enum kernel_choice { KERNELS_REF, KERNELS_OPT, N_KERNEL_CHOICES }; /* opt: per ISA */
enum scale_choice { SCALES_DYNAMIC, SCALES_STATIC, SCALES_INTEGER, N_SCALE_CHOICES };

/* Names as they stand in texts and YAML files, indexed by the enums above. */
extern const char *const arch_names[N_ARCHS];		  /* "enc" "dec" */
extern const char *const act_names[N_ACTS];		  /* "relu" "gelu" "silu" */
extern const char *const norm_names[N_NORMS];		  /* "ln" "rms" */
extern const char *const norm_place_names[N_NORM_PLACES]; /* "pre" "post" */
extern const char *const pool_names[N_POOLS];		  /* "mean" "max" "first" */
extern const char *const opt_level_names[N_OPT_LEVELS];	  /* "O2" "O3" "Os" */
extern const char *const kernel_names[N_KERNEL_CHOICES];  /* "ref" "opt" */
extern const char *const scale_names[N_SCALE_CHOICES];	  /* "dynamic" "static" "integer" */

struct layer_genes {
	uint16_t n_heads;
	uint16_t n_kv_heads; /* divides n_heads */
	uint16_t d_head;
	uint16_t d_ff;
	uint16_t ffn_rank; /* 0: full; r: W = A[., r] B[r, .] for both products */
	uint8_t bits;	   /* 32, 8 or 4: weights of this layer's linear ops */
	uint8_t shared;	   /* 1: uses the weights of the layer before it (same shapes) */
};

struct genome {
	uint8_t arch;	    /* enum arch */
	uint8_t act;	    /* enum act */
	uint8_t norm;	    /* enum norm */
	uint8_t norm_place; /* enum norm_place */
	uint8_t pool;	    /* enum pool; encoders only */
	uint8_t abs_pos;    /* 1: learned absolute positions */
	uint8_t rel_radius; /* relative position bias clipped at +-radius; 0: none */
	uint8_t conv; /* width of the depthwise convolution before attention; 0: none */
	uint8_t embed_bits; /* 32, 8 or 4: embedding table and output heads */
	uint8_t kv;  /* 32, 16 (fp16) or 8 bits of kept keys and values; decoders only */
	uint8_t opt; /* enum opt_level */
	uint8_t kernels;    /* enum kernel_choice */
	uint8_t attn_int8;  /* 1: scores and mix as int8 products; encoders only */
	uint8_t act_scales; /* enum scale_choice, of what int8 and int4 products read */
	uint8_t n_layers;
	uint16_t seq_len; /* the longest input, tokens */
	uint16_t d_model;
	uint16_t d_embed; /* == d_model: table is [vocab, d_model]; less: factorised */
	uint32_t vocab_size;
	struct layer_genes layer[GENOME_MAX_LAYERS];
};

/* Allowed ranges of every gene and the relations between them; the message names the
 * gene and the range. */
enum err genome_check(const struct genome *g, struct err_ctx *ctx);
/* No weight is quantised. */
int genome_is_fp32(const struct genome *g);
/* Sets what cannot matter (genes of absent layers, pooling of a decoder, static scales
 * where all is fp32, int8 attention where all is integer) to zero, and an
 * encoder's kv to 32, so that equal networks have equal texts. */
void genome_canonicalise(struct genome *g);
/* Writes the canonical text; `out` holds GENOME_TEXT_MAX bytes. */
void genome_format(const struct genome *g, char *out);
/* Parses and checks a text. */
enum err genome_parse(struct genome *g, const char *text, struct err_ctx *ctx);
void genome_hash(const struct genome *g, struct hash *out);
int genome_equal(const struct genome *a, const struct genome *b);

#endif
