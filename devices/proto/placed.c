#include "devices/proto/placed.h"

#define CRC_AT (PLACED_AT + 12)

static uint32_t word(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int is_flat(const uint8_t *image, size_t len)
{
	return len >= PLACED_AT + PLACED_BYTES && word(image + PLACED_AT) == PLACED_MAGIC;
}

uint32_t placed_stack(const uint8_t *image, size_t len)
{
	return is_flat(image, len) ? word(image + PLACED_STACK_AT) : 0;
}

int placed_get(const uint8_t *image, size_t len, struct placed *out)
{
	const uint8_t *p = image + PLACED_AT;

	if (!is_flat(image, len) || !word(p + 8))
		return 0;
	*out = (struct placed){word(p + 4), word(p + 8), word(p + 12)};
	return 1;
}

void placed_set_crc(uint8_t *image, uint32_t crc)
{
	for (int i = 0; i < 4; i++)
		image[CRC_AT + i] = (uint8_t)(crc >> 8 * i);
}
