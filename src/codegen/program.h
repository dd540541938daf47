/* A network as the generated program runs it: fused steps over buffers.
 *
 * Lowered from the definition in src/model/graph.h: bias and residual are part of a
 * linear step, activations are quantised once for all products that read them, in place
 * where the floats are not needed again. tests/unit/test_codegen_plan.c holds it against
 * graph_init.
 *
 * A stateful program (decoder of a language model) runs its input in chunks of at most
 * PROGRAM_CHUNK tokens, so that its arena does not grow with the context: only keys,
 * values and convolution inputs stay, in the state. All others run the whole input at
 * once.
 */
#ifndef HAWSER_CODEGEN_PROGRAM_H
#define HAWSER_CODEGEN_PROGRAM_H

#include "src/base/err.h"
#include "src/codegen/kernel_sets.h"
#include "src/codegen/plan.h"
#include "src/model/act_scales.h"
#include "src/model/genome.h"
#include "src/model/product.h"
#include "src/model/task.h"
#include "src/model/weights.h"

#define PROGRAM_CHUNK 32
#define PROGRAM_MAX_STEPS (24 + 20 * GENOME_MAX_LAYERS)
#define PROGRAM_MAX_BUFFERS (24 + 20 * GENOME_MAX_LAYERS)

enum step_kind {
	STEP_EMBED,	  /* ids -> dst */
	STEP_POS,	  /* dst += positions */
	STEP_QUANT,	  /* src -> q (int8) and scale; act first when it is not 0 */
	STEP_LINEAR,	  /* src (and scale) -> dst, + add when >= 0; or to q */
	STEP_LINEAR_BACK, /* src w -> dst, one token */
	STEP_NORM,	  /* src -> dst, and to q and scale when it quantises too */
	STEP_CONV,
	STEP_KEEP,	/* src -> dst, keys or values as the gene kv says (and scale) */
	STEP_ATTENTION, /* src = q, k, v -> dst, scratch row */
	STEP_ACT,	/* dst in place */
	STEP_POOL,
	N_STEP_KINDS
};

/* Which rows a step works on. */
enum step_rows { ROWS_ALL, ROWS_ONE, ROWS_LAST };

enum buffer_place {
	PLACE_ARENA,
	PLACE_STATE, /* kept between calls; the step writes behind the cached rows */
};

struct buffer {
	char name[40];	   /* unique, an identifier */
	uint8_t place;	   /* enum buffer_place */
	uint8_t is_output; /* lives to the end */
	uint8_t in_block;  /* 1: has the rows of a block only */
	uint32_t width;	   /* of a row */
	uint64_t bytes;
	uint32_t first, last; /* steps */
	uint64_t offset;      /* in the arena or the state */
};

#define NO_BUFFER (-1)

struct step {
	uint8_t kind;  /* enum step_kind */
	uint8_t rows;  /* enum step_rows: of src; dst has as many, or one */
	uint8_t block; /* not 0: belongs to a run of steps, all with this number, that is
			* repeated for one block of rows after the other */
	int16_t layer;
	uint8_t act; /* 1 + enum act when a product or a quantisation applies it */
	/* 1 + enum quant_point where integers have a static scale, and then no buffer of
	 * scales: of what the step leaves in q, of what a product reads. Else 0. */
	uint8_t q_point, src_point;
	int16_t q_layer; /* of q_point: a norm belongs to the layer below its reader's */
	const struct tensor *weight, *bias;	/* in the program's layout, or NULL */
	int src, dst, q, scale, add, k, v, row; /* buffers, or NO_BUFFER */
	int k_scale, v_scale;			/* of STEP_ATTENTION on int8 */
};

struct program {
	const struct genome *genome; /* borrowed */
	struct task_shape task;
	int stateful, causal;
	int is_integer; /* without floating point: its kernels are src/infer/integer */
	uint32_t chunk; /* tokens of one forward pass, at most */
	size_t n_steps, n_buffers, n_forward; /* steps before n_forward run for each
						 chunk, the rest once at the end */
	struct step step[PROGRAM_MAX_STEPS];
	struct buffer buffer[PROGRAM_MAX_BUFFERS];
	int intent, tags, lm; /* output buffers, or NO_BUFFER */
	uint64_t arena_bytes, state_bytes;
	const struct kernel_set *set;
	/* Several threads, each on its own rows of a pass; they meet before steps that read
	 * the rows of others. What is too small for that, below split_rows, one runs. */
	uint32_t threads, split_rows; /* split_rows 0: never */
	uint32_t block_rows;	      /* of blocks */
	struct layout layout;
	uint8_t in_panels[LAYOUT_MAX_TENSORS]; /* of the layout's: packed in panels */
	/* Tensors stored as one, row after row: 1 + the index of the next part, or 0; and
	 * whether a tensor is such a later part. */
	uint16_t next_part[LAYOUT_MAX_TENSORS];
	uint8_t is_part[LAYOUT_MAX_TENSORS];
};

/* Checks genome and task, lowers, plans. Large: the struct is made here, freed by
 * program_free. */
enum err program_new(struct program **out, const struct genome *g,
	const struct task_shape *task, struct err_ctx *ctx);
/* The same for a set of kernels, which decides what is fused and which matrices lie in
 * panels; program_new is for the portable one. */
enum err program_new_for(struct program **out, const struct genome *g,
	const struct task_shape *task, const struct kernel_set *set, struct err_ctx *ctx);
/* The same for several threads. */
struct program_threads {
	uint32_t n;	    /* 1 .. TEAM_MAX */
	uint32_t from_rows; /* a test's split_rows; 0: by what is worth it */
};
enum err program_new_threads(struct program **out, const struct genome *g,
	const struct task_shape *task, const struct kernel_set *set,
	struct program_threads threads, struct err_ctx *ctx);
void program_free(struct program *p); /* NULL is allowed */
/* The part of program_new in lower.c: steps and buffers of a program whose genome, task,
 * set, layout and threads are known. */
void program_lower(struct program *p);
/* Is the step left to one thread, as it writes what depends on others' rows? And do the
 * threads meet before step i? */
int step_is_alone(const struct program *p, const struct step *s);
int program_meets(const struct program *p, size_t i);
/* Rows of a tensor as stored: with those of its later parts, 0 for a part itself. */
uint32_t program_rows(const struct program *p, const struct tensor *t);
/* The kernel that a step calls: "linear_i8". */
const char *step_kernel(const struct program *p, const struct step *s);
/* Every kernel that the program calls, once, in order of first use; NULL-terminated. */
#define PROGRAM_MAX_KERNELS 32
void program_kernels(const struct program *p, const char *out[PROGRAM_MAX_KERNELS]);

/* The shapes of its products where schedules compete, each once, when an input of `tokens`
 * tokens (0: the longest) is run. products.c */
size_t program_products(
	const struct program *p, uint32_t tokens, struct product out[PRODUCTS_MAX]);
/* The schedule of the product with this matrix; SCHEDULE_EVEN where `tuned` has none. */
uint8_t program_schedule(const struct program *p, const struct tensor *weight,
	uint32_t tokens, const struct tuned *tuned, size_t n_tuned);

#endif
