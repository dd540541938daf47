#include "devices/boards/linux/harness.h"
#include "devices/boards/mcu/board.h"
#include "devices/proto/message.h"

#define STACK_BYTES 8192 /* as in payload.ld; overflow is caught */

extern uint32_t payload_data_load[], payload_data_start[], payload_data_end[],
	payload_bss_start[], payload_memory_end[], payload_image_end[];
int payload_start(struct payload_call *call);
struct payload_call *payload;

__attribute__((section(".payload_head"), used)) static const struct {
	uint32_t magic;
	int (*entry)(struct payload_call *);
	const uint32_t *image_end, *memory_end;
	uint32_t stack_bytes;
} head = {
	PAYLOAD_MAGIC, payload_start, payload_image_end, payload_memory_end, STACK_BYTES};

static int run(void)
{
	stream_begin();
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
