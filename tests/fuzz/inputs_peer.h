/* The readers of inputs.h that talk: the host's link to an agent that says what the input
 * holds, and the agent to a host that does.
 *
 * Input of both: entries of u8 type, u8 flags, u16 n, n bytes of body (as many as there are).
 * Each is a sound frame of the session and request that are expected, unless flags say
 * otherwise: 1 another session, 2 another request, 4 damaged, 8 twice.
 */
#ifndef HAWSER_TESTS_FUZZ_INPUTS_PEER_H
#define HAWSER_TESTS_FUZZ_INPUTS_PEER_H

#include "devices/link.h"
#include "devices/transport/transport.h"

/* A line on which the input arrives; what is written goes nowhere. It ends with it. */
struct input_peer {
	struct transport base;
	const uint8_t *data; /* borrowed */
	size_t at, len;
	int framed; /* entries, else text */
	uint64_t now_ms;
	uint32_t nonce, session, request; /* of what the host wrote last */
};

void input_peer_text(struct input_peer *p, const uint8_t *text, size_t len);
/* The first byte chooses what is asked: an upload, a fetch, a call. */
void input_through_link(const uint8_t *data, size_t len);
void input_through_agent(const uint8_t *data, size_t len);

#endif
