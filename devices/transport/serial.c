#include "devices/transport/transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "devices/transport/serial_rate.h"
#include "src/base/clock.h"

#define MIN_BAUD 50
#define MAX_BAUD 20000000

struct serial_transport {
	struct transport base;
	int fd;
	char path[256];
};

/* A pseudo-terminal outlives its last close, and would stay refused to everybody. */
static void give_back(struct serial_transport *s)
{
	if (s->fd < 0)
		return;
	ioctl(s->fd, TIOCNXCL);
	close(s->fd);
	s->fd = -1;
}

static enum err lost(struct serial_transport *s, const char *why, struct err_ctx *ctx)
{
	give_back(s);
	return err_set(ctx, ERR_LINK, "serial line '%s': %s", s->path, why);
}

static enum err serial_read(struct transport *t, void *buf, size_t cap, int timeout_ms,
	size_t *n, struct err_ctx *ctx)
{
	struct serial_transport *s = (struct serial_transport *)t;
	uint64_t until = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;

	if (s->fd < 0)
		return err_set(ctx, ERR_LINK, "serial line '%s' is closed", s->path);
	for (;;) {
		struct pollfd q = {s->fd, POLLIN, 0};
		uint64_t now = clock_mono_ns();
		int left = now >= until ? 0 : (int)((until - now + 999999) / 1000000);
		ssize_t got;

		if (poll(&q, 1, left) < 0 && errno != EINTR)
			return lost(s, strerror(errno), ctx);
		got = q.revents ? read(s->fd, buf, cap) : -1;
		if (got > 0) {
			*n = (size_t)got;
			return ERR_OK;
		}
		if (q.revents && (got == 0 || (errno != EAGAIN && errno != EINTR)))
			return lost(s, "the device is gone", ctx);
		if (clock_mono_ns() >= until)
			return err_set(
				ctx, ERR_TIMEOUT, "no answer within %d ms", timeout_ms);
	}
}

static enum err serial_write(struct transport *t, const void *data, size_t len,
	int timeout_ms, struct err_ctx *ctx)
{
	struct serial_transport *s = (struct serial_transport *)t;
	const uint8_t *at = data;

	if (s->fd < 0)
		return err_set(ctx, ERR_LINK, "serial line '%s' is closed", s->path);
	while (len) {
		ssize_t n = write(s->fd, at, len);
		struct pollfd q = {s->fd, POLLOUT, 0};

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return lost(s, "the device is gone", ctx);
		} else if (poll(&q, 1, timeout_ms) == 0) {
			return err_set(ctx, ERR_TIMEOUT, "serial line '%s' takes nothing",
				s->path);
		}
	}
	return ERR_OK;
}

static uint64_t serial_now_ms(struct transport *t)
{
	(void)t;
	return clock_mono_ns() / 1000000;
}

static void serial_close(struct transport *t)
{
	struct serial_transport *s = (struct serial_transport *)t;

	give_back(s);
	free(s);
}

static const struct transport_ops serial_ops = {
	.name = "serial",
	.read = serial_read,
	.write = serial_write,
	.now_ms = serial_now_ms,
	.close = serial_close,
};

/* "PROGRAM (pid N)" of who has locked the line; "" when that cannot be known. */
static void find_holder(const char *path, char *out, size_t cap)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256], name[64], comm[64] = "a program";
	struct stat st;

	out[0] = '\0';
	while (f && stat(path, &st) == 0 && fgets(line, sizeof(line), f)) {
		unsigned high, low;
		unsigned long inode;
		int pid;
		FILE *c;

		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &high, &low,
			    &inode) != 4 ||
			inode != st.st_ino || makedev(high, low) != st.st_dev)
			continue;
		snprintf(name, sizeof(name), "/proc/%d/comm", pid);
		c = fopen(name, "re");
		if (c && fgets(comm, sizeof(comm), c))
			comm[strcspn(comm, "\n")] = '\0';
		if (c)
			fclose(c);
		snprintf(out, cap, "%s (pid %d)", comm, pid);
		break;
	}
	if (f)
		fclose(f);
}

static enum err in_use(const char *path, struct err_ctx *ctx)
{
	char holder[96];

	find_holder(path, holder, sizeof(holder));
	return err_set(ctx, ERR_DEVICE, "serial line '%s' is in use by %s", path,
		holder[0] ? holder : "another program");
}

/* What there is instead, by the names that stay. */
static enum err no_line(const char *path, int why, struct err_ctx *ctx)
{
	DIR *d = why == ENOENT ? opendir("/dev/serial/by-id") : NULL;
	struct dirent *entry;
	char there[256] = "";

	while (d && (entry = readdir(d))) {
		size_t n = strlen(there);

		if (entry->d_name[0] != '.')
			snprintf(there + n, sizeof(there) - n, "%s%.100s", n ? ", " : "",
				entry->d_name);
	}
	if (d)
		closedir(d);
	if (why == ENOENT)
		return err_set(ctx, ERR_DEVICE,
			"there is no serial line '%s': is the board plugged in? In "
			"/dev/serial/by-id: %s",
			path, there[0] ? there : "none");
	return err_set(ctx, ERR_DEVICE, "cannot open serial line '%s': %s%s", path,
		strerror(why),
		why == EACCES ? "; is this user in the group 'dialout'?" : "");
}

/* Both locks: TIOCEXCL does not keep root out, flock only those who ask. */
static enum err take(struct serial_transport *s, uint32_t baud, struct err_ctx *ctx)
{
	struct termios t;
	int why;

	if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
		return in_use(s->path, ctx);
	if (tcgetattr(s->fd, &t) != 0)
		return err_set(ctx, ERR_DEVICE, "'%s' is not a serial line", s->path);
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= ~(tcflag_t)(HUPCL | CSTOPB | CRTSCTS);
	if (ioctl(s->fd, TIOCEXCL) != 0 || tcsetattr(s->fd, TCSANOW, &t) != 0)
		return err_set(ctx, ERR_DEVICE, "cannot set up serial line '%s': %s",
			s->path, strerror(errno));
	why = serial_rate_set(s->fd, baud);
	if (why)
		return err_set(ctx, ERR_DEVICE,
			"serial line '%s' does not take %u baud: %s", s->path,
			(unsigned)baud,
			why == -ERANGE ? "its adapter has no such rate" : strerror(-why));
	tcflush(s->fd, TCIOFLUSH);
	return ERR_OK;
}

enum err transport_serial_open(
	struct transport **out, const char *path, uint32_t baud, struct err_ctx *ctx)
{
	struct serial_transport *s = calloc(1, sizeof(*s));
	enum err e = ERR_OK;

	if (!s)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	s->base.ops = &serial_ops;
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->fd = -1;
	if (baud < MIN_BAUD || baud > MAX_BAUD)
		e = err_set(ctx, ERR_USAGE, "%u baud is no rate of a serial line",
			(unsigned)baud);
	if (!e) {
		s->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (s->fd < 0)
			e = errno == EBUSY ? in_use(path, ctx)
					   : no_line(path, errno, ctx);
	}
	e = e ? e : take(s, baud, ctx);
	if (e)
		serial_close(&s->base);
	else
		*out = &s->base;
	return e;
}
