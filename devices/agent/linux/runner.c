#include "devices/agent/linux/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/proto/crc32.h"
#include "devices/proto/record.h"

#define MIN_IDLE_NS 100000000u
#define MAX_IDLE_NS 3000000000u

void runner_init(struct runner *r, struct machine *m, const char *sensor, char *emulator)
{
	memset(r, 0, sizeof(*r));
	r->machine = m;
	r->emulator = emulator;
	child_init(&r->child);
	sensor_open(&r->sensor, sensor, m->root);
}

void runner_release(struct runner *r)
{
	child_release(&r->child);
	sensor_close(&r->sensor);
}

static uint64_t idle_ns(const struct runner *r)
{
	uint64_t ns = METER_IDLE_INTERVALS * r->sensor.interval_ns;

	ns = ns < MIN_IDLE_NS ? MIN_IDLE_NS : ns;
	return ns > MAX_IDLE_NS ? MAX_IDLE_NS : ns;
}

/* Memory that the image's segments ask for at load; 0 when it is not ELF of our kind. */
static uint64_t image_load_bytes(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t total = 0;
	ElfW(Ehdr) e;
	ElfW(Phdr) p;

	if (fd < 0)
		return 0;
	if (pread(fd, &e, sizeof(e), 0) == (ssize_t)sizeof(e) &&
		memcmp(e.e_ident, ELFMAG, SELFMAG) == 0 && e.e_phentsize == sizeof(p))
		for (unsigned i = 0; i < e.e_phnum; i++) {
			off_t at = (off_t)(e.e_phoff + i * sizeof(p));

			if (pread(fd, &p, sizeof(p), at) == (ssize_t)sizeof(p) &&
				p.p_type == PT_LOAD && p.p_memsz < UINT64_MAX / 2 - total)
				total += p.p_memsz;
		}
	close(fd);
	return total;
}

static void start_child(struct runner *r)
{
	static char mode[8], w[12], n[12], ns[12], tokens[12], phase[4];
	char *const timed[] = {
		r->emulator, r->image, mode, w, n, ns, tokens, phase, NULL};
	char *const plain[] = {r->emulator, r->image, mode, NULL};
	struct child_limits l = {.memory_bytes = r->emulator ? 0 : r->rq.memory_bytes,
		.timeout_ms = r->rq.timeout_ms,
		.may_fork = r->emulator != NULL};
	int in_fd = -1;

	snprintf(mode, sizeof(mode), "%s",
		r->rq.mode == MODE_TIME	  ? "time"
		: r->rq.mode == MODE_EVAL ? "eval"
					  : "golden");
	snprintf(w, sizeof(w), "%u", r->rq.n_warmup);
	snprintf(n, sizeof(n), "%u", r->rq.n_samples);
	snprintf(ns, sizeof(ns), "%u", r->rq.min_sample_ns);
	snprintf(tokens, sizeof(tokens), "%u", r->rq.n_tokens);
	snprintf(phase, sizeof(phase), "%u", r->rq.phase);
	machine_child_cpus(r->machine, &l.cpus);
	r->state = RUNNER_CHILD;
	r->start_errno = 0;
	if (r->rq.memory_bytes && image_load_bytes(r->image) > r->rq.memory_bytes) {
		r->start_errno = ENOMEM; /* execve would kill it with a bare SIGSEGV */
		return;
	}
	if (r->input[0]) {
		in_fd = open(r->input, O_RDONLY | O_CLOEXEC);
		if (in_fd < 0) {
			r->start_errno = errno;
			return;
		}
	}
	r->start_errno = child_start(&r->child,
		(r->rq.mode == MODE_TIME ? timed : plain) + !r->emulator, in_fd, &l);
	if (in_fd >= 0)
		close(in_fd);
}

void runner_start(
	struct runner *r, const struct wire_run *rq, const char *image, const char *input)
{
	uint64_t now = child_now_ns();

	r->rq = *rq;
	snprintf(r->image, sizeof(r->image), "%s", image);
	snprintf(r->input, sizeof(r->input), "%s", input);
	r->child.out_len = 0;
	r->freq_before_khz = machine_freq_khz(r->machine);
	r->temp_before_mc = machine_temp_mc(r->machine);
	throttle_read(r->machine, &r->throttle_before);
	meter_begin(&r->meter, &r->sensor);
	if (r->sensor.ops && rq->mode == MODE_TIME) {
		r->state = RUNNER_IDLE;
		r->idle_until_ns = now + idle_ns(r);
		meter_sample(&r->meter, now);
		return;
	}
	start_child(r);
}

/* Outcomes */

static void say(struct wire_done *d, int outcome, int code, const char *text)
{
	d->outcome = (uint8_t)outcome;
	d->code = code;
	snprintf(d->detail, sizeof(d->detail), "%s", text);
}

static void say_words(
	struct wire_done *d, const struct runner *r, const char *what, int n)
{
	const char *w = r->child.words;
	int len = (int)strcspn(w, "\n");

	if (len)
		snprintf(d->detail, sizeof(d->detail), "%s %d: %.*s", what, n, len, w);
	else
		snprintf(d->detail, sizeof(d->detail), "%s %d", what, n);
}

/* Most of its memory used up when it failed: the limit is the likely reason. */
static int near_limit(const struct runner *r)
{
	uint64_t peak = (uint64_t)r->child.usage.ru_maxrss * 1024;

	return r->rq.memory_bytes && peak >= r->rq.memory_bytes / 4 * 3;
}

static uint64_t cpu_ns(const struct rusage *u)
{
	return ((uint64_t)u->ru_utime.tv_sec + (uint64_t)u->ru_stime.tv_sec) *
		       1000000000u +
	       ((uint64_t)u->ru_utime.tv_usec + (uint64_t)u->ru_stime.tv_usec) * 1000u;
}

static int used_up_cpu(const struct runner *r)
{
	return cpu_ns(&r->child.usage) / 1000000000u >=
	       child_cpu_limit_s(r->rq.timeout_ms);
}

static void start_failed(const struct runner *r, struct wire_done *d)
{
	int e = r->start_errno;

	if (e == ENOMEM)
		say(d, OUTCOME_OOM, 0, "the image does not fit its memory limit");
	else if (e == ENOEXEC || e == ELIBBAD || e == ENOENT)
		say(d, OUTCOME_EXIT, 127, "the image is not a program for this machine");
	else if (e == EACCES)
		say(d, OUTCOME_AGENT_FAULT, e,
			"the cache folder does not allow programs (noexec?): use --cache "
			"DIR");
	else
		say(d, OUTCOME_AGENT_FAULT, e, strerror(e));
}

static void judge_signal(const struct runner *r, struct wire_done *d, int sig)
{
	/* The second where it does not mind the first. */
	if (sig == SIGXCPU || (sig == SIGKILL && used_up_cpu(r))) {
		say(d, OUTCOME_TIMEOUT, 0, "used up its CPU time");
		return;
	}
	d->code = sig;
	if (near_limit(r)) {
		d->outcome = OUTCOME_OOM;
		say_words(d, r, "out of memory, signal", sig);
		return;
	}
	/* Nothing of ours sends these: an administrator, a system that goes down, or the
	 * kernel where the whole machine is short of memory. */
	if (sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGHUP) {
		d->outcome = OUTCOME_KILLED;
		say_words(d, r, "killed from outside, signal", sig);
		return;
	}
	d->outcome = OUTCOME_CRASH;
	say_words(d, r, "signal", sig);
}

static void judge_records(
	const struct runner *r, struct wire_done *d, const struct record_summary *s)
{
	uint32_t want_time = r->rq.mode == MODE_TIME && s->golden.pass;

	if (r->rq.mode == MODE_EVAL) {
		if (s->n_output == 0 || s->n_golden || s->n_time || s->n_error ||
			s->n_steps)
			say(d, OUTCOME_NO_RESULT, 0, "no evaluation output");
		return;
	}
	if (s->n_golden != 1 || s->n_error || s->n_time != want_time ||
		(want_time && s->time.n != r->rq.n_samples) ||
		s->n_steps > (want_time && !r->rq.phase) ||
		(s->n_steps && s->steps.n != r->rq.n_samples))
		say(d, OUTCOME_NO_RESULT, 0, "ended without its results");
	else if (!s->golden.pass)
		say(d, OUTCOME_WRONG_OUTPUT, 0, "golden output differs");
}

static void judge(struct runner *r, struct wire_done *d, struct record_summary *s)
{
	const struct child *c = &r->child;
	int sound = !c->overflowed && record_scan(c->out, c->out_len, s);

	if (c->overflowed) {
		say(d, OUTCOME_NO_RESULT, 0, "more output than the agent takes");
	} else if (c->timed_out) {
		say(d, OUTCOME_TIMEOUT, 0, "");
		snprintf(d->detail, sizeof(d->detail), "still running after %u ms",
			r->rq.timeout_ms);
	} else if (WIFSIGNALED(c->status)) {
		judge_signal(r, d, WTERMSIG(c->status));
	} else if (WEXITSTATUS(c->status) != 0) {
		d->outcome = near_limit(r) ? OUTCOME_OOM : OUTCOME_EXIT;
		d->code = WEXITSTATUS(c->status);
		say_words(d, r, "exit code", d->code);
		if (sound && s->n_error)
			snprintf(d->detail, sizeof(d->detail), "%s", s->error);
	} else if (!sound) {
		say(d, OUTCOME_NO_RESULT, 0, "its records are not sound");
	} else {
		judge_records(r, d, s);
	}
}

static void add_usage(const struct runner *r, struct wire_done *d)
{
	const struct child *c = &r->child;
	const struct rusage *u = &c->usage;

	d->wall_ns = c->end_ns - c->start_ns;
	d->cpu_ns = cpu_ns(u);
	d->peak_rss_bytes = (uint64_t)u->ru_maxrss * 1024;
	d->n_vcsw = (uint32_t)u->ru_nvcsw;
	d->n_ivcsw = (uint32_t)u->ru_nivcsw;
}

static void add_energy(
	struct runner *r, struct wire_done *d, const struct record_summary *s)
{
	struct meter_window w = {s->time.start_ns, s->time.end_ns, s->time.n_inferences};
	const char *why;

	d->energy_uj = d->idle_uw = NAN;
	if (!r->sensor.ops || d->outcome != OUTCOME_OK || s->n_time != 1)
		return;
	if (r->rq.phase) {
		snprintf(d->energy_note, sizeof(d->energy_note),
			"the window holds the inputs between single tokens too");
		return;
	}
	r->meter.next_ns = 0; /* due or not: the window's end must be covered */
	meter_sample(&r->meter, child_now_ns());
	why = meter_result(&r->meter, &w, &d->energy_uj, &d->idle_uw);
	if (why)
		snprintf(d->energy_note, sizeof(d->energy_note), "%s", why);
}

static void add_throttle(const struct runner *r, struct wire_done *d)
{
	struct throttle after, t;

	throttle_read(r->machine, &after);
	throttle_between(&r->throttle_before, &after, &t);
	d->n_quota = (uint32_t)t.n_quota;
	d->quota_us = (uint32_t)t.quota_us;
	d->n_slowed = (uint32_t)t.n_slowed;
}

static void report(struct runner *r, struct wire_done *d)
{
	struct record_summary s = {0};

	memset(d, 0, sizeof(*d));
	d->energy_uj = d->idle_uw = NAN;
	d->freq_before_khz = r->freq_before_khz;
	d->temp_before_mc = r->temp_before_mc;
	if (r->start_errno) {
		r->child.out_len = 0;
		start_failed(r, d);
	} else {
		judge(r, d, &s);
		add_usage(r, d);
		add_energy(r, d, &s);
	}
	if (d->outcome != OUTCOME_OK && d->outcome != OUTCOME_WRONG_OUTPUT)
		r->child.out_len = 0;
	d->output_len = (uint32_t)r->child.out_len;
	d->output_crc = crc32_update(0, r->child.out, r->child.out_len);
	d->freq_after_khz = machine_freq_khz(r->machine);
	d->temp_after_mc = machine_temp_mc(r->machine);
	add_throttle(r, d);
	machine_governor(r->machine, d->governor, sizeof(d->governor));
}

int runner_poll(struct runner *r, struct wire_done *done)
{
	uint64_t now = child_now_ns();

	if (r->state == RUNNER_NONE)
		return 0;
	meter_sample(&r->meter, now);
	if (r->state == RUNNER_IDLE) {
		if (now < r->idle_until_ns)
			return 0;
		meter_idle_ends(&r->meter, now);
		start_child(r);
	}
	if (!r->start_errno && !child_poll(&r->child))
		return 0;
	r->state = RUNNER_NONE;
	report(r, done);
	return 1;
}

void runner_cancel(struct runner *r)
{
	child_kill(&r->child);
	r->state = RUNNER_NONE;
}

int runner_wait_ms(const struct runner *r)
{
	uint64_t now = child_now_ns(), until;

	if (r->state == RUNNER_NONE)
		return -1;
	until = r->state == RUNNER_IDLE ? r->idle_until_ns : r->child.deadline_ns;
	if (r->sensor.ops && r->rq.mode == MODE_TIME && r->meter.next_ns < until)
		until = r->meter.next_ns;
	if (until <= now)
		return 0;
	/* 20 ms: should the image be gone while a child of its own keeps the pipe. */
	return until - now > 20000000u ? 20 : (int)((until - now) / 1000000) + 1;
}
