#include "tests/bench/worker.h"

#include <string.h>

#include "devices/transport/transport.h"

#define ANSWER_LIMIT (1u << 20)

enum err worker_start(struct worker *w, const char *const argv[], struct err_ctx *ctx)
{
	buf_init(&w->answer);
	return transport_pipe_open(&w->t, argv, ctx);
}

enum err worker_ask(struct worker *w, const char *request, int timeout_ms,
	const char **answer, struct err_ctx *ctx)
{
	struct buf *a = &w->answer;
	char part[4096], line[300];
	enum err e;
	size_t n;

	if (!w->t)
		return err_set(ctx, ERR_LINK, "the engine does not run");
	n = strlen(request);
	if (n + 1 >= sizeof(line))
		return err_set(ctx, ERR_INVALID, "the request is too long");
	memcpy(line, request, n);
	line[n++] = '\n';
	buf_reset(a);
	e = w->t->ops->write(w->t, line, n, timeout_ms, ctx);
	while (!e && (!a->len || a->data[a->len - 1] != '\n')) {
		e = w->t->ops->read(w->t, part, sizeof(part), timeout_ms, &n, ctx);
		if (e)
			break;
		buf_append(a, part, n);
		if (a->len > ANSWER_LIMIT)
			e = err_set(ctx, ERR_LINK, "an endless answer");
		else
			e = buf_err(a, ctx);
	}
	if (e)
		return e;
	a->data[--a->len] = 0;
	*answer = a->data;
	if (!strncmp(a->data, "error", 5))
		return err_set(ctx, ERR_TOOL, "%.200s", a->data);
	return ERR_OK;
}

void worker_stop(struct worker *w)
{
	if (!w->t)
		return;
	w->t->ops->close(w->t);
	w->t = NULL;
	buf_release(&w->answer);
}
