/* team.h with POSIX threads and Linux's futex. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "src/infer/team.h"

/* How long to spin before sleeping: between runs, and for others that are at work. A
 * sleeper costs tens of microseconds, so inside a run one waits for a long step's share
 * of unevenness, and sleeps when another thread has lost its processor. */
#define IDLE_NS 50000
#define WORK_NS 200000
#define TRIAL 2000 /* pauses, to know how long one takes */
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
static int idle_spins = 1000, work_spins = 20000;

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
static void gate_wait(struct gate *g, unsigned seen, int spins)
{
	for (int i = 0; i < spins; i++) {
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
		gate_wait(&meet, seen, work_spins);
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
	gate_wait(&done, seen, work_spins);
}

static void *work(void *self)
{
	uint32_t worker = (uint32_t)(uintptr_t)self;

	for (unsigned seen = 0;; seen++) {
		gate_wait(&start, seen, idle_spins);
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

static void count_spins(void)
{
	struct timespec a, b;
	long ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < TRIAL; i++)
		pause_once();
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = (b.tv_sec - a.tv_sec) * 1000000000 + (b.tv_nsec - a.tv_nsec);
	if (ns < TRIAL ||
		ns > 1000 * TRIAL) /* a clock that cannot be, or a pause in it */
		return;
	idle_spins = (int)((long)TRIAL * IDLE_NS / ns);
	work_spins = (int)((long)TRIAL * (WORK_NS / 100) / ns) * 100;
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

	count_spins();
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
