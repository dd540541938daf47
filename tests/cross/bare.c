/* Start of tests on an emulated Cortex-M without an operating system: input, output and the
 * exit code go to the emulator by semihosting. What goes wrong ends the program. */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

extern uint8_t bare_stack_end[];
void bare_start(void);
void initialise_monitor_handles(void);
void _init(void);
void _fini(void);
int main(void);

void _init(void)
{
}

void _fini(void)
{
}

/* That of newlib wants what it does not have here. */
void *aligned_alloc(size_t alignment, size_t n)
{
	return memalign(alignment, n);
}

static void fault(void)
{
	_Exit(99);
}

void bare_start(void)
{
	*(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* CPACR: FPU and vectors */
	__asm volatile("dsb\n isb");
	initialise_monitor_handles();
	exit(main());
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
	(uintptr_t)bare_stack_end, (uintptr_t)bare_start, (uintptr_t)fault,
	(uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault};
