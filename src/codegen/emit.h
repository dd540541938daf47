/* The texts of a generated folder (src/codegen/codegen.h lists the files).
 *
 * Everything but the golden values and weights.bin is made without reading a weight, so
 * that a build's key costs no more than printing. Same input, same bytes: no dates, paths
 * or addresses; floats in full precision.
 */
#ifndef HAWSER_CODEGEN_EMIT_H
#define HAWSER_CODEGEN_EMIT_H

#include "src/base/buf.h"
#include "src/codegen/codegen.h"
#include "src/codegen/pack.h"
#include "src/codegen/program.h"

/* Raised when packing, golden values or the core's contract change without a change of
 * the generated text: part of every build's key. */
#define EMIT_VERSION 4

#define CARD_BEGIN "HAWSER-CARD-BEGIN\n"
#define CARD_END "HAWSER-CARD-END\n"

struct generated {
	struct buf model_c, model_h, vocab_c, weights_s, card;
	uint64_t weight_bytes; /* of weights.bin */
};

/* Checks the input, then makes all texts. `out` is initialised here; released by the caller, also after a failure. */
enum err emit_texts(const struct codegen_input *in, const struct program *p,
	struct generated *out, struct err_ctx *ctx);
void generated_release(struct generated *g);

/* `in` as it is, or in `own` with `scales`, calibrated on the golden inputs, when the genome
 * wants some and `in` brings none. What `in` points to is borrowed. */
enum err codegen_calibrated(const struct codegen_input *in, struct codegen_input *own,
	struct act_scales *scales, struct err_ctx *ctx);
/* The program of `in` for the kernels that `target` and the candidate choose. */
enum err codegen_program(struct program **out, const struct codegen_input *in,
	const struct target *target, struct err_ctx *ctx);

/* The parts. */
void emit_model(const struct codegen_input *in, const struct program *p, struct buf *out);
void emit_header(
	const struct codegen_input *in, const struct program *p, struct buf *out);
void emit_vocab(const struct codegen_input *in, struct buf *out);
void emit_card(const struct codegen_input *in, const struct program *p,
	uint64_t weight_bytes, struct buf *out);
/* golden.c: runs the reference on every golden input. `card` is embedded. */
enum err emit_golden(const struct codegen_input *in, const struct program *p,
	const char *card, struct buf *out, struct err_ctx *ctx);
/* A C string literal of `s`, quotes included. */
void emit_string(const char *s, size_t len, struct buf *out);
/* Writes the texts, golden.c and weights.bin. */
enum err emit_folder(const struct codegen_input *in, const struct program *p,
	const struct generated *gen, const char *dir, struct err_ctx *ctx);

#endif
