/* A C program on a Cortex-M core without operating system: start, and by semihosting its
 * output and its end. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYS_WRITEC 0x03
#define SYS_EXIT_EXTENDED 0x20
#define STOPPED_EXIT 0x20026u
#define CPACR (*(volatile uint32_t *)0xe000ed88)

extern uint32_t stack_top[];
extern char end[];
int main(int argc, char **argv);
void reset(void);
void fault(void);
void *_sbrk(ptrdiff_t more);

static void call_host(uint32_t number, const void *argument)
{
	register uint32_t r0 __asm("r0") = number;
	register const void *r1 __asm("r1") = argument;

	__asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void _exit(int code)
{
	const uint32_t block[] = {STOPPED_EXIT, (uint32_t)code};

	call_host(SYS_EXIT_EXTENDED, block);
	for (;;)
		;
}

ssize_t _write(int fd, const char *data, size_t len);
ssize_t _write(int fd, const char *data, size_t len)
{
	(void)fd;
	for (size_t i = 0; i < len; i++)
		call_host(SYS_WRITEC, &data[i]);
	return (ssize_t)len;
}

void *_sbrk(ptrdiff_t more)
{
	static char *top = end;
	char *from = top;

	top += more;
	return from;
}

void fault(void)
{
	_exit(99);
}

/* Data lies where the emulator loaded it. */
void reset(void)
{
	CPACR |= 0xfu << 20; /* an FPU, where there is one */
	__asm volatile("dsb\n\tisb");
	exit(main(1, (char *[]){"", NULL}));
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {
	(uintptr_t)stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault};
