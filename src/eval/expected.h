/* How fast a known build is expected to be on a device: learnt from sound checks.
 *
 * The best few checks are kept, and their median is what is expected: one slow moment does
 * not count for long, wherever among the first it was. A device may be faster than ever; when
 * that is more than the factor between sound and unsound, what was known is forgotten.
 *
 * Times in ns, positive. Pure functions.
 */
#ifndef HAWSER_EVAL_EXPECTED_H
#define HAWSER_EVAL_EXPECTED_H

#include "src/store/store.h"

struct expected {
	double ns[STORE_HEALTH_CHECKS]; /* ascending */
	size_t n;
};

/* NAN: nothing is known. */
double expected_latency(const struct expected *e);
/* Is a check that took `now` sound? Then it is learnt from. factor 0: any is. */
int expected_take(struct expected *e, double now, double factor);

#endif
