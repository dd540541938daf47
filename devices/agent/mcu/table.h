/* The only table and configuration of this firmware, for devices/agent/agent.c. */
#ifndef HAWSER_DEVICES_AGENT_MCU_TABLE_H
#define HAWSER_DEVICES_AGENT_MCU_TABLE_H

#include "devices/agent/mcu/store.h"

#define MAX_PAYLOAD 1024
extern uint8_t main_rx[FRAME_WIRE_BYTES(MAX_PAYLOAD)],
	main_tx[FRAME_WIRE_BYTES(MAX_PAYLOAD)];

void main_send(void *self, const uint8_t *data, size_t len);
uint32_t main_nonce(void *self);
void main_about(void *self, struct put *p);
int main_run_start(void *self, const struct wire_run *rq);
const uint8_t *main_result(void *self);
void main_reset(void *self);

static const struct agent_ops agent_ops = {
	.send = main_send,
	.nonce = main_nonce,
	.about = main_about,
	.store_open = store_open,
	.store_append = store_append,
	.store_copy = store_copy,
	.store_verify = store_verify,
	.run_start = main_run_start,
	.result = main_result,
	.reset = main_reset,
};
static const struct agent_config agent_config = {
	.max_payload = MAX_PAYLOAD, .rx = main_rx, .tx = main_tx};

#endif
