/* One thing that is timed, and how it is asked: an image of ours, a graph of the peer, a
 * loop in this process. */
#ifndef HAWSER_TESTS_BENCH_ENGINE_H
#define HAWSER_TESTS_BENCH_ENGINE_H

#include "src/model/artefact.h"
#include "tests/bench/bench.h"
#include "tests/bench/rates.h"
#include "tests/bench/sample.h"
#include "tests/bench/shapes.h"
#include "tests/bench/worker.h"

#define MAX_ENGINES 40

enum engine_kind {
	ENGINE_OURS,
	ENGINE_PEER,
	ENGINE_LOOP,	/* calls a function of this process */
	ENGINE_RATE,	/* ns for a million multiply-adds at peak */
	ENGINE_READING, /* an image of ours that only reads its weights */
};

struct engine {
	char name[64]; /* "int8 x86-avx2", "ort int8-fused", "peak dot512" */
	enum engine_kind kind;
	enum precision precision;
	char remark[200]; /* what it is, or why it is absent */
	int absent;
	/* ENGINE_OURS */
	const struct set_choice *set;
	struct artefact artefact;
	uint32_t threads; /* 0: one */
	double golden_error, golden_tolerance;
	/* largest |difference| of its logits from our own portable fp32's; NAN when
	 * not compared */
	double difference;
	/* ENGINE_OURS and ENGINE_PEER */
	char verb[32];	/* "time", "steps", "int8-dyn time" */
	unsigned inner; /* runs a sample; 0: as many as fill 100 microseconds */
	uint32_t tokens;
	/* ENGINE_LOOP */
	void (*loop)(void *self);
	void *self;
	/* ENGINE_RATE; ENGINE_READING */
	const struct rate *rate;
	size_t read_bytes;

	unsigned every;	      /* runs in every n-th round: slow references sit some out */
	double run_ns;	      /* one run, as first seen */
	struct series series; /* ns a run */
};

/* A few runs, to know how many fit a slice. `w` is NULL for what runs in this process. */
enum err engine_calibrate(
	struct engine *e, struct worker *w, const struct options *o, struct err_ctx *ctx);
/* One slice, kept as the round's. */
enum err engine_run(struct engine *e, struct worker *w, const struct options *o,
	size_t round, struct err_ctx *ctx);
void engine_absent(struct engine *e, const char *why);

/* The next of the list, with a name; NULL when it is full. */
struct engine *engine_add(struct engine *all, unsigned *n, enum engine_kind kind,
	enum precision p, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* By name; NULL when it is not there, or absent. */
const struct engine *engine_find(const struct engine *all, unsigned n, const char *name);
/* "int8 x86-avx2 static" has static scales of activations. */
#define STATIC_SUFFIX " static"
/* Ours by kernel set; NULL when absent. */
const struct engine *engine_ours(const struct engine *all, unsigned n,
	const struct set_choice *set, enum precision p, enum scale_choice scales);
/* The faster of two by their medians; either may be NULL. */
const struct engine *engine_faster(
	const struct engine *a, const struct engine *b, enum bench_clock clock);
/* Wall time when every engine, the portable kernels aside, has it in at least half of its
 * rounds; else CPU time. */
enum bench_clock engine_clock(const struct engine *all, unsigned n);

/* ---- images of ours (image.c) */

/* Builds a genome with the bench's harness, or finds it; the golden input has `tokens`
 * random ids. */
enum err image_build(struct engine *e, const struct genome *g,
	const struct task_shape *task, const struct options *o, struct err_ctx *ctx);
/* Starts it and checks its golden answers. */
enum err image_start(struct engine *e, struct worker *w, struct err_ctx *ctx);
/* Writes the weights, shape and ids of an encoder for ort_peer.py. */
enum err image_export(const struct genome *g, const struct shape *s, const char *dir,
	struct err_ctx *ctx);

#endif
