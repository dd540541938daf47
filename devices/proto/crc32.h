/* CRC-32 (ISO-HDLC: polynomial 0x04c11db7 reflected, initial value and final xor all
 * ones), the check of every frame. Table of 16 entries: 64 bytes of flash. Freestanding.
 *
 * Start with 0 and feed the result back: crc32_update(crc32_update(0, a), b) is that of
 * ab.
 */
#ifndef HAWSER_DEVICES_PROTO_CRC32_H
#define HAWSER_DEVICES_PROTO_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_update(uint32_t crc, const void *data, size_t len);

#endif
