/* A payload whose answer depends on every byte of its image and of its input: what tests of bad
 * lines run. The host knows the same rule. Its `pad` lies behind a mark, for the test to change.
 */
#include <stdint.h>

#include "devices/agent/mcu/payload.h"

#define PAD 2048
#define OUTPUT 700

extern uint32_t payload_image_end[], payload_memory_end[];
uint32_t payload_start(struct payload_call *call);

__attribute__((section(".payload_head"), used)) static const struct {
	uint32_t magic;
	uint32_t (*entry)(struct payload_call *);
	const uint32_t *image_end, *memory_end;
	uint32_t stack_bytes;
} head = {PAYLOAD_MAGIC, payload_start, payload_image_end, payload_memory_end, 4096};

/* Nothing that the compiler knows the value of. */
__asm(".section .rodata.pad,\"a\"\n"
      ".asciz \"HAWSER-TEST-PAD\"\n"
      "test_pad: .space 2048\n"
      ".text\n");
extern const uint8_t test_pad[PAD];

static uint8_t *put_word(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		*at++ = (uint8_t)(v >> 8 * i);
	return at;
}

uint32_t payload_start(struct payload_call *call)
{
	const uint8_t *input = (const uint8_t *)(uintptr_t)call->input;
	uint8_t *out = (uint8_t *)(uintptr_t)call->output, *at = out;
	uint32_t sum = 1;

	for (uint32_t i = 0; i < PAD; i++)
		sum = sum * 31 + test_pad[i];
	at = put_word(at, 0x31525748u); /* "HWR1" */
	at = put_word(at, 3);		/* OUTPUT */
	at = put_word(at, OUTPUT);
	for (uint32_t i = 0; i < OUTPUT; i++) {
		sum = sum * 31 + input[i % call->input_len] + i;
		*at++ = (uint8_t)(sum >> 24);
	}
	at = put_word(at, 5); /* END */
	at = put_word(at, 8);
	at = put_word(at, (uint32_t)(at - out) - 8);
	at = put_word(at, 0);
	call->output_len = (uint32_t)(at - out);
	return 0;
}
