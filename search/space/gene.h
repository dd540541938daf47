/* The genes: one row each, in the order in which a genome is drawn (a gene's choices may
 * depend on genes above it, never on genes below).
 *
 * Inside search/space a genome is handled "raw": d_embed 0 stands for "full" and
 * n_kv_heads 0 for "same", so that these follow when d_model or n_heads change.
 * `gene_resolve` makes a real genome of a raw one. Not for use outside this folder.
 */
#ifndef HAWSER_SEARCH_SPACE_GENE_H
#define HAWSER_SEARCH_SPACE_GENE_H

#include <stddef.h>

#include "search/space/space.h"
#include "src/base/yaml.h"
#include "src/model/objective.h"

#define SPACE_MAX_CHOICES 64
#define SPACE_MAX_LIMITS 8

enum gene_id {
	GENE_N_LAYERS,
	GENE_VOCAB_SIZE,
	GENE_SEQ_LEN,
	GENE_D_MODEL,
	GENE_D_EMBED,
	GENE_EMBED_BITS,
	GENE_ACT,
	GENE_NORM,
	GENE_NORM_PLACE,
	GENE_POOL,
	GENE_ABS_POS,
	GENE_REL_POS,
	GENE_CONV,
	GENE_OPT,
	GENE_KERNELS,
	GENE_ATTN_INT8,
	GENE_KV,
	GENE_ACT_SCALES,
	GENE_N_HEADS, /* per layer from here */
	GENE_N_KV_HEADS,
	GENE_D_HEAD,
	GENE_D_FF,
	GENE_FFN_RANK,
	GENE_BITS,
	GENE_SHARED,
	N_GENES
};
#define GENE_FIRST_PER_LAYER GENE_N_HEADS

/* What "large" means for a gene's values. */
enum gene_order {
	ORDER_UP,	/* the larger number */
	ORDER_ZERO_TOP, /* 0 ("full", "same", no factorisation), then the larger number */
	ORDER_DOWN,	/* the smaller number: sharing saves */
	ORDER_NONE	/* words without a size: the first of the table, both ways */
};

/* Allowed values as written, sorted; one written twice is drawn twice as often. */
struct choices {
	size_t n;
	uint32_t v[SPACE_MAX_CHOICES];
};

struct gene {
	const char *name;
	uint16_t offset; /* in struct genome, or in struct layer_genes when per layer */
	uint8_t width;	 /* bytes of the field */
	uint8_t required;
	uint8_t order; /* enum gene_order */
	uint8_t n_words;
	const char *const *words; /* value i is written words[i]; NULL: a number */
	const char *symbol;	  /* how the raw value 0 is written; NULL: none */
	uint32_t fallback;	  /* raw value when the file does not name the gene */
	/* May the raw genome, settled up to this gene, take v here? NULL: always. Looks
	 * ahead, so that a draw never ends in a gene without a choice. */
	int (*fits)(
		const struct space *s, const struct genome *raw, int layer, uint32_t v);
	/* The genes that `fits` looks back at. */
	uint8_t n_context;
	uint8_t context[2];
};

extern const struct gene genes[N_GENES];

struct preset {
	char name[64];
	struct genome g;
};

struct space {
	char name[64];
	enum arch arch;
	struct choices c[N_GENES];
	size_t n_limits;
	struct limit limits[SPACE_MAX_LIMITS];
	size_t n_presets;
	struct preset *presets;
};

static inline int gene_per_layer(enum gene_id id)
{
	return id >= GENE_FIRST_PER_LAYER;
}
uint32_t gene_get(enum gene_id id, const struct genome *g, int layer);
void gene_set(enum gene_id id, struct genome *g, int layer, uint32_t v);
/* The value as a space file writes it. */
void gene_write(enum gene_id id, uint32_t v, char *out, size_t cap);
/* Size rank of a value: larger is larger. */
uint32_t gene_size_rank(enum gene_id id, uint32_t v);

int choices_has(const struct choices *c, uint32_t v);
size_t choices_n_distinct(const struct choices *c);
/* Is v a choice of the gene, and does it fit? */
int gene_allows(const struct space *s, enum gene_id id, const struct genome *raw,
	int layer, uint32_t v);

/* Equality of two resolved genomes; genome_equal compares texts, which is slow here. */
int gene_same(const struct genome *a, const struct genome *b);
void gene_resolve(const struct genome *raw, struct genome *g);
void gene_raw(const struct space *s, const struct genome *g, struct genome *raw);

/* By how much the limits are broken, relative to their bounds; 0: they hold. */
double space_violation(
	const struct space *s, const struct genome *g, const struct task_shape *task);
/* Draws until the limits hold; 0 when no such genome was found (`g`: the nearest one). */
int space_draw(const struct space *s, const struct task_shape *task, struct rng *rng,
	struct genome *g);
/* The smallest heads that a network of this arch can have: a lower bound for limits. */
struct task_shape space_least_task(const struct space *s);

enum err space_parse_file(struct space **out, const char *path, struct err_ctx *ctx);
/* Parses `presets: {name: text}`; `s` may be NULL: any valid genome. */
enum err preset_parse(const struct yaml_doc *doc, const struct yaml_node *n,
	const struct space *s, struct preset **out, size_t *n_out, struct err_ctx *ctx);

#endif
