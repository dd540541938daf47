/* A tiny HTTP server on the loopback for tests: one file, and faults on demand. */
#ifndef HAWSER_TESTS_HTTP_FIXTURE_H
#define HAWSER_TESTS_HTTP_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_server {
	/* set by the test between requests */
	const char *body;
	size_t len;
	size_t cut_at; /* closes the connection after that many body bytes; 0: never */
	int status;    /* other than 200: that answer, without the file */
	int ignores_range;    /* answers 200 with the whole file */
	int wrong_range;      /* answers 206 from another place */
	int no_length;	      /* leaves Content-Length out */
	const char *etag;     /* NULL: none */
	const char *redirect; /* Location of a 302 */
	/* seen by the test */
	int n_requests;
	size_t n_sent; /* body bytes of the last answer */
	char request[2048];
	/* of the server */
	int fd;
	uint16_t port;
	pthread_t thread;
	char url[128];
};

static inline void http_send(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

/* Value of a request's header, lower-case name with the colon; NULL when absent. */
static inline const char *http_header(const char *request, const char *name)
{
	const char *at = strcasestr(request, name);

	return at ? at + strlen(name) + strspn(at + strlen(name), " ") : NULL;
}

static inline void http_answer(struct http_server *s, int fd)
{
	const char *range = http_header(s->request, "\nrange:");
	const char *condition = http_header(s->request, "\nif-range:");
	size_t from = 0, n;
	char head[1024];
	int status = 200, k;

	if (range && !s->ignores_range)
		from = strtoul(range + strlen("bytes="), NULL, 10);
	if (condition && (!s->etag || strncmp(condition, s->etag, strlen(s->etag))))
		from = 0; /* another version */
	if (from)
		status = from < s->len ? 206 : 416;
	if (s->status)
		status = s->status;
	n = status >= 400 ? 0 : s->len - from;
	k = snprintf(
		head, sizeof(head), "HTTP/1.1 %d x\r\nConnection: close\r\n", status);
	if (s->etag)
		k += snprintf(
			head + k, sizeof(head) - (size_t)k, "ETag: %s\r\n", s->etag);
	if (status == 206)
		k += snprintf(head + k, sizeof(head) - (size_t)k,
			"Content-Range: bytes %zu-%zu/%zu\r\n",
			s->wrong_range ? from + 1 : from, s->len - 1, s->len);
	if (status == 302)
		k += snprintf(head + k, sizeof(head) - (size_t)k, "Location: %s\r\n",
			s->redirect);
	if (!s->no_length)
		k += snprintf(head + k, sizeof(head) - (size_t)k,
			"Content-Length: %zu\r\n", status == 302 ? 0 : n);
	k += snprintf(head + k, sizeof(head) - (size_t)k, "\r\n");
	http_send(fd, head, (size_t)k);
	if (status == 302)
		n = 0;
	if (s->cut_at && n > s->cut_at)
		n = s->cut_at;
	s->n_sent = n;
	http_send(fd, s->body + from, n);
}

static inline void *http_serve(void *user)
{
	struct http_server *s = user;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		size_t n = 0;
		ssize_t got;

		s->request[0] = '\0';
		while (!strstr(s->request, "\r\n\r\n") && n + 1 < sizeof(s->request) &&
			(got = recv(fd, s->request + n, sizeof(s->request) - n - 1, 0)) >
				0) {
			n += (size_t)got;
			s->request[n] = '\0';
		}
		if (!strncmp(s->request, "QUIT", 4)) {
			close(fd);
			return NULL;
		}
		s->n_requests++;
		http_answer(s, fd);
		shutdown(fd, SHUT_WR);
		/* Until the client has closed: a reset would lose bytes on their way. */
		while (recv(fd, s->request + n, sizeof(s->request) - n - 1, 0) > 0)
			;
		close(fd);
	}
	return NULL;
}

/* 0 when the server listens. */
static inline int http_start(struct http_server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof(a)) ||
		listen(s->fd, 4) || getsockname(s->fd, (struct sockaddr *)&a, &len))
		return -1;
	s->port = ntohs(a.sin_port);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/set.tsv", s->port);
	return pthread_create(&s->thread, NULL, http_serve, s) ? -1 : 0;
}

static inline void http_stop(struct http_server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
		http_send(fd, "QUIT\r\n\r\n", 8);
	close(fd);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

#endif
