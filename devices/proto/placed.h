/* Weights that lie in a board's flash while their image runs in RAM: the image says where it
 * expects them and what they are, checks that before it runs (devices/boards/mcu/main.c), and
 * the host writes them there beforehand (devices/flash.h).
 *
 * PLACED_BYTES at PLACED_AT of a flat image, behind the head that the agent reads: magic,
 * address, size, CRC-32; little endian. Size 0: all of the image is in RAM. Freestanding.
 */
#ifndef HAWSER_DEVICES_PROTO_PLACED_H
#define HAWSER_DEVICES_PROTO_PLACED_H

#include <stddef.h>
#include <stdint.h>

#define PLACED_STACK_AT 16 /* of that head: bytes of stack that the image asks for */
#define PLACED_AT 20
#define PLACED_BYTES 16
#define PLACED_MAGIC 0x31465748u /* "HWF1" */

struct placed {
	uint32_t address, size, crc;
};

/* 0 when the image has nothing in flash, or is not flat. */
int placed_get(const uint8_t *image, size_t len, struct placed *out);
/* What a flat image reserves for its stack; 0: it is not flat. */
uint32_t placed_stack(const uint8_t *image, size_t len);
/* Fills in the CRC-32 of an image that placed_get reads. */
void placed_set_crc(uint8_t *image, uint32_t crc);

#endif
