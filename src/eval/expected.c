#include "src/eval/expected.h"

#include <math.h>

#include "src/base/stats.h"

double expected_latency(const struct expected *e)
{
	return e->n ? stats_median(e->ns, e->n) : NAN;
}

int expected_take(struct expected *e, double now, double factor)
{
	double before = expected_latency(e);
	size_t i;

	if (e->n && factor > 0 && now > factor * before)
		return 0;
	if (e->n && factor > 0 && now * factor < before)
		e->n = 0;
	if (e->n == STORE_HEALTH_CHECKS) {
		if (now >= e->ns[e->n - 1])
			return 1;
		e->n--;
	}
	for (i = e->n++; i > 0 && e->ns[i - 1] > now; i--)
		e->ns[i] = e->ns[i - 1];
	e->ns[i] = now;
	return 1;
}
