/* What the shared harness wants of a system: its streams are memory, its end an SVC. */
#include <string.h>
#include <unistd.h>

#include "devices/boards/mcu/board.h"

static uint64_t svc(uint32_t number, uint32_t argument)
{
	register uint32_t r0 __asm("r0") = number;
	register uint32_t r1 __asm("r1") = argument;

	__asm volatile("svc #0" : "+r"(r0), "+r"(r1) : : "memory");
	return (uint64_t)r1 << 32 | r0;
}

uint64_t payload_ticks(void)
{
	return svc(PAYLOAD_TICKS, 0);
}

void payload_edge(uint32_t high)
{
	svc(PAYLOAD_EDGE, high);
}

void _exit(int code)
{
	svc(PAYLOAD_EXIT, (uint32_t)code);
	for (;;)
		;
}

ssize_t write(int fd, const void *data, size_t len)
{
	size_t room = payload->output_cap - payload->output_len;

	(void)fd;
	if (len > room)
		return -1;
	memcpy((uint8_t *)(uintptr_t)payload->output + payload->output_len, data, len);
	payload->output_len += (uint32_t)len;
	return (ssize_t)len;
}

ssize_t read(int fd, void *data, size_t len)
{
	static uint32_t at;
	size_t left = payload->input_len - at;

	(void)fd;
	len = len < left ? len : left;
	memcpy(data, (const uint8_t *)(uintptr_t)payload->input + at, len);
	at += (uint32_t)len;
	return (ssize_t)len;
}
