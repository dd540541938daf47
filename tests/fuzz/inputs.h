/* One input of a fuzzer through everything here that reads what a device, or what answers in
 * its place, sends; and the host's requests through the agent.
 *
 * The first byte of an input chooses the reader, the rest is what it reads. What must not
 * happen ends in abort(): a message that does not encode to what it was decoded from, a
 * time that cannot be, a text for people with an unprintable character. libFuzzer calls
 * LLVMFuzzerTestOneInput; so does test_fuzz_inputs.c, with its own changes to the same seeds.
 */
#ifndef HAWSER_TESTS_FUZZ_INPUTS_H
#define HAWSER_TESTS_FUZZ_INPUTS_H

#include <stddef.h>
#include <stdint.h>

#define INPUT_MAX 4096

enum input_reader {
	INPUT_FRAMES,  /* bytes of a line, in pieces */
	INPUT_MESSAGE, /* u8 type, or INPUT_BOARD; body */
	INPUT_RECORDS, /* u8 how, records of a result */
	INPUT_EVAL,    /* evaluation output */
	INPUT_LINK,    /* u8 what; u8 type, u8 flags, u16 n, n bytes: an agent's frames */
	INPUT_AGENT,   /* the same as a host's frames */
	INPUT_BOOT,    /* what a shell says */
	INPUT_SSH,     /* what an SSH client complains */
	N_INPUT_READERS
};

#define INPUT_BOARD 0x7f /* no type of a message: a board's record */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Real input number i into INPUT_MAX bytes: frames of each type, sessions, results, dialogs.
 * 0 when there is none of that number. */
size_t input_seed(unsigned i, uint8_t *out);

#endif
