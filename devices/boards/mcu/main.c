#include "devices/boards/linux/harness.h"
#include "devices/boards/mcu/board.h"
#include "devices/proto/crc32.h"
#include "devices/proto/message.h"
#include "devices/proto/placed.h"

#define STACK_BYTES 8192 /* as in payload.ld; overflow is caught */

extern uint32_t payload_data_load[], payload_data_start[], payload_data_end[],
	payload_bss_start[], payload_memory_end[], payload_image_end[],
	payload_flash_start[], payload_flash_size[];
int payload_start(struct payload_call *call);
struct payload_call *payload;

/* What the agent reads, and from PLACED_AT on what the host does, which fills in the CRC-32:
 * nothing that the compiler may know. */
__attribute__((section(".payload_head"), used)) static const volatile struct {
	uint32_t magic;
	int (*entry)(struct payload_call *);
	const uint32_t *image_end, *memory_end;
	uint32_t stack_bytes;
	uint32_t placed_magic;
	const uint32_t *flash, *flash_size;
	uint32_t flash_crc;
} head = {PAYLOAD_MAGIC, payload_start, payload_image_end, payload_memory_end,
	STACK_BYTES, PLACED_MAGIC, payload_flash_start, payload_flash_size, 0};

/* What lies in flash is this image's. */
static int has_its_weights(void)
{
	const uint32_t *at = head.flash;
	size_t size = (uintptr_t)head.flash_size;

	return !size || crc32_update(0, at, size) == head.flash_crc;
}

static int run_timed(void)
{
	struct timing t = {.n_warmup = payload->n_warmup,
		.n_samples = payload->n_samples,
		.min_sample_ns = payload->min_sample_ns,
		.n_tokens = payload->n_tokens,
		.phase = payload->phase};

	return run_time(&t);
}

static int run(void)
{
	stream_begin();
	if (!has_its_weights())
		return stream_fail(HARNESS_EXIT_FLASH, "the flash holds other weights");
	return payload->mode == MODE_TIME   ? run_timed()
	       : payload->mode == MODE_EVAL ? run_eval()
					    : run_golden();
}

int payload_start(struct payload_call *call)
{
	const volatile uint32_t *from = payload_data_load;

	for (volatile uint32_t *to = payload_data_start; to < payload_data_end; to++)
		*to = *from++;
	for (volatile uint32_t *to = payload_bss_start; to < payload_memory_end; to++)
		*to = 0;
	payload = call;
	return run();
}
