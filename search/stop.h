/* When a search ends: every rule stands in stop.c. */
#ifndef HAWSER_SEARCH_STOP_H
#define HAWSER_SEARCH_STOP_H

#include "search/search.h"

struct stop_watch {
	double best;	/* hypervolume */
	uint32_t stale; /* generations since it grew */
};

/* Why the search ends after `n_done` generations with n candidates; NULL: it goes on. */
const char *stop_reason(const struct stop_watch *w, const struct search_options *o,
	size_t n, uint32_t n_done);
/* After a generation. `hv` may be NAN (nothing feasible yet): no growth. */
void stop_note(struct stop_watch *w, double hv);

#endif
