/* A model on several threads: every thread runs the whole network on its own rows, and
 * waits for the others only where it reads theirs (keys and values). Rows do not touch
 * each other elsewhere, so the outputs have the bits that one thread gives.
 *
 * For hosted targets: the core itself knows nothing of threads. team_threads is the
 * generated program's constant; team/<system>.c starts the others before main, each on a
 * processor of its own where there is one. A thread that waits spins, for tens of
 * microseconds between runs and some hundred inside one, and then sleeps: between input
 * and output the system is called only to sleep and to wake sleepers.
 *
 * One caller at a time, as of model_run. Errors: when threads cannot be started the
 * program ends with a message before main.
 */
#ifndef HAWSER_INFER_TEAM_H
#define HAWSER_INFER_TEAM_H

#include <stdint.h>

extern const uint32_t team_threads; /* with the caller's; 2 .. TEAM_MAX */
#define TEAM_MAX 16

/* Runs part(self, 0) here and part(self, 1 ..) on the others, and waits for all. */
void team_run(void (*part)(const void *self, uint32_t worker), const void *self);
/* Inside a part: goes on when every worker has come here. */
void team_wait(void);

/* Where worker w's rows of n begin; those of the next begin where they end. */
static inline uint32_t team_first(uint32_t n, uint32_t w, uint32_t workers)
{
	return (uint32_t)((uint64_t)n * w / workers);
}

#endif
