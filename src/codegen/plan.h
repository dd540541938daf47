/* Where intermediate buffers lie in the arena: lifetimes in, exact offsets out.
 *
 * Time is the index of a step. A buffer lives from its first to its last step, both
 * included; buffers that live at the same time never overlap. Best fit: buffers are
 * placed one after another into the tightest gap that their lifetime leaves; three orders
 * (longest lived, largest, first used) are tried and the smallest arena wins. The arena
 * is never larger than the sum of the (rounded) sizes. No optimum is promised: the
 * problem is NP-hard.
 *
 * Memory: caller's. Errors: only ERR_NOMEM. No state.
 */
#ifndef HAWSER_CODEGEN_PLAN_H
#define HAWSER_CODEGEN_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

#define PLAN_ALIGN 16 /* bytes: offsets and sizes are multiples of it */

struct plan_buffer {
	uint64_t bytes;	      /* > 0 */
	uint32_t first, last; /* steps; first <= last */
	uint64_t offset;      /* out */
};

/* Fills every offset; *arena_bytes is the end of the highest buffer. */
enum err plan_place(
	struct plan_buffer *b, size_t n, uint64_t *arena_bytes, struct err_ctx *ctx);

#endif
