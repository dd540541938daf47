/* Search spaces: YAML -> what each gene may be; sampling, mutation, crossover on genomes.
 *
 *   name: home-small
 *   arch: enc                       # enc | dec
 *   genes:                          # a value, or a list of choices
 *     vocab_size: [500, 1000]
 *     seq_len: 32
 *     d_model: [16, 32, 64, 96]
 *     d_embed: [full]               # "full" = d_model, or widths below it
 *     n_layers: [1, 2, 3]
 *     n_heads: [1, 2, 4]            # per layer from here ...
 *     n_kv_heads: [same]            # "same" = n_heads, or counts that divide it
 *     d_head: 16
 *     d_ff: [32, 64, 128, 192]
 *     ffn_rank: [0]
 *     bits: [32, 8, 4]
 *     shared: [no]                  # ... to here
 *     embed_bits: [8]
 *     act: relu ...
 *   limits: ["params<=300000"]      # analytic metrics only
 *   presets: {tiny: "enc;v=..."}
 *
 * Gene names are the fields of struct genome (rel_pos for rel_radius). Required are those
 * of the sizes: vocab_size seq_len d_model n_layers n_heads d_head d_ff; the others are
 * d_embed full, embed_bits 8, bits 32, kv 32, n_kv_heads same, and otherwise off or the first of
 * their kind. A choice written twice is drawn twice as often. Unknown genes, choices that
 * no genome can have (a d_embed wider than every d_model) and impossible spaces (no valid
 * genome) are errors with file, line and column.
 *
 * Not here: what a genome costs or how good it is. A space is read-only once opened and
 * may be used by several threads.
 */
#ifndef HAWSER_SEARCH_SPACE_SPACE_H
#define HAWSER_SEARCH_SPACE_SPACE_H

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/rng.h"
#include "src/model/genome.h"
#include "src/model/task.h"

struct space;

/* By name ("home-small") from Hawser's search/spaces, or by path when it ends in .yaml.
 */
enum err space_open(struct space **out, const char *name_or_path, struct err_ctx *ctx);
enum err space_parse(
	struct space **out, const char *text, const char *name, struct err_ctx *ctx);
void space_close(struct space *s);
const char *space_name(const struct space *s);
/* Of the canonical content: equal spaces, however written, have equal hashes. */
void space_hash(const struct space *s, struct hash *out);
/* Number of genomes, as a double (may be huge), before limits. */
double space_size(const struct space *s);
enum arch space_arch(const struct space *s);
uint32_t space_max_vocab(const struct space *s);

/* Is the genome a point of the space (limits included)? The message says which gene. */
enum err space_contains(const struct space *s, const struct genome *g,
	const struct task_shape *task, struct err_ctx *ctx);
/* Random valid genome; every choice of a gene that fits those drawn before it equally
 * likely, limits by rejection. Where the task's heads leave no genome within the limits:
 * the one nearest to them, which space_contains then refuses. */
void space_sample(const struct space *s, const struct task_shape *task, struct rng *rng,
	struct genome *g);
/* All genes at their largest / smallest; of words without a size, the first. Limits are
 * not looked at: ask space_contains. */
void space_largest(const struct space *s, struct genome *g);
void space_smallest(const struct space *s, struct genome *g);
/* Genomes that together touch every gene's largest value and both variants of optional
 * tensors (full and factorised, pre- and post-norm): for a supernet's layout. At most 24;
 * limits are not looked at. Of two norm kinds the first: the tensors of "ln" cover
 * those of "rms". */
size_t space_extremes(const struct space *s, struct genome *g, size_t cap);
/* Changes one to three genes to other choices; result is valid and differs from `g`
 * whenever the space has a neighbour. */
void space_mutate(const struct space *s, const struct task_shape *task, struct rng *rng,
	const struct genome *g, struct genome *out);
/* Uniform crossover by gene, layers aligned from the bottom; valid. */
void space_cross(const struct space *s, const struct task_shape *task, struct rng *rng,
	const struct genome *a, const struct genome *b, struct genome *out);

/* The i-th preset of the space itself: its name, and the genome in `g`; NULL past the
 * end. Presets are points of their space; limits, which depend on the task, aside. */
const char *space_preset(const struct space *s, size_t i, struct genome *g);

/* Appends one line a gene with its choices as a space file writes them ('*': chosen for
 * every layer), and one a limit. For people. */
void space_describe(const struct space *s, struct buf *out);

/* Presets that ship with Hawser (search/spaces/presets.yaml): "tinybert-4" ... */
enum err preset_find(const char *name, struct genome *g, struct err_ctx *ctx);
/* Names in file order; returns NULL past the end (or when the file is unreadable). */
const char *preset_name(size_t i);

#endif
