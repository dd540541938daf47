#include "tests/fuzz/genome_draw.h"

#include <string.h>

/* A choice written twice is drawn twice as often. The limits keep one genome's share of
 * the run small. */
#define GENES                                                                            \
	"limits: [\"params<=150000\", \"macs<=2500000\"]\ngenes:\n"                      \
	"  vocab_size: [8, 9, 31, 50, 96, 200, 517]\n"                                   \
	"  d_model: [1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, "  \
	"49, 63, 64, 65, 80, 96, 97]\n"                                                  \
	"  d_embed: [full, full, full, 1, 2, 3, 6, 8, 11, 16, 20, 33, 48]\n"             \
	"  embed_bits: [32, 8, 4]\n"                                                     \
	"  act: [relu, gelu, silu]\n"                                                    \
	"  norm: [ln, rms]\n"                                                            \
	"  norm_place: [pre, post]\n"                                                    \
	"  abs_pos: [no, yes]\n"                                                         \
	"  rel_pos: [0, 0, 1, 2, 3, 8, 64]\n"                                            \
	"  conv: [0, 0, 1, 3, 5, 7]\n"                                                   \
	"  opt: [O2, O3, Os]\n"                                                          \
	"  kernels: opt\n"                                                               \
	"  act_scales: [dynamic, static]\n"                                              \
	"  n_layers: [1, 1, 2, 2, 3, 4, 6]\n"                                            \
	"  n_heads: [1, 2, 3, 4, 5, 6, 8]\n"                                             \
	"  n_kv_heads: [same, same, 1, 2, 3]\n"                                          \
	"  d_head: [1, 2, 3, 5, 7, 8, 9, 11, 15, 16, 17, 20, 26, 32, 33, 48, 65]\n"      \
	"  d_ff: [1, 3, 8, 9, 17, 31, 32, 33, 45, 48, 64, 67, 96, 100, 128, 150]\n"      \
	"  ffn_rank: [0, 0, 0, 1, 3, 4, 8, 13, 16, 17, 33]\n"                            \
	"  bits: [32, 8, 4]\n"                                                           \
	"  shared: [no, no, yes]\n"

static const char encoders[] =
	"name: fuzz-enc\narch: enc\n" GENES "  pool: [mean, max, first]\n"
	"  seq_len: [1, 2, 3, 5, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40]\n"
	"  attn_int8: [no, yes]\n";
/* Longer: what is fed in chunks of 32 tokens should need several. */
static const char decoders[] =
	"name: fuzz-dec\narch: dec\n" GENES
	"  seq_len: [1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 40, 64, 65, 80]\n"
	"  kv: [32, 32, 16, 8]\n";

/* Weights as weights_init makes them, but nothing stays at a value that would hide a
 * fault: biases, gains, convolutions and relative positions are random. */
static enum err read_weights(
	void *self, const struct tensor *t, float *w, struct err_ctx *ctx)
{
	const struct random_weights *r = self;
	size_t n = (size_t)t->rows * t->cols;
	struct rng root, rng;

	(void)ctx;
	weights_init_tensor(t, r->seed, w);
	rng_init(&root, r->seed);
	rng_split(&root, tensor_names[t->kind], (uint64_t)(t->layer + 100), &rng);
	for (size_t i = 0; i < n; i++)
		if (t->cols == 1 || t->kind == T_CONV || t->kind == T_REL)
			w[i] += 0.3f * (float)rng_normal(&rng);
	return ERR_OK;
}

/* An encoder with a language head is allowed, and a causal classifier. */
static struct task_shape draw_task(int decoder, struct rng *rng)
{
	static const enum task_kind often[2][5] = {
		{TASK_INTENT_SLOTS, TASK_INTENT_SLOTS, TASK_CLASSIFY, TASK_CLASSIFY,
			TASK_LM},
		{TASK_LM, TASK_LM, TASK_LM, TASK_CLASSIFY, TASK_INTENT_SLOTS}};
	struct task_shape task = {often[decoder][rng_below(rng, 5)], 0, 0};

	if (task.kind != TASK_LM)
		task.n_intents = 1 + (int)rng_below(rng, 20);
	if (task.kind == TASK_INTENT_SLOTS)
		task.n_tags = 1 + (int)rng_below(rng, 35);
	return task;
}

enum err draw_spaces_open(struct draw_spaces *s, struct err_ctx *ctx)
{
	enum err e = space_parse(&s->space[0], encoders, "fuzz-enc", ctx);

	return e ? e : space_parse(&s->space[1], decoders, "fuzz-dec", ctx);
}

void draw_spaces_close(struct draw_spaces *s)
{
	space_close(s->space[0]);
	space_close(s->space[1]);
}

void draw_genome(
	struct drawn *d, const struct draw_spaces *s, uint64_t seed, uint32_t index)
{
	struct rng root, rng;
	uint32_t at = 0, n;
	int decoder;

	rng_init(&root, seed);
	rng_split(&root, "genome", index, &rng);
	decoder = rng_below(&rng, 5) < 2;
	d->index = index;
	d->in = (struct codegen_input){.task = draw_task(decoder, &rng)};
	space_sample(s->space[decoder], &d->in.task, &rng, &d->genome);
	n = d->genome.seq_len;
	d->len[0] = 1 + (uint32_t)rng_below(&rng, (n + 3) / 4);
	d->len[1] = 1 + (uint32_t)rng_below(&rng, n);
	d->len[2] = n;
	for (int i = 0; i < DRAW_N_GOLDEN; i++)
		for (uint32_t j = 0; j < d->len[i]; j++)
			d->ids[at++] = (int32_t)rng_below(&rng, d->genome.vocab_size);
	d->random.seed = index + 1;
	d->in.genome = &d->genome;
	d->in.weights = (struct tensor_source){read_weights, &d->random};
	hash_bytes(&d->in.weights_hash, &d->random.seed, sizeof(d->random.seed));
	d->in.golden_ids = d->ids;
	d->in.golden_len = d->len;
	d->in.n_golden = DRAW_N_GOLDEN;
	d->in.timed_tokens = n;
}

void draw_describe(const struct drawn *d, struct buf *out)
{
	char text[GENOME_TEXT_MAX];

	genome_format(&d->genome, text);
	buf_printf(out, "genome %u (%s, %d intents, %d tags): %s", (unsigned)d->index,
		task_kind_names[d->in.task.kind], d->in.task.n_intents, d->in.task.n_tags,
		text);
}
