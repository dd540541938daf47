/* What the tokeniser's tests share: a table learnt from a data set, and one by hand. */
#ifndef HAWSER_TESTS_UNIT_TOKENISE_FIXTURE_H
#define HAWSER_TESTS_UNIT_TOKENISE_FIXTURE_H

#include <stdint.h>

#include "src/infer/tokenise.h"
#include "src/train/dataset.h"

static struct dataset home;
static struct tokeniser_table *table; /* of home */

static inline int setup(void **state)
{
	struct err_ctx ctx = {{0}};

	(void)state;
	if (dataset_open(&home, "builtin:home?seed=3&n=1500", NULL, &ctx))
		return -1;
	return tokeniser_train(&home, 900, &table, &ctx);
}

static inline int teardown(void **state)
{
	(void)state;
	tokeniser_free(table);
	dataset_release(&home);
	return 0;
}

/* A table by hand: " " 3, "a" 4, "b" 5, "c" 6; 7 = ab, 8 = " ab", 9 = ab + c */
static const uint8_t hand_bytes[] = {' ', 'a', 'b', 'c'};
static const uint16_t hand_merges[] = {4, 5, 3, 7, 7, 6};
static const struct tokeniser_table hand = {10, 4, 3, hand_bytes, hand_merges};

#endif
