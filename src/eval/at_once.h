/* A step of a job that all its devices take at once, each in a thread of its own: none waits
 * for another, and one that is lost is waited for (session_may_repeat) while the others go on.
 *
 * Threads: the step runs in several; it holds the session's lock for what is not of its
 * device alone.
 */
#ifndef HAWSER_EVAL_AT_ONCE_H
#define HAWSER_EVAL_AT_ONCE_H

#include "src/eval/session.h"

struct at_once {
	struct session *s;
	/* For the progress line: "measure", "builds done". */
	const char *task, *what;
	/* Does what is left of n_all[device], telling at_once_did of each thing, or fails; is
	 * called again after a device came back. */
	enum err (*step)(void *self, size_t device, struct err_ctx *ctx);
	void *self;
	size_t n_all[SESSION_MAX_DEVICES]; /* things to do; 0: the step is not taken there */
	size_t n_done[SESSION_MAX_DEVICES];
	int lone_shows; /* a device that is busy alone shows its progress itself */
	size_t n_busy;	/* set by at_once_run: devices with something to do */
};

/* Every device to its end, also when another fails; then the first fault by device. */
enum err at_once_run(struct at_once *a, struct err_ctx *ctx);
/* For a step that shows its own progress, as a lone one may; else NULL. */
struct progress *at_once_progress(const struct at_once *a);
/* One thing more is done on a device. Takes the lock. */
void at_once_did(struct at_once *a, size_t device);

#endif
