/* A machine whose wall clock is moved: jump FILE PROGRAM... runs a program, and all that
 * it starts, with the seconds in FILE added to CLOCK_REALTIME (none while there is no
 * FILE), static programs too. FILE.log gets a line for each time that one of them asks,
 * with the program's path. CLOCK_MONOTONIC and CPU clocks are the kernel's, untouched.
 *
 * A tracer: it hides the vDSO from each new program, so that clocks are asked for by system
 * calls, and answers those for the wall clock itself. x86-64 only; exit code 77 elsewhere.
 */
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
int main(void)
{
	return 77;
}
#else
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#define WORD ((unsigned long)sizeof(long))
#define EVENTS                                                                           \
	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |                \
		PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)
#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define IF_NOT(k, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip)
#define IF(k, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, skip, 0)

/* In the child: system calls for the wall clock stop for the tracer. */
static int filter_clocks(void)
{
	struct sock_filter code[] = {LOAD(arch), IF_NOT(AUDIT_ARCH_X86_64, 6), LOAD(nr),
		IF(SYS_time, 5), IF(SYS_gettimeofday, 4), IF_NOT(SYS_clock_gettime, 2),
		LOAD(args[0]), IF(CLOCK_REALTIME, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static unsigned long peek(pid_t pid, unsigned long at)
{
	return (unsigned long)ptrace(PTRACE_PEEKDATA, pid, (void *)at, NULL);
}

static void poke(pid_t pid, unsigned long at, unsigned long v)
{
	ptrace(PTRACE_POKEDATA, pid, (void *)at, (void *)v);
}

/* On the new program's stack: argc, argv, 0, environment, 0, auxiliary vector. */
static void hide_vdso(pid_t pid)
{
	struct user_regs_struct r;
	unsigned long at, type;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0)
		return;
	at = (unsigned long)r.rsp;
	at += WORD * (peek(pid, at) + 2);
	while (peek(pid, at))
		at += WORD;
	for (at += WORD; (type = peek(pid, at)) != AT_NULL; at += 2 * WORD)
		if (type == AT_SYSINFO_EHDR)
			poke(pid, at, AT_IGNORE);
}

static void note(const char *file, pid_t pid)
{
	char path[4096], exe[4096];
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	snprintf(path, sizeof(path), "%s.log", file);
	f = fopen(path, "a");
	if (f) {
		fprintf(f, "%s\n", exe);
		fclose(f);
	}
}

static void answer(const char *file, pid_t pid)
{
	struct user_regs_struct r;
	struct timespec t;
	long jump = 0;
	FILE *f = fopen(file, "r");
	unsigned long out, fraction;

	if (f && fscanf(f, "%ld", &jump) != 1)
		jump = 0;
	if (f)
		fclose(f);
	note(file, pid);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += jump;
	out = (unsigned long)(r.orig_rax == SYS_clock_gettime ? r.rsi : r.rdi);
	fraction = (unsigned long)(r.orig_rax == SYS_gettimeofday ? t.tv_nsec / 1000
								  : t.tv_nsec);
	if (out)
		poke(pid, out, (unsigned long)t.tv_sec);
	if (out && r.orig_rax != SYS_time)
		poke(pid, out + WORD, fraction);
	r.rax = r.orig_rax == SYS_time ? (unsigned long long)t.tv_sec : 0;
	r.orig_rax = (unsigned long long)-1; /* not for the kernel any more */
	ptrace(PTRACE_SETREGS, pid, NULL, &r);
}

static void go_on(const char *file, pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		ptrace(PTRACE_LISTEN, pid, NULL,
			NULL); /* stands still, as it was told to */
		return;
	}
	if (event == PTRACE_EVENT_EXEC)
		hide_vdso(pid);
	if (event == PTRACE_EVENT_SECCOMP)
		answer(file, pid);
	ptrace(PTRACE_CONT, pid, NULL, (void *)(long)(event ? 0 : sig));
}

int main(int argc, char **argv)
{
	pid_t first = argc < 3 ? -1 : fork(), pid;
	int status, code = 1;

	if (first == 0) {
		raise(SIGSTOP);
		if (filter_clocks())
			execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (first < 0 || waitpid(first, &status, WUNTRACED) != first ||
		ptrace(PTRACE_SEIZE, first, NULL, (void *)EVENTS) != 0)
		return 2;
	for (int fd = 0; fd < 2; fd++)
		close(fd); /* the program's alone: it must see their ends */
	kill(first, SIGCONT);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			go_on(argv[1], pid, status);
		else if (pid == first)
			code = WIFEXITED(status) ? WEXITSTATUS(status)
						 : 128 + WTERMSIG(status);
	}
	return code;
}
#endif
