/* Parts of the final stage that other files of src/eval and the exporter use. */
#ifndef HAWSER_EVAL_FINALS_H
#define HAWSER_EVAL_FINALS_H

#include "src/eval/session.h"

/* Where the trained weights of (candidate, seed) lie. */
void final_weights_path(const struct session *s, const struct genome *g, uint64_t seed,
	char *out, size_t cap);
/* Runs the test split through each finalist's build on every device, all at once, and stores
 * the quality of the answers that came back (method "device"). Devices that cannot (simulated)
 * and answers that are known are passed over. h[d]: [n], what device d said. */
enum err final_verify(struct session *s, const struct genome *g,
	const struct build_weights *weights, struct hardware *const *h, size_t n,
	struct err_ctx *ctx);

#endif
