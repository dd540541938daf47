/* What the resident agent of a microcontroller and the payload that it runs agree on.
 *
 * A payload is one flat image, linked at the start of the window that the agent reports,
 * with `payload_head` first. The agent checks the head, lays out the window as
 *
 *   image | its bss | stored input | output ... | guard | stack
 *
 * and calls `entry` unprivileged, with a pointer to `payload_call` that lies at the top of
 * the stack. The payload clears its own bss. It talks to the agent by SVC: r0 is the
 * number, r1 the argument; answers come back in r0 and r1.
 */
#ifndef HAWSER_DEVICES_AGENT_MCU_PAYLOAD_H
#define HAWSER_DEVICES_AGENT_MCU_PAYLOAD_H

#include <stdint.h>

#define PAYLOAD_MAGIC 0x31505748u /* "HWP1" */

struct payload_head {
	uint32_t magic;
	uint32_t entry;	      /* address, Thumb bit set */
	uint32_t image_end;   /* address behind the last loaded byte */
	uint32_t memory_end;  /* address behind the bss; image_end <= memory_end */
	uint32_t stack_bytes; /* that the payload asks for */
};

enum payload_svc {
	PAYLOAD_EXIT,  /* r1: exit code; output_len of the call tells what was written */
	PAYLOAD_TICKS, /* answers the ticks since the start in r0, r1 (low, high) */
	PAYLOAD_EDGE,  /* r1: 1 before what is timed, 0 after it: a pin for a meter */
	N_PAYLOAD_SVCS
};

struct payload_call {
	uint32_t mode, phase; /* enum wire_mode */
	uint32_t n_warmup, n_samples, min_sample_ns, n_tokens;
	uint32_t clock_hz; /* of the ticks */
	uint32_t input, input_len;
	uint32_t output, output_cap;
	uint32_t output_len; /* the payload's, read at its exit and bounded */
};

#endif
