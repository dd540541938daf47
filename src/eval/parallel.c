#include "src/eval/parallel.h"

#include <pthread.h>
#include <sched.h>

#define MAX_THREADS 64

struct shared {
	pthread_mutex_t lock;
	size_t next, n, failed_at;
	int to_the_end; /* also when an item failed */
	parallel_item item;
	void *self;
	enum err err;
	struct err_ctx ctx;
};

static void *work(void *arg)
{
	struct shared *s = arg;

	for (;;) {
		struct err_ctx ctx = {""};
		size_t i;
		enum err e;

		pthread_mutex_lock(&s->lock);
		i = s->err && !s->to_the_end ? s->n : s->next++;
		pthread_mutex_unlock(&s->lock);
		if (i >= s->n)
			return NULL;
		e = s->item(s->self, i, &ctx);
		if (!e)
			continue;
		pthread_mutex_lock(&s->lock);
		if (!s->err || i < s->failed_at) {
			s->err = e;
			s->failed_at = i;
			s->ctx = ctx;
		}
		pthread_mutex_unlock(&s->lock);
	}
}

static enum err run(struct shared *s, size_t threads, struct err_ctx *ctx)
{
	pthread_t t[MAX_THREADS];
	unsigned started = 0;

	pthread_mutex_init(&s->lock, NULL);
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	while (started + 1 < threads && started + 1 < s->n &&
		!pthread_create(&t[started], NULL, work, s))
		started++;
	work(s);
	for (unsigned i = 0; i < started; i++)
		pthread_join(t[i], NULL);
	pthread_mutex_destroy(&s->lock);
	if (s->err && ctx)
		*ctx = s->ctx;
	return s->err;
}

enum err parallel_for(size_t n, unsigned threads, parallel_item item, void *self,
	struct err_ctx *ctx)
{
	struct shared s = {.n = n, .item = item, .self = self};

	return run(&s, threads, ctx);
}

enum err parallel_all(size_t n, parallel_item item, void *self, struct err_ctx *ctx)
{
	struct shared s = {.n = n, .to_the_end = 1, .item = item, .self = self};

	return run(&s, n, ctx);
}

unsigned parallel_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 1)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}
