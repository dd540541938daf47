/* One training step: some networks ("lanes": one when training alone, four in a sandwich)
 * over the same sequences, each split into parts that workers run at the same time.
 *
 * The number of parts does not depend on the number of threads, random numbers are split by
 * (step, lane, part), and sums are taken in order, so neither the gradient nor anything else
 * depends on the threads.
 */
#ifndef HAWSER_TRAIN_STEP_H
#define HAWSER_TRAIN_STEP_H

#include "src/train/net.h"
#include "src/train/train.h"
#include "src/train/workers.h"

#define STEP_PARTS 2
#define STEP_MAX_LANES 4

struct lane {
	struct net net;
	const struct encoded *encoded;
	struct batch_mix mix; /* encodings in smaller vocabularies */
	real *w;    /* [n_floats] weights in use; owned */
	real *grad; /* [STEP_PARTS][n_floats]; the sum ends up in the first */
	size_t cap; /* floats that w and each grad hold */
	struct batch batch[STEP_PARTS];
	struct net_run run[STEP_PARTS];
	struct net_loss loss[STEP_PARTS];
};

struct step {
	struct workers *workers;
	struct lane lane[STEP_MAX_LANES];
	uint32_t n_lanes;
	uint32_t n_parts; /* of this step */
	struct rng rng;	  /* root; split per step */
	double dropout, word_dropout, subword_dropout, slot_weight, smoothing;
	double soft; /* share of lane 0's probabilities in the targets of the others */
	uint64_t index;
};

enum err step_init(struct step *s, const struct train_options *o, struct err_ctx *ctx);
void step_release(struct step *s);

/* Gives a lane its network: sizes its vectors. Contents of w are the caller's to fill. */
enum err lane_set(struct lane *l, struct corpus *c, const struct genome *g, struct err_ctx *ctx);

/* Forward and backward of all lanes over sequences index[0..n). Lane 0 first when others
 * learn from it. Gradients are in lane[i].grad. */
enum err step_run(struct step *s, const uint32_t *index, size_t n, struct err_ctx *ctx);
/* Mean loss of a lane in this step: intents + tags, or next tokens. */
double lane_loss(const struct step *s, uint32_t lane);

/* The sequences of step `at`: an endless row of permutations of 0..n-1, one an epoch. */
struct shuffler {
	struct rng rng;
	uint32_t *order; /* [n] of the epoch at hand; owned */
	size_t n;
	uint64_t epoch;
};
enum err shuffler_init(struct shuffler *s, size_t n, uint64_t seed, struct err_ctx *ctx);
void shuffler_release(struct shuffler *s);
void shuffler_take(struct shuffler *s, uint64_t first, size_t count, uint32_t *out);

/* Quantises a network's matrices as its genome says, in place (straight-through). */
enum err net_quantise(const struct net *net, real *w, struct err_ctx *ctx);

#endif
