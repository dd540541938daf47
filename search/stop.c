#include "search/stop.h"

/* Growth below this share is the noise of measuring. */
#define GROWTH 1e-3

const char *stop_reason(const struct stop_watch *w, const struct search_options *o,
	size_t n, uint32_t n_done)
{
	if (o->max_candidates && n >= o->max_candidates)
		return "candidates";
	if (o->max_generations && n_done >= o->max_generations)
		return "generations";
	if (o->patience && w->stale >= o->patience)
		return "patience";
	return NULL;
}

void stop_note(struct stop_watch *w, double hv)
{
	if (hv > w->best * (1 + GROWTH)) {
		w->best = hv;
		w->stale = 0;
	} else {
		w->stale++;
	}
}
