#include "src/train/slices.h"

#include <stdlib.h>
#include <string.h>

#include "src/train/hot.h"

void slices_init(struct slices *s)
{
	memset(s, 0, sizeof(*s));
}

void slices_release(struct slices *s)
{
	free(s->s);
	free(s->map);
	slices_init(s);
}

static enum err append(struct slices *s, struct slice x, struct err_ctx *ctx)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 1024;
		struct slice *p = realloc(s->s, cap * sizeof(*p));

		if (!p)
			return err_set(ctx, ERR_NOMEM, "out of memory for slices");
		s->s = p;
		s->cap = cap;
	}
	s->s[s->n++] = x;
	return ERR_OK;
}

enum err slices_make(struct slices *s, const struct layout *sub,
	const struct layout *super, struct err_ctx *ctx)
{
	enum err err;

	if (sub->n_floats > s->map_cap) {
		free(s->map);
		s->map_cap = 0;
		s->map = malloc(sub->n_floats * sizeof(*s->map));
		if (!s->map)
			return err_set(ctx, ERR_NOMEM, "out of memory for a weights map");
		s->map_cap = sub->n_floats;
	}
	s->n = 0;
	err = weights_map(sub, super, s->map, ctx);
	for (size_t i = 0; !err && i < sub->n_floats;) {
		struct slice x = {(uint32_t)i, s->map[i], 1};

		for (i++; i < sub->n_floats && s->map[i] == x.super + x.n; i++)
			x.n++;
		err = append(s, x, ctx);
	}
	return err;
}

void slices_gather(const struct slices *s, const real *super, real *sub)
{
	for (size_t i = 0; i < s->n; i++)
		memcpy(sub + s->s[i].sub, super + s->s[i].super,
			s->s[i].n * sizeof(*sub));
}

HOT void slices_add(const struct slices *s, const real *sub, real *super)
{
	for (size_t i = 0; i < s->n; i++) {
		const real *from = sub + s->s[i].sub;
		real *to = super + s->s[i].super;
		size_t n = s->s[i].n;

		for (size_t j = 0; j < n; j++)
			to[j] += from[j];
	}
}
