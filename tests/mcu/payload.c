/* Payloads that misbehave, one for each value of FAULT; tests/unit/test_mcu.c runs them.
 * AGENT is an address in the agent's memory. */
#include <stdint.h>

#include "devices/agent/mcu/payload.h"

extern uint32_t payload_image_end[], payload_memory_end[];
uint32_t payload_start(struct payload_call *call);

__attribute__((section(".payload_head"), used)) static const struct {
	uint32_t magic;
	uint32_t (*entry)(struct payload_call *);
	const uint32_t *image_end, *memory_end;
	uint32_t stack_bytes;
} head = {PAYLOAD_MAGIC, payload_start, payload_image_end, payload_memory_end, 4096};

#define AT(address) (*(volatile uint32_t *)(uintptr_t)(address))

#if FAULT == 4
static uint32_t deeper(volatile uint32_t *p)
{
	volatile uint32_t room[64];

	room[0] = p[0] + 1;
	return deeper(room) + room[0];
}
#endif

#if FAULT >= 12
static uint32_t ticks(void)
{
	register uint32_t r0 __asm("r0") = PAYLOAD_TICKS;
	register uint32_t r1 __asm("r1");

	__asm volatile("svc #0" : "+r"(r0), "=r"(r1) : : "memory");
	return r0;
}
#endif

uint32_t payload_start(struct payload_call *call)
{
#if FAULT == 0 /* none: an exit code */
	(void)call;
	return 42;
#elif FAULT == 1  /* reads where nothing is */
	return AT(0xF0000000u) + call->mode;
#elif FAULT == 2  /* an instruction that there is not */
	(void)call;
	__asm volatile("udf #0");
	return 0;
#elif FAULT == 3  /* writes into the agent's memory */
	(void)call;
	AT(AGENT) = 0xdeadbeef;
	return 0;
#elif FAULT == 4  /* the stack overflows */
	return deeper(&call->mode);
#elif FAULT == 5  /* never ends */
	(void)call;
	for (;;)
		__asm volatile("nop");
#elif FAULT == 6  /* never ends, interrupts off as far as it may */
	(void)call;
	__asm volatile("cpsid i\n cpsid f");
	for (;;)
		__asm volatile("nop");
#elif FAULT == 7  /* reads a register of the core */
	(void)call;
	return AT(0xE000ED00u);
#elif FAULT == 8  /* says that it wrote more than there is room */
	call->output_len = 0x7fffffff;
	return 0;
#elif FAULT == 9  /* claims success without records */
	(void)call;
	return 0;
#elif FAULT == 10 /* writes over itself, then exits */
	(void)call;
	AT(payload_image_end - 1) = 0xdeadbeef;
	return 42;
#elif FAULT == 11 /* none: 3000 bytes of stack, and an exit code */
	volatile uint32_t room[750];

	for (int i = 0; i < 750; i++)
		room[i] = call->mode;
	return 42 + room[7];
#elif FAULT == 14 /* writes into the flash of netduinoplus2, which it may read */
	AT(0x08020000u) = call->mode + AT(0x08020000u);
	return 42;
#elif FAULT >= 12 /* none: ticks since its start are its exit code */
	for (volatile uint32_t i = 0; i < (FAULT == 12 ? 30000 : 2000000); i++)
		;
	return ticks() + 0 * call->mode;
#endif
}
