/* Of the programs that stand between a test's controller and what it talks to. */
#ifndef HAWSER_TESTS_E2E_SEND_ALL_H
#define HAWSER_TESTS_E2E_SEND_ALL_H

#include <unistd.h>

static int send_all(int fd, const void *data, ssize_t n)
{
	const char *b = data;

	while (n > 0) {
		ssize_t k = write(fd, b, (size_t)n);

		if (k <= 0)
			return 0;
		b += k;
		n -= k;
	}
	return 1;
}

#endif
