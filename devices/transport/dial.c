#include "devices/transport/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 5000

int dial_is_address(const char *where)
{
	const char *colon = strrchr(where, ':');
	struct sockaddr_un u;

	if (strchr(where, '/'))
		return strlen(where) < sizeof(u.sun_path);
	return strlen(where) < DIAL_BYTES && colon && colon != where && colon[1] &&
	       strlen(colon + 1) <= 5 &&
	       colon[1 + strspn(colon + 1, "0123456789")] == '\0';
}

static int connect_path(const char *path)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(u.sun_path, sizeof(u.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&u, sizeof(u)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Connects within CONNECT_MS. */
static int connect_one(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, why = 0;
	socklen_t len = sizeof(why);
	struct pollfd q = {fd, POLLOUT, 0};

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		return fd;
	if (errno == EINPROGRESS && poll(&q, 1, CONNECT_MS) == 1 &&
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 && why == 0)
		return fd;
	errno = why ? why : errno == EINPROGRESS ? ETIMEDOUT : errno;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

static int connect_host(const char *where, const char **why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *a;
	char host[DIAL_BYTES];
	const char *port;
	int fd = -1, rc;

	snprintf(host, sizeof(host), "%s", where);
	*strrchr(host, ':') = '\0';
	port = strrchr(where, ':') + 1;
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc != 0) {
		*why = gai_strerror(rc);
		return -1;
	}
	for (a = list; a && fd < 0; a = a->ai_next)
		fd = connect_one(a);
	*why = fd < 0 ? strerror(errno) : NULL;
	freeaddrinfo(list);
	return fd;
}

enum err dial(int *out, const char *where, struct err_ctx *ctx)
{
	const char *why = NULL;
	int fd;

	if (!dial_is_address(where))
		return err_set(ctx, ERR_INVALID,
			"'%s' is no address: use HOST:PORT, or the path of a socket",
			where);
	if (strchr(where, '/')) {
		fd = connect_path(where);
		why = fd < 0 ? strerror(errno) : NULL;
	} else {
		fd = connect_host(where, &why);
	}
	if (fd < 0)
		return err_set(ctx, ERR_LINK, "'%s' cannot be reached: %s", where, why);
	*out = fd;
	return ERR_OK;
}
