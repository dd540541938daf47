/* The rate of a serial line: any number, also those that <termios.h> has no name for
 * (3,686,400). Internal to devices/transport.
 */
#ifndef HAWSER_DEVICES_TRANSPORT_SERIAL_RATE_H
#define HAWSER_DEVICES_TRANSPORT_SERIAL_RATE_H

#include <stdint.h>

/* Both directions. 0, or -errno; -ERANGE when the driver took another rate. */
int serial_rate_set(int fd, uint32_t baud);
int serial_rate_get(int fd, uint32_t *baud);

#endif
