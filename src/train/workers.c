#include "src/train/workers.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_THREADS 64

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t start, done;
	uint32_t n_threads; /* besides the caller's */
	pthread_t thread[MAX_THREADS];
	uint64_t round; /* raised by every run */
	uint32_t next, n, n_finished;
	int stop;
	void (*task)(void *self, uint32_t i);
	void *self;
};

/* With the lock held: claims and runs tasks until none is left. */
static void work(struct workers *w)
{
	while (w->next < w->n) {
		uint32_t i = w->next++;

		pthread_mutex_unlock(&w->lock);
		w->task(w->self, i);
		pthread_mutex_lock(&w->lock);
		if (++w->n_finished == w->n)
			pthread_cond_broadcast(&w->done);
	}
}

static void *thread_main(void *arg)
{
	struct workers *w = arg;
	uint64_t seen = 0;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && w->round == seen)
			pthread_cond_wait(&w->start, &w->lock);
		if (w->stop)
			break;
		seen = w->round;
		work(w);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

enum err workers_new(struct workers **out, uint32_t n_threads, struct err_ctx *ctx)
{
	struct workers *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(ctx, ERR_NOMEM, "out of memory for worker threads");
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->start, NULL);
	pthread_cond_init(&w->done, NULL);
	if (n_threads > MAX_THREADS)
		n_threads = MAX_THREADS;
	/* A thread that cannot be had is done without: the result is the same. */
	while (w->n_threads + 1 < n_threads) {
		if (pthread_create(&w->thread[w->n_threads], NULL, thread_main, w))
			break;
		w->n_threads++;
	}
	*out = w;
	return ERR_OK;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = 1;
	pthread_cond_broadcast(&w->start);
	pthread_mutex_unlock(&w->lock);
	for (uint32_t i = 0; i < w->n_threads; i++)
		pthread_join(w->thread[i], NULL);
	pthread_cond_destroy(&w->start);
	pthread_cond_destroy(&w->done);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void workers_run(
	struct workers *w, uint32_t n, void (*task)(void *self, uint32_t i), void *self)
{
	if (!w->n_threads || n < 2) {
		for (uint32_t i = 0; i < n; i++)
			task(self, i);
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->task = task;
	w->self = self;
	w->n = n;
	w->next = w->n_finished = 0;
	w->round++;
	pthread_cond_broadcast(&w->start);
	work(w);
	while (w->n_finished < w->n)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
}
