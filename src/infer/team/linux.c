/* team.h with POSIX threads and Linux's futex. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/infer/team.h"

#define SPINS 1500 /* pauses: 30 to 60 microseconds on x86-64 */
#define STACK_BYTES (1u << 20)
#define LINE 64

/* A number that threads wait on. */
struct gate {
	_Alignas(LINE) atomic_uint turn;
	_Alignas(LINE) atomic_uint sleepers;
};

static struct gate start, done, meet;
static _Alignas(LINE) atomic_uint at_meet, at_done;
static void (*job)(const void *self, uint32_t worker);
static const void *job_self;

static void pause_once(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield");
#endif
}

static void futex(atomic_uint *at, int what, unsigned value)
{
	syscall(SYS_futex, at, what | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Until the turn is no longer `seen`. */
static void gate_wait(struct gate *g, unsigned seen)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(&g->turn, memory_order_acquire) != seen)
			return;
		pause_once();
	}
	atomic_fetch_add(&g->sleepers, 1);
	while (atomic_load(&g->turn) == seen)
		futex(&g->turn, FUTEX_WAIT, seen);
	atomic_fetch_sub(&g->sleepers, 1);
}

static void gate_open(struct gate *g)
{
	atomic_fetch_add(&g->turn, 1);
	if (atomic_load(&g->sleepers))
		futex(&g->turn, FUTEX_WAKE, TEAM_MAX);
}

void team_wait(void)
{
	unsigned seen = atomic_load_explicit(&meet.turn, memory_order_relaxed);

	if (atomic_fetch_add(&at_meet, 1) + 1 < team_threads) {
		gate_wait(&meet, seen);
		return;
	}
	atomic_store_explicit(&at_meet, 0, memory_order_relaxed);
	gate_open(&meet);
}

void team_run(void (*part)(const void *self, uint32_t worker), const void *self)
{
	unsigned seen = atomic_load_explicit(&done.turn, memory_order_relaxed);

	job = part;
	job_self = self;
	gate_open(&start);
	part(self, 0);
	gate_wait(&done, seen);
}

static void *work(void *self)
{
	uint32_t worker = (uint32_t)(uintptr_t)self;

	for (unsigned seen = 0;; seen++) {
		gate_wait(&start, seen);
		job(job_self, worker);
		if (atomic_fetch_add(&at_done, 1) + 2 < team_threads)
			continue;
		atomic_store_explicit(&at_done, 0, memory_order_relaxed);
		gate_open(&done);
	}
	return NULL;
}

/* The next processor after *cpu that the thread may have, of `allowed` or, past those,
 * any other than the main thread's. */
static void pin(pthread_t t, int *cpu, int own, const cpu_set_t *allowed, int outside)
{
	for (++*cpu; *cpu < CPU_SETSIZE; ++*cpu) {
		cpu_set_t one;

		if (*cpu == own || (CPU_ISSET((size_t)*cpu, allowed) == 0) != outside)
			continue;
		CPU_ZERO(&one);
		CPU_SET((size_t)*cpu, &one);
		if (pthread_setaffinity_np(t, sizeof(one), &one) == 0)
			return;
	}
}

static void give_up(void)
{
	static const char why[] = "cannot start the model's threads\n";

	if (write(STDERR_FILENO, why, sizeof(why) - 1) < 0)
		_exit(2);
	_exit(1);
}

__attribute__((constructor)) static void team_start(void)
{
	int own = sched_getcpu(), cpu = -1;
	pthread_attr_t attr;
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (uint32_t i = 1; i < team_threads; i++) {
		pthread_t t;

		if (pthread_create(&t, &attr, work, (void *)(uintptr_t)i))
			give_up();
		pin(t, &cpu, own, &allowed, (uint32_t)CPU_COUNT(&allowed) < team_threads);
		pthread_detach(t);
	}
	pthread_attr_destroy(&attr);
}
