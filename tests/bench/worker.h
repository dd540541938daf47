/* A program that is asked for timed runs, a line at a time: an image of ours with
 * tests/bench/harness, or tests/bench/ort_peer.py. */
#ifndef HAWSER_TESTS_BENCH_WORKER_H
#define HAWSER_TESTS_BENCH_WORKER_H

#include "src/base/buf.h"
#include "src/base/err.h"

struct worker {
	struct transport *t; /* NULL: not running */
	struct buf answer;   /* the last line, without its end */
};

/* `argv` as for transport_pipe_open; `w` holds nothing. */
enum err worker_start(struct worker *w, const char *const argv[], struct err_ctx *ctx);
/* Sends a request and waits for its line. The answer lives until the next call.
 * ERR_TOOL when it is "error ...". */
enum err worker_ask(struct worker *w, const char *request, int timeout_ms,
	const char **answer, struct err_ctx *ctx);
void worker_stop(struct worker *w); /* also one that never ran */

#endif
