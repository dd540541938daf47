#include "src/codegen/plan.h"

#include <stdlib.h>
#include <string.h>

enum { BY_LIFE, BY_SIZE, BY_START, N_ORDERS };

static uint64_t rounded(uint64_t bytes)
{
	return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

static int goes_first(const struct plan_buffer *a, const struct plan_buffer *b, int order)
{
	uint32_t life_a = a->last - a->first, life_b = b->last - b->first;

	if (order == BY_LIFE && life_a != life_b)
		return life_a > life_b;
	if (order != BY_START && a->bytes != b->bytes)
		return a->bytes > b->bytes;
	if (a->first != b->first)
		return a->first < b->first;
	return a->bytes > b->bytes;
}

/* Insertion sort of indices: stable, and n is a few hundred. */
static void sort_indices(const struct plan_buffer *b, size_t n, int order, size_t *index)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		for (; at > 0 && goes_first(&b[i], &b[index[at - 1]], order); at--)
			index[at] = index[at - 1];
		index[at] = i;
	}
}

static int live_together(const struct plan_buffer *a, const struct plan_buffer *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* The tightest gap between the placed buffers that live at the same time as `b`; `placed`
 * is sorted by offset. */
static uint64_t best_offset(const struct plan_buffer *all, const size_t *placed,
	size_t n_placed, const uint64_t *offset, const struct plan_buffer *b)
{
	uint64_t end = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
	uint64_t need = rounded(b->bytes);

	for (size_t i = 0; i < n_placed; i++) {
		const struct plan_buffer *o = &all[placed[i]];
		uint64_t from = offset[placed[i]];

		if (!live_together(o, b))
			continue;
		if (from > end && from - end >= need && from - end < best_gap) {
			best = end;
			best_gap = from - end;
		}
		if (from + rounded(o->bytes) > end)
			end = from + rounded(o->bytes);
	}
	return best == UINT64_MAX ? end : best;
}

static uint64_t place_in_order(const struct plan_buffer *b, size_t n, const size_t *index,
	size_t *placed, uint64_t *offset)
{
	uint64_t arena = 0;

	for (size_t i = 0; i < n; i++) {
		size_t which = index[i], at = i;
		uint64_t end;

		offset[which] = best_offset(b, placed, i, offset, &b[which]);
		end = offset[which] + rounded(b[which].bytes);
		arena = end > arena ? end : arena;
		for (; at > 0 && offset[placed[at - 1]] > offset[which]; at--)
			placed[at] = placed[at - 1];
		placed[at] = which;
	}
	return arena;
}

enum err plan_place(
	struct plan_buffer *b, size_t n, uint64_t *arena_bytes, struct err_ctx *ctx)
{
	size_t *index = calloc(n + 1, 2 * sizeof(*index));
	uint64_t *offset = calloc(n + 1, sizeof(*offset));
	uint64_t best = UINT64_MAX;

	if (!index || !offset) {
		free(index);
		free(offset);
		return err_set(ctx, ERR_NOMEM, "out of memory");
	}
	for (int order = 0; order < N_ORDERS; order++) {
		uint64_t arena;

		sort_indices(b, n, order, index);
		arena = place_in_order(b, n, index, index + n, offset);
		if (arena >= best)
			continue;
		best = arena;
		for (size_t i = 0; i < n; i++)
			b[i].offset = offset[i];
	}
	free(index);
	free(offset);
	*arena_bytes = best;
	return ERR_OK;
}
