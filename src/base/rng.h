/* Seeded random numbers: xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64.
 *
 * A generator is passed, never global, and split by purpose, so that a new consumer
 * does not shift the numbers of the others. Same seed, same numbers, on every machine.
 */
#ifndef HAWSER_BASE_RNG_H
#define HAWSER_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
/* A generator of its own for (this generator's seed state, purpose, index); `parent`
 * is not advanced. */
void rng_split(
	const struct rng *parent, const char *purpose, uint64_t index, struct rng *child);
uint64_t rng_u64(struct rng *r);
/* Uniform in 0..n-1 without bias; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Uniform in [0, 1). */
double rng_unit(struct rng *r);
/* Standard normal (polar method, no cached second value). */
double rng_normal(struct rng *r);
/* Fisher-Yates on an array of indices. */
void rng_shuffle(struct rng *r, uint32_t *items, size_t n);

#endif
