/* Random valid genomes with everything that a build of them needs: every gene, odd widths,
 * single rows and columns, layers of different precision. Genome i of a seed is the same
 * however many are drawn, so a fault is found again by its number.
 */
#ifndef HAWSER_TESTS_FUZZ_GENOME_DRAW_H
#define HAWSER_TESTS_FUZZ_GENOME_DRAW_H

#include "search/space/space.h"
#include "src/codegen/codegen.h"

#define DRAW_MAX_TOKENS 80
#define DRAW_N_GOLDEN 3

struct drawn {
	uint32_t index;
	struct genome genome;
	struct random_weights random;
	int32_t ids[DRAW_N_GOLDEN * DRAW_MAX_TOKENS];
	uint32_t len[DRAW_N_GOLDEN];
	struct codegen_input in; /* points into this struct: it must not be copied */
};

/* Spaces of encoders and of decoders to draw from. */
struct draw_spaces {
	struct space *space[2];
};
enum err draw_spaces_open(struct draw_spaces *s, struct err_ctx *ctx);
void draw_spaces_close(struct draw_spaces *s);

/* Genome `index` of `seed`; `d` must stay where it is. */
void draw_genome(
	struct drawn *d, const struct draw_spaces *s, uint64_t seed, uint32_t index);
/* "genome 17 (classify, 3 intents, 0 tags): enc;v=..." */
void draw_describe(const struct drawn *d, struct buf *out);

#endif
