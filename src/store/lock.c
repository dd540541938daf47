#include "src/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/hash.h"
#include "src/store/store.h"

#define HOST_MAX 256

static char *beside(const char *path, const char *suffix)
{
	size_t len = strlen(path) + strlen(suffix) + 1;
	char *name = malloc(len);

	if (name)
		snprintf(name, len, "%s%s", path, suffix);
	return name;
}

static enum err holder_text(int fd, long *pid, char *host, size_t cap)
{
	char text[HOST_MAX + 32] = "";
	char *end, *line;
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	if (got <= 0)
		return ERR_NOTFOUND;
	text[got] = 0;
	*pid = strtol(text, &end, 10);
	if (end == text || *end != '\n' || *pid <= 0)
		return ERR_PARSE;
	line = end + 1;
	line[strcspn(line, "\n")] = 0;
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	snprintf(host, cap, "%s", line);
	return ERR_OK;
}

/* store_holder takes the lock for an instant to see whether it is free, so one refusal
 * is not believed: a holder keeps it for longer than this. */
static int take(int fd, int how)
{
	for (int i = 0;; i++) {
		struct timespec pause = {0, 10 * 1000 * 1000};

		if (!flock(fd, how | LOCK_NB))
			return 0;
		if ((errno != EWOULDBLOCK && errno != EINTR) || i == 10)
			return -1;
		nanosleep(&pause, NULL);
	}
}

static enum err refused(int fd, const char *path, struct err_ctx *ctx)
{
	char host[HOST_MAX];
	long pid;

	if (errno != EWOULDBLOCK)
		return err_set(
			ctx, ERR_IO, "cannot lock '%s.lock': %s", path, strerror(errno));
	if (holder_text(fd, &pid, host, sizeof(host)))
		return err_set(ctx, ERR_BUSY,
			"database '%s' is in use by another controller", path);
	return err_set(ctx, ERR_BUSY,
		"database '%s' is in use by process %ld on host '%s': wait for it, or "
		"ask it to end with 'hawser stop'",
		path, pid, host);
}

enum err lock_take(const char *path, int *fd, struct err_ctx *ctx)
{
	char host[HOST_MAX] = "", text[HOST_MAX + 32];
	char *name = beside(path, ".lock");
	int made, len;

	if (!name)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	made = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	free(name);
	if (made < 0)
		return err_set(ctx, errno == ENOSPC ? ERR_FULL : ERR_IO,
			"cannot open '%s.lock': %s", path, strerror(errno));
	if (take(made, LOCK_EX)) {
		enum err e = refused(made, path, ctx);

		close(made);
		return e;
	}
	gethostname(host, sizeof(host) - 1);
	len = snprintf(text, sizeof(text), "%ld\n%s\n", (long)getpid(), host);
	/* The text is a courtesy: a disk too full for it must not stop anybody here. */
	if (ftruncate(made, 0) || pwrite(made, text, (size_t)len, 0) != len)
		(void)!ftruncate(made, 0);
	*fd = made;
	return ERR_OK;
}

void lock_release(int fd)
{
	if (fd < 0)
		return;
	(void)!ftruncate(fd, 0);
	close(fd);
}

int store_holder(const char *path, long *pid, char *host, size_t cap)
{
	char *name = beside(path, ".lock");
	int fd, held = 0;

	*pid = 0;
	if (cap)
		host[0] = 0;
	fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	free(name);
	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK) {
		held = 1;
		holder_text(fd, pid, host, cap);
	}
	close(fd);
	return held;
}

/* "<path>.stop-<hash of the job's name>": any name makes a legal file name. */
static char *stop_name(const char *path, const char *job)
{
	char hex[HASH_HEX + 1], suffix[32];
	struct hash h;

	hash_bytes(&h, job, strlen(job));
	hash_to_hex(&h, hex);
	snprintf(suffix, sizeof(suffix), ".stop-%.16s", hex);
	return beside(path, suffix);
}

enum err store_request_stop(const char *path, const char *job, struct err_ctx *ctx)
{
	char *name = stop_name(path, job);
	enum err e;

	if (!name)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = file_write_atomic(name, job, strlen(job), 0644, ctx);
	free(name);
	return e;
}

int store_stop_requested(const char *path, const char *job)
{
	char *name = stop_name(path, job);
	int there = name && !access(name, F_OK);

	free(name);
	return there;
}

void store_clear_stop(const char *path, const char *job)
{
	char *name = stop_name(path, job);

	if (name)
		unlink(name);
	free(name);
}
