/* From a candidate and its weights to a program for one target.
 *
 *   plan   lifetimes -> exact arena offsets            (plan.h)
 *   emit   C with constant shapes, packed weights,
 *          vocabulary, golden inputs and outputs       (emit.h)
 *   build  the target's compiler, sizes, cache         (this file)
 *
 * The generated folder:
 *   model.c       the network: one call per fused op, constant shapes, one static arena
 *   model.h       sizes and entry points (src/infer/model_api.h gives the contract)
 *   weights.bin, weights.S   packed weights, embedded with .incbin
 *   vocab.c       the tokeniser's tables and label names (absent for random weights)
 *   golden.c      inputs and expected outputs
 *   card.txt      "key: value" lines: candidate, task, MACs and the other graph costs,
 *                 bytes; also embedded in the image (the sim device reads it there)
 * Same input, same bytes. Compiles without a warning.
 */
#ifndef HAWSER_CODEGEN_CODEGEN_H
#define HAWSER_CODEGEN_CODEGEN_H

#include "src/base/err.h"
#include "src/base/hash.h"
#include "src/infer/labels.h"
#include "src/model/act_scales.h"
#include "src/model/artefact.h"
#include "src/model/genome.h"
#include "src/model/product.h"
#include "src/model/reference.h"
#include "src/model/task.h"

/* Bytes that a device has; 0: nothing is known. `window` holds all of an image that is
 * loaded into RAM, with its working memory. Of one that does not fit there, weights and
 * vocabulary lie in `place` bytes of flash from `place_base` on; 0: there is no such flash. */
struct memories {
	uint64_t flash, ram, window, place, place_base;
};

struct codegen_input {
	const struct genome *genome;
	struct task_shape task;
	struct tensor_source weights;
	struct hash weights_hash; /* names the weights in the build's key */
	/* For genomes with static scales: those of src/model/calibrate.h. NULL: they are
	 * calibrated on the golden inputs, which reads the weights before the key is known. */
	const struct act_scales *scales;
	/* Tokeniser tables, names of labels: the text that travels with the model.
	 * NULL when there are none (presets with random weights). Bytes of
	 * tokeniser_save (src/infer/tokenise.h's table format) and '\n'-joined names. */
	const uint8_t *vocab;
	size_t vocab_len;
	const char *intent_names; /* "AddToPlaylist\nBookRestaurant\n..." or NULL */
	const char *tag_names;
	const struct label_rules *rules; /* of the names; borrowed */
	/* Golden inputs: token ids, `n_golden` sequences one after another. */
	const int32_t *golden_ids;
	const uint32_t *golden_len;
	size_t n_golden;
	uint32_t timed_tokens; /* length of the input that RUN_TIME uses by default */
	/* Threads that the target gives a model (src/infer/team.h); 0: one. A model that is
	 * too small to gain has one, and the same image as without. */
	uint32_t n_threads;
	uint32_t split_rows; /* test hook: threads from so many rows on, at
			      * least two for each; 0: as pays */
	/* The fastest schedules on the target's device for `timed_tokens`, where they are
	 * known; others, and shapes that the model has not, are passed over. Borrowed. */
	const struct tuned *tuned;
	size_t n_tuned;
	struct memories memories; /* of the device that it is for */
	/* Test hook: compile this kernel file instead of the core's own (a path), to
	 * prove that a wrong answer is caught. NULL as a rule. */
	const char *broken_kernel;
};

struct target {
	const char *cc; /* "gcc"; "none": nothing is compiled, the image is card.txt */
	const char *cflags;  /* "-march=native" */
	const char *isa;     /* for KERNELS_OPT; "" */
	const char *harness; /* folder of the board's main: "linux", "mcu" */
};

/* Writes the generated folder (files above) to `dir`, which must exist. */
enum err codegen_emit(
	const struct codegen_input *in, const char *dir, struct err_ctx *ctx);

/* Emits, compiles and links, or finds the result in the cache below `cache_dir`.
 * `*hit` tells which. Safe to call from several threads and processes at once.
 * ERR_TOOL with the compiler's first error lines when it refuses; ERR_INVALID when
 * the candidate cannot be built at all; ERR_NO_FIT, mostly before anything is compiled, when
 * it is larger than the input's memories. */
enum err codegen_build(const struct codegen_input *in, const struct target *target,
	const char *cache_dir, struct artefact *out, int *hit, struct err_ctx *ctx);
/* Is the compiler there? ERR_TOOL names it and how to get it; gives its version line. */
enum err codegen_probe_compiler(
	const char *cc, char *version, size_t cap, struct err_ctx *ctx);
/* The shapes of the candidate's products in which schedules compete on the target, each
 * once: what tuning has to find out. */
enum err codegen_products(const struct codegen_input *in, const struct target *target,
	struct product out[PRODUCTS_MAX], size_t *n, struct err_ctx *ctx);
/* The program that times such shapes on the device (devices/PROTOCOL.md, "Tuning"); its
 * build changes with kernels, compiler and flags. ERR_UNSUPPORTED where nothing is
 * compiled. */
enum err codegen_tuner(const struct target *target, enum opt_level opt,
	const char *cache_dir, struct artefact *out, struct err_ctx *ctx);
/* A folder that compiles with one command (printed in its README) and classifies text
 * typed at it: generated files, the core's sources that it needs, a small main. */
enum err codegen_export(const struct codegen_input *in, const struct target *target,
	const char *dir, struct err_ctx *ctx);

/* Runs a program found on PATH, no shell; stdout and stderr (each at most 64 KiB) go to
 * buffers that may be NULL. ERR_TOOL with its last error line when it is missing, exits
 * non-zero or outlives `timeout_s`. */
struct buf;
enum err process_run_command(const char *const argv[], const char *cwd,
	unsigned timeout_s, struct buf *out, struct buf *err_out, struct err_ctx *ctx);

#endif
