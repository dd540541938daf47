/* Progress of long work: one live line on a terminal, plain lines in a log.
 *
 * On a terminal the line is redrawn in place at most ten times a second; elsewhere a
 * plain line is written at most every `log_every_s` seconds and at the end. The only part
 * of Hawser besides src/cli that writes to the user's terminal, and it is handed the
 * stream. Safe to call from several threads.
 */
#ifndef HAWSER_BASE_PROGRESS_H
#define HAWSER_BASE_PROGRESS_H

#include <stdio.h>
#include <stdint.h>

struct progress;

/* `out` is borrowed (stderr as a rule); NULL makes a silent one. Never fails: NULL is a
 * valid, silent progress everywhere. */
struct progress *progress_new(FILE *out, double log_every_s);
void progress_free(struct progress *p);
/* Starts a task: total in units (0: unknown). Ends the one before. */
void progress_begin(struct progress *p, const char *task, uint64_t total);
/* Sets done units and a short note ("loss 1.23  f1 81.2"); prints bar, share and ETA. */
void progress_update(struct progress *p, uint64_t done, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends the task with a closing note. */
void progress_end(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A line of its own above the live line. */
void progress_say(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
