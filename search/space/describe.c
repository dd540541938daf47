#include "search/space/gene.h"

#include <string.h>

void space_describe(const struct space *s, struct buf *out)
{
	char text[METRIC_NAME_MAX];

	for (int id = 0; id < N_GENES; id++) {
		const struct choices *c = &s->c[id];

		buf_printf(out, "  %-12s%c", genes[id].name,
			gene_per_layer((enum gene_id)id) ? '*' : ' ');
		for (size_t i = 0; i < c->n; i++) {
			gene_write((enum gene_id)id, c->v[i], text, sizeof(text));
			buf_printf(out, " %s", text);
		}
		buf_putc(out, '\n');
	}
	for (size_t i = 0; i < s->n_limits; i++) {
		objective_format(&s->limits[i].what, text, sizeof(text));
		buf_printf(out, "  limit         %s %s %g\n", text, s->limits[i].op,
			s->limits[i].bound);
	}
}
