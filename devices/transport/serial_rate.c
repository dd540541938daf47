/* Apart from serial.c: the kernel's own header for any rate, and <termios.h>, exclude each
 * other. */
#include "devices/transport/serial_rate.h"

#include <asm/termbits.h>
#include <errno.h>
#include <sys/ioctl.h>

#define RATE_TOLERANCE 33 /* a line bears one part in so many */

int serial_rate_get(int fd, uint32_t *baud)
{
	struct termios2 t;

	if (ioctl(fd, TCGETS2, &t) != 0)
		return -errno;
	*baud = t.c_ospeed;
	return 0;
}

int serial_rate_set(int fd, uint32_t baud)
{
	uint32_t taken = 0;
	struct termios2 t;
	int why;

	if (ioctl(fd, TCGETS2, &t) != 0)
		return -errno;
	t.c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT);
	t.c_cflag |= BOTHER | (tcflag_t)BOTHER << IBSHIFT;
	t.c_ispeed = t.c_ospeed = baud;
	if (ioctl(fd, TCSETS2, &t) != 0)
		return -errno;
	why = serial_rate_get(fd, &taken);
	if (!why && (taken > baud + baud / RATE_TOLERANCE ||
			    taken < baud - baud / RATE_TOLERANCE))
		why = -ERANGE;
	return why;
}
