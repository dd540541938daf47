/* The products of a program and their schedules. */
#include "src/codegen/program.h"
#include "src/infer/kernels.h"

/* An encoder runs the timed input at once, a stateful program a chunk of it. */
static struct product shape_of(
	const struct program *p, const struct step *s, uint32_t tokens)
{
	uint32_t n = tokens && tokens < p->chunk ? tokens : p->chunk;

	return (struct product){s->weight->bits, s->rows == ROWS_ALL ? n : 1,
		s->weight->cols, program_rows(p, s->weight)};
}

/* One row can be cut in one way only. */
static int competes(const struct program *p, const struct product *shape)
{
	return shape->n > 1 && kernel_set_schedules(p->set, shape->bits) > 1;
}

size_t program_products(
	const struct program *p, uint32_t tokens, struct product out[PRODUCTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++) {
		struct product shape;
		size_t j = 0;

		if (p->step[i].kind != STEP_LINEAR)
			continue;
		shape = shape_of(p, &p->step[i], tokens);
		while (j < n && !product_equal(&out[j], &shape))
			j++;
		if (j == n && competes(p, &shape))
			out[n++] = shape;
	}
	return n;
}

/* The tied embedding's table may be printed by the look-up, but it is a product that
 * reads the schedule. */
uint8_t program_schedule(const struct program *p, const struct tensor *weight,
	uint32_t tokens, const struct tuned *tuned, size_t n_tuned)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		struct product shape;

		if (p->step[i].kind != STEP_LINEAR || p->step[i].weight != weight)
			continue;
		shape = shape_of(p, &p->step[i], tokens);
		for (size_t j = 0; j < n_tuned && competes(p, &shape); j++)
			if (product_equal(&tuned[j].shape, &shape) &&
				tuned[j].schedule <
					kernel_set_schedules(p->set, shape.bits))
				return tuned[j].schedule;
		return SCHEDULE_EVEN;
	}
	return SCHEDULE_EVEN;
}
