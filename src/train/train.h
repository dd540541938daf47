/* Training: one network alone, or a weight-sharing supernet; evaluation; checkpoints.
 *
 * Forward and backward are written here over OpenBLAS products, on packed sequences (no
 * padding). One BLAS thread per worker, workers in parallel; sums over workers are taken
 * in a fixed order, so a run is reproducible for one seed, thread count notwithstanding.
 * (Digits may differ between BLAS core types.)
 */
#ifndef HAWSER_TRAIN_TRAIN_H
#define HAWSER_TRAIN_TRAIN_H

#include "src/base/progress.h"
#include "src/base/rng.h"
#include "src/base/stats.h"
#include "src/model/genome.h"
#include "src/model/weights.h"
#include "src/train/dataset.h"

/* A data set encoded for training: shared by all workers, read-only after opening. */
struct corpus {
	struct dataset data;
	struct tokeniser_table *tokeniser; /* of the largest vocabulary asked for */
	struct label_rules rules;
	struct hash hash; /* of data and tokeniser: the `data` key of accuracy facts */
	struct corpus_cache *cache; /* encoded splits; private */
};
enum err corpus_open(struct corpus *c, const char *source, const char *format,
	uint32_t vocab_size, struct err_ctx *ctx);
/* The same from a data set in hand, which is taken over, also on failure. */
enum err corpus_from_dataset(
	struct corpus *c, struct dataset *data, uint32_t vocab_size, struct err_ctx *ctx);
void corpus_release(struct corpus *c);
/* Encoded split for a vocabulary and length, made on first use and kept; thread-safe.
 * The result belongs to the corpus. */
enum err corpus_encoded(struct corpus *c, enum split split, uint32_t vocab_size,
	uint32_t seq_len, const struct encoded **out, struct err_ctx *ctx);

/* ---- quality of one network on one split */
struct quality {
	size_t n;	     /* sequences */
	size_t n_spans;	     /* true spans (intent-slots) */
	size_t n_tokens;     /* predicted tokens (lm) */
	double intent_acc;   /* % */
	double slot_f1;	     /* %: exact spans, micro average */
	double sentence_acc; /* %: intent and every tag right */
	double cross_entropy; /* nats: intents + tags per word (intent-slots), per token (lm) */
	double perplexity;		  /* lm: exp(cross_entropy) */
	struct interval intent_ci, f1_ci; /* 95 %, in %; binomial over sequences, spans */
};
/* Weights flat, in `layout_init` order of (g, task). Weights are quantised as the
 * genome's bits say (fake quantisation; activations stay fp32, but a decoder's keys and
 * values are rounded as its kv says) unless `full_precision`. */
enum err quality_evaluate(struct corpus *c, const struct genome *g, const float *weights,
	enum split split, int full_precision, struct quality *out, struct err_ctx *ctx);
/* The same from predictions: for outputs that came back from a device.
 * intent[n]; tags[word_start[n]] per word, in the order of `e`. Rules without tags: intents
 * alone are counted. */
void quality_from_predictions(const struct encoded *e, const struct label_rules *r,
	const int16_t *intent, const int16_t *tags, struct quality *out);

/* ---- training */
struct train_options {
	double epochs;	     /* passes over train */
	uint32_t batch;	     /* sequences a step */
	double lr;	     /* peak; warm-up 10 %, cosine to 0 */
	double weight_decay; /* on matrices */
	double clip;	     /* gradient norm */
	double dropout;
	double word_dropout;	/* token -> UNK */
	double subword_dropout; /* word -> tokens of a smaller vocabulary; labelled texts */
	double slot_weight;	/* of the tag loss */
	double label_smoothing;
	double distil_share; /* supernet: share of the largest network's answers in targets */
	double qat_share; /* last share of the steps trained with fake quantisation */
	uint32_t threads;
	uint64_t seed;
	struct progress *progress;  /* NULL: silent */
	volatile const int *cancel; /* non-zero ends training with ERR_CANCELLED; NULL */
};
void train_options_default(struct train_options *o, enum task_kind kind);
/* Applies one "key: value" of a job's YAML to the options; the message lists the keys. */
enum err train_options_set(
	struct train_options *o, const char *key, double value, struct err_ctx *ctx);
void train_options_hash(const struct train_options *o, struct hash_state *h);

/* Trains one network from scratch (start == NULL) or from given weights (fine-tuning).
 * weights: caller's, layout_init(g) floats. */
enum err train_alone(struct corpus *c, const struct genome *g, const float *start,
	const struct train_options *o, float *weights, struct err_ctx *ctx);

/* ---- supernet */
struct supernet; /* weights of the largest network of a space */

/* Draws sub-networks for the sandwich: implemented over search/space by the caller. */
struct sampler {
	void *self;
	void (*largest)(void *self, struct genome *g);
	void (*smallest)(void *self, struct genome *g);
	void (*random)(void *self, struct rng *rng, struct genome *g);
	/* Genomes that together touch every maximum, for the layout; returns how many
	 * were written, at most `cap`. */
	size_t (*extremes)(void *self, struct genome *g, size_t cap);
	struct hash hash; /* of the space */
};
/* Trains, resumes from the checkpoint, or loads the finished supernet for (corpus, space, options)
 * from `cache_dir`. Checkpoints are atomic and a resumed run equals an undisturbed one.
 * Sandwich rule: largest, smallest, two random sub-networks a step; half labels, half
 * in-place distillation from the largest. */
enum err supernet_open(struct supernet **out, struct corpus *c, const struct sampler *s,
	const struct train_options *o, const char *cache_dir, struct err_ctx *ctx);
void supernet_close(struct supernet *s);
const struct hash *supernet_hash(const struct supernet *s);
/* Copies the inherited weights of a sub-network (layout_init(g) floats). */
enum err supernet_extract(const struct supernet *s, const struct genome *g,
	float *weights, struct err_ctx *ctx);

/* ---- weights files: genome text, task, hash of the data, floats, checksum */
enum err weights_save(const char *path, const struct genome *g,
	const struct task_shape *task, const struct hash *data, const float *w,
	struct err_ctx *ctx);
/* *w is allocated; ERR_CORRUPT when the file is damaged, ERR_INVALID for another network. */
enum err weights_load(const char *path, const struct genome *g,
	const struct task_shape *task, const struct hash *data, float **w,
	struct err_ctx *ctx);

/* ---- a baseline to print beside every front: TF-IDF of word and character n-grams into
 * a linear classifier (intents; tags by a window of words); 4-grams of tokens
 * with Witten-Bell smoothing (lm). */
enum err baseline_train(struct corpus *c, uint64_t seed, struct quality *valid,
	struct quality *test, struct err_ctx *ctx);
/* "linear, TF-IDF" */
const char *baseline_name(enum task_kind kind);

/* The BLAS in use: "OpenBLAS 0.3.21, core Haswell". */
const char *train_blas_description(void);

#endif
