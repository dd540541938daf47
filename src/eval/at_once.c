#include "src/eval/at_once.h"

#include <stdio.h>

#include "src/eval/parallel.h"

#define NAMES_BYTES (SESSION_MAX_DEVICES * (METRIC_NAME_MAX + 48))

static size_t sum(const size_t *n, size_t n_devices)
{
	size_t all = 0;

	for (size_t d = 0; d < n_devices; d++)
		all += n[d];
	return all;
}

/* "pi 3/8, nano 5/8", or the names alone. */
static void names(const struct at_once *a, int with_counts, char out[NAMES_BYTES])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t d = 0; d < a->s->n_devices; d++) {
		if (!a->n_all[d])
			continue;
		len += (size_t)snprintf(out + len, NAMES_BYTES - len, "%s%s",
			len ? ", " : "", a->s->device[d].name);
		if (with_counts)
			len += (size_t)snprintf(out + len, NAMES_BYTES - len, " %zu/%zu",
				a->n_done[d], a->n_all[d]);
	}
}

struct progress *at_once_progress(const struct at_once *a)
{
	return a->lone_shows && a->n_busy == 1 ? a->s->progress : NULL;
}

static int is_shown(const struct at_once *a)
{
	return a->n_busy > (a->lone_shows ? 1 : 0);
}

void at_once_did(struct at_once *a, size_t device)
{
	char text[NAMES_BYTES];

	pthread_mutex_lock(&a->s->lock);
	a->n_done[device]++;
	if (is_shown(a)) {
		names(a, a->n_busy > 1, text);
		progress_update(a->s->progress, sum(a->n_done, a->s->n_devices), "%s",
			text);
	}
	pthread_mutex_unlock(&a->s->lock);
}

static enum err on_device(void *self, size_t device, struct err_ctx *ctx)
{
	struct at_once *a = self;
	struct device_patience patience = {0, 0};
	enum err e;

	if (!a->n_all[device])
		return ERR_OK;
	do
		e = a->step(a->self, device, ctx);
	while (session_may_repeat(
		a->s, device, a->n_done[device], &patience, &e, ctx));
	return e;
}

enum err at_once_run(struct at_once *a, struct err_ctx *ctx)
{
	size_t n = a->s->n_devices, all = sum(a->n_all, n);
	char text[NAMES_BYTES];
	enum err e;

	a->n_busy = 0;
	for (size_t d = 0; d < n; d++)
		a->n_busy += a->n_all[d] > 0;
	if (is_shown(a))
		progress_begin(a->s->progress, a->task, all);
	e = parallel_all(n, on_device, a, ctx);
	if (is_shown(a)) {
		names(a, 0, text);
		progress_end(a->s->progress, "%zu of %zu %s on %s", sum(a->n_done, n),
			all, a->what, text);
	}
	return e;
}
