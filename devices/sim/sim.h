/* A simulated device behind the real protocol and state machine: `hawser-agent --sim
 * LAW`. Runs are answered from the law, in virtual time; evaluation is not offered.
 */
#ifndef HAWSER_DEVICES_SIM_SIM_H
#define HAWSER_DEVICES_SIM_SIM_H

#include "devices/agent/agent.h"
#include "devices/agent/ram_store.h"
#include "devices/proto/record.h"
#include "devices/sim/law.h"

#define SIM_RESULT_BYTES (512 + 2 * 8 * TIME_MAX_SAMPLES)

/* What the machine around the simulator gives: the carrier, a clock, a nonce. */
struct sim_host {
	void *self;
	void (*send)(void *self, const uint8_t *data, size_t len);
	uint64_t (*now_ns)(void *self);
	uint32_t (*nonce)(void *self);
};

struct sim {
	struct sim_host host;
	struct sim_law law;
	struct ram_store store;
	struct wire_welcome about;
	int lost;	   /* the device fell off: the host must end without a word */
	uint64_t ready_ns; /* when the run that is going on ends */
	struct wire_done done;
	uint32_t result_len;
	uint8_t result[SIM_RESULT_BYTES];
};

/* `mem` keeps the images; borrowed. NULL, or what is wrong with the law. */
const char *sim_init(struct sim *s, const struct sim_host *host, const char *law,
	void *mem, size_t mem_bytes, char why[160]);
/* For agent_init, with a struct sim as `self`. */
extern const struct agent_ops sim_ops;

#endif
