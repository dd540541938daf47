/* A cable that can be cut: cut PORT FILE carries standard input and output to and from
 * 127.0.0.1:PORT (a ProxyCommand). As soon as FILE says "close N" or "freeze N" and N bytes
 * have gone up, FILE is removed and the line is closed, or goes silent at both ends. The
 * bytes that went up are added as a line to FILE.log.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/send_all.h"

static void note(const char *file, unsigned long up)
{
	char name[4096];
	FILE *f;

	snprintf(name, sizeof(name), "%s.log", file);
	f = fopen(name, "a");
	if (f) {
		fprintf(f, "%lu\n", up);
		fclose(f);
	}
}

/* The other end must not learn of it: someone stays who holds the socket. */
static void freeze(int s)
{
	char buf[4096];

	if (fork() == 0) {
		setsid();
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		while (read(s, buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
	close(s);
	while (read(0, buf, sizeof(buf)) > 0)
		;
}

static int is_due(const char *file, unsigned long up, char what[16])
{
	unsigned long n = 0;
	FILE *f = fopen(file, "r");
	int due = f && fscanf(f, "%15s %lu", what, &n) == 2 && up >= n;

	if (f)
		fclose(f);
	return due && unlink(file) == 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char buf[4096], what[16] = "";
	unsigned long up = 0;
	ssize_t n;

	if (argc != 3)
		return 2;
	signal(SIGHUP, SIG_IGN); /* how ssh ends it; the end of its input does, too */
	a.sin_port = htons((unsigned short)atoi(argv[1]));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) != 0)
		return 1;
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (;;) {
		struct pollfd p[2] = {{0, POLLIN, 0}, {s, POLLIN, 0}};

		poll(p, 2, 20);
		if (is_due(argv[2], up, what))
			break;
		if (p[0].revents) {
			if ((n = read(0, buf, sizeof(buf))) <= 0 || !send_all(s, buf, n))
				break;
			up += (unsigned long)n;
		}
		if (p[1].revents &&
			((n = read(s, buf, sizeof(buf))) <= 0 || !send_all(1, buf, n)))
			break;
	}
	note(argv[2], up);
	if (strcmp(what, "freeze") == 0)
		freeze(s);
	return 0;
}
