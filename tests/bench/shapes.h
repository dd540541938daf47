/* The shapes that the core is held to, and what is wanted of it at each. Goals are ratios
 * and shares taken in one run, never times. */
#ifndef HAWSER_TESTS_BENCH_SHAPES_H
#define HAWSER_TESTS_BENCH_SHAPES_H

#include "src/model/genome.h"
#include "src/model/graph.h"

#define N_SHAPES 6
/* Goals of two threads over one: from the fourth shape up, and below it. */
#define TWO_THREADS_FROM 3
#define TWO_THREADS_TIMES 1.7
#define TWO_THREADS_LEAST 1.0
#define BENCH_VOCAB 8000
#define BENCH_CLASSES 4

enum precision { FP32, INT8, INT4, N_PRECISIONS };
extern const char *const precision_names[N_PRECISIONS];
extern const uint8_t precision_bits[N_PRECISIONS];

struct shape {
	const char *name; /* layers x d_model x heads x d_ff x seq */
	uint16_t n_layers, d_model, n_heads, d_ff, seq_len;
	double times_peer[N_PRECISIONS]; /* goal: times faster than ONNX Runtime */
	double share_int8;		 /* goal: share of the arithmetic bound */
};
extern const struct shape shapes[N_SHAPES];

/* Encoder, post-norm, exact GELU, learned positions, mean pool. */
enum err shape_genome(const struct shape *s, enum precision p, enum kernel_choice kernels,
	struct genome *out, struct err_ctx *ctx);

/* The decoder of the 15 M shape. */
#define DECODER_PREFILL 128
#define DECODER_STEPS 16
#define DECODER_VOCAB 32000
extern const double decoder_share[N_PRECISIONS]; /* goal: share of the bound */
#define DECODER_INT4_TIMES_INT8 1.4
#define DECODER_INT4_SIZE 0.58 /* at most, of the int8 model */
enum err decoder_genome(enum precision p, enum kernel_choice kernels, struct genome *out,
	struct err_ctx *ctx);

extern const struct task_shape encoder_task, decoder_task;

#endif
