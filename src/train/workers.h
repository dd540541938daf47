/* A small pool of threads for the parts of one step. The calling thread works too, so one
 * thread means no pool at all. Tasks are claimed in order and may finish in any; whatever
 * they compute must not depend on who ran them. */
#ifndef HAWSER_TRAIN_WORKERS_H
#define HAWSER_TRAIN_WORKERS_H

#include <stdint.h>

#include "src/base/err.h"

struct workers;

enum err workers_new(struct workers **out, uint32_t n_threads, struct err_ctx *ctx);
void workers_free(struct workers *w);
/* Runs task(self, 0..n-1) and returns when all have ended. */
void workers_run(struct workers *w, uint32_t n, void (*task)(void *self, uint32_t i), void *self);

#endif
