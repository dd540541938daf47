/* Evaluation of a network that training has in hand. Private to training; the public face is
 * in train.h. */
#ifndef HAWSER_TRAIN_QUALITY_H
#define HAWSER_TRAIN_QUALITY_H

#include "src/train/net.h"
#include "src/train/train.h"

/* As quality_evaluate, with the weights as they are. */
enum err quality_of_net(struct corpus *c, const struct net *net, const real *w,
	enum split split, struct quality *out, struct err_ctx *ctx);
/* As quality_from_predictions, with running out of memory told. */
enum err quality_count(const struct encoded *e, const struct label_rules *r,
	const int16_t *intent, const int16_t *tags, struct quality *out, struct err_ctx *ctx);
/* "f1 89.1", "acc 97.2" or "ppl 6.1": what a progress line shows. */
void quality_brief(const struct quality *q, enum task_kind kind, char *out, size_t cap);

#endif
