/* One image as a child process that can neither outlive nor overrun the agent: process
 * group of its own, resource limits, a core, a deadline; whatever it leaves behind is
 * killed.
 */
#ifndef HAWSER_DEVICES_AGENT_LINUX_CHILD_H
#define HAWSER_DEVICES_AGENT_LINUX_CHILD_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define CHILD_MAX_OUTPUT (64u << 20)
#define CHILD_WORDS 160

struct child_limits {
	cpu_set_t cpus;
	uint64_t memory_bytes; /* address space; 0: none */
	uint32_t timeout_ms;
	int may_fork; /* an emulator has threads of its own */
};

struct child {
	pid_t pid; /* 0: none */
	int out_fd, err_fd;
	uint64_t start_ns, deadline_ns, end_ns;
	int timed_out, overflowed;
	int status; /* as from wait() */
	struct rusage usage;
	uint8_t *out; /* grows; a small one is kept from run to run */
	size_t out_len, out_cap;
	char words[CHILD_WORDS]; /* the beginning of what it said on standard error */
	size_t n_words;
};

/* Once per agent: orphans of the image become ours, so that they can be found and killed.
 */
void child_adopt_orphans(void);
void child_init(struct child *c);
void child_release(struct child *c);
/* Starts argv[0] with standard input from `in_fd` (-1: empty) and an empty environment
 * (its size shifts the stack, and with it the timing). 0, or the errno of what failed:
 * E2BIG.. of execve included. */
int child_start(
	struct child *c, char *const argv[], int in_fd, const struct child_limits *l);
/* Takes what the pipes hold and looks whether it has ended: 1 then, and nothing of it
 * is left. */
int child_poll(struct child *c);
void child_kill(struct child *c);
/* Of CPU time, all threads together; beyond it the kernel ends the image. */
uint32_t child_cpu_limit_s(uint32_t timeout_ms);
uint64_t child_now_ns(void);

#endif
