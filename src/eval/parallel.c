#include "src/eval/parallel.h"

#include <pthread.h>
#include <sched.h>

#define MAX_THREADS 64

struct shared {
	pthread_mutex_t lock;
	size_t next, n, failed_at;
	enum err (*item)(void *self, size_t i, struct err_ctx *ctx);
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
		i = s->err ? s->n : s->next++;
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

enum err parallel_for(size_t n, unsigned threads,
	enum err (*item)(void *self, size_t i, struct err_ctx *ctx), void *self,
	struct err_ctx *ctx)
{
	struct shared s = {.n = n, .item = item, .self = self};
	pthread_t t[MAX_THREADS];
	unsigned started = 0;

	pthread_mutex_init(&s.lock, NULL);
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	while (started + 1 < threads && started + 1 < n &&
		!pthread_create(&t[started], NULL, work, &s))
		started++;
	work(&s);
	for (unsigned i = 0; i < started; i++)
		pthread_join(t[i], NULL);
	pthread_mutex_destroy(&s.lock);
	if (s.err && ctx)
		*ctx = s.ctx;
	return s.err;
}

unsigned parallel_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 1)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}
