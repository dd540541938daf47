/* Clocks. Monotonic only: the wall clock jumps, and appears in logs and nowhere else. */
#ifndef HAWSER_BASE_CLOCK_H
#define HAWSER_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void);
/* Seconds since 1970, for facts that people read. */
int64_t clock_unix_s(void);

#endif
