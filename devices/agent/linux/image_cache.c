#include "devices/agent/linux/image_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "devices/agent/agent.h"

#define FOR ", for "

static int fault(char *why, int code, const char *what, const char *path)
{
	int e = errno;

	if (e == ENOSPC || e == EDQUOT)
		code = WIRE_E_NO_SPACE;
	snprintf(why, AGENT_WHY, "cannot %s '%.100s': %s", what, path, strerror(e));
	return code;
}

static void name_of(const struct image_cache *c, const uint8_t hash[SHA256_BYTES],
	const char *suffix, char path[CACHE_PATH])
{
	char hex[2 * SHA256_BYTES + 1];

	for (size_t i = 0; i < SHA256_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	snprintf(path, CACHE_PATH, "%s/%s%s", c->dir, hex, suffix);
}

static int make_dirs(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST) {
			*p = '/';
			return -1;
		}
		*p = '/';
	}
	return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

int image_cache_init(
	struct image_cache *c, const char *dir, uint64_t max_bytes, char *why)
{
	struct stat st;

	memset(c, 0, sizeof(*c));
	c->fd = c->lease_fd = -1;
	c->max_bytes = max_bytes;
	if (dir[0] == '\0' || strlen(dir) >= sizeof(c->dir)) {
		snprintf(why, AGENT_WHY, "the cache folder's name is empty or too long");
		return WIRE_E_IO;
	}
	memcpy(c->dir, dir, strlen(dir) + 1);
	if (make_dirs(c->dir) != 0 || lstat(c->dir, &st) != 0)
		return fault(why, WIRE_E_IO, "make the cache folder", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022) {
		snprintf(why, AGENT_WHY,
			"the cache folder '%.100s' can be written by others: use --cache "
			"DIR",
			dir);
		return WIRE_E_IO;
	}
	return 0;
}

static void end_upload(struct image_cache *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void image_cache_release(struct image_cache *c)
{
	end_upload(c);
	if (c->lease_fd >= 0)
		close(c->lease_fd);
	c->lease_fd = -1;
}

/* The holder's agent is one of the same controller's, cut off from it: it has to go. */
static int take_over(int fd, const char *holder, const char *controller)
{
	const char *whose = strstr(holder, FOR);
	pid_t pid = strncmp(holder, "pid ", 4) ? 0 : atoi(holder + 4);

	if (!controller[0] || !whose || strcmp(whose + strlen(FOR), controller) != 0 ||
		pid <= 1)
		return -1;
	for (int tick = 0; tick < 300; tick++) {
		const struct timespec pause = {0, 10000000};

		if (tick == 0 || tick == 100)
			kill(pid, tick ? SIGKILL : SIGTERM);
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -1;
}

int image_cache_lease(struct image_cache *c, const char *controller, char *why)
{
	char path[CACHE_PATH], holder[AGENT_WHY - 16] = "", host[64] = "";
	int fd, n;

	if (c->lease_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s/lease", c->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fault(why, WIRE_E_IO, "open", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t got = pread(fd, holder, sizeof(holder) - 1, 0);

		holder[got > 0 ? got : 0] = '\0';
		if (take_over(fd, holder, controller) != 0) {
			close(fd);
			snprintf(why, AGENT_WHY, "held by %s",
				holder[0] ? holder : "another controller");
			return WIRE_E_LEASED;
		}
	}
	gethostname(host, sizeof(host) - 1);
	n = snprintf(holder, sizeof(holder), "pid %d on %s%s%s", (int)getpid(), host,
		controller[0] ? FOR : "", controller);
	if (n >= (int)sizeof(holder) || ftruncate(fd, 0) != 0 ||
		pwrite(fd, holder, (size_t)n, 0) != n) {
		close(fd);
		return fault(why, WIRE_E_IO, "write", path);
	}
	c->lease_fd = fd;
	return 0;
}

/* Hashing */

static int hash_file(int fd, uint8_t out[SHA256_BYTES])
{
	static uint8_t buf[65536];
	struct sha256 st;
	off_t at = 0;

	sha256_init(&st);
	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		sha256_update(&st, buf, (size_t)n);
		at += n;
	}
	sha256_final(&st, out);
	return 0;
}

static int is_known(const struct image_cache *c, const uint8_t hash[SHA256_BYTES])
{
	size_t n = c->n_known < CACHE_KNOWN ? c->n_known : CACHE_KNOWN;

	for (size_t i = 0; i < n; i++)
		if (memcmp(c->known[i], hash, SHA256_BYTES) == 0)
			return 1;
	return 0;
}

static void remember(struct image_cache *c, const uint8_t hash[SHA256_BYTES])
{
	memcpy(c->known[c->n_known++ % CACHE_KNOWN], hash, SHA256_BYTES);
}

/* Is the file there, and what its name says? A damaged one is deleted. */
static int check(
	struct image_cache *c, const uint8_t hash[SHA256_BYTES], const char *path)
{
	uint8_t found[SHA256_BYTES];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), same;

	if (fd < 0)
		return 0;
	if (is_known(c, hash) && fstat(fd, &st) == 0 && st.st_size > 0) {
		close(fd);
		return 1;
	}
	same = hash_file(fd, found) == 0 && memcmp(found, hash, SHA256_BYTES) == 0;
	close(fd);
	if (same)
		remember(c, hash);
	else
		unlink(path);
	return same;
}

/* Room: the files used longest ago go first. */

struct oldest {
	char name[96];
	struct timespec used;
	uint64_t total;
};

static int scan(const struct image_cache *c, const char *keep, struct oldest *o)
{
	DIR *dir = opendir(c->dir);
	struct dirent *e;

	memset(o, 0, sizeof(*o));
	if (!dir)
		return -1;
	while ((e = readdir(dir))) {
		struct stat st;

		if ((!strstr(e->d_name, ".img") && !strstr(e->d_name, ".part")) ||
			strlen(e->d_name) >= sizeof(o->name) ||
			fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		o->total += (uint64_t)st.st_size;
		if (strncmp(e->d_name, keep, 2 * SHA256_BYTES) == 0)
			continue;
		if (!o->name[0] || st.st_mtim.tv_sec < o->used.tv_sec ||
			(st.st_mtim.tv_sec == o->used.tv_sec &&
				st.st_mtim.tv_nsec < o->used.tv_nsec)) {
			memcpy(o->name, e->d_name, strlen(e->d_name) + 1);
			o->used = st.st_mtim;
		}
	}
	closedir(dir);
	return 0;
}

static int drop(const struct image_cache *c, const struct oldest *o)
{
	char path[CACHE_PATH + sizeof(o->name)];

	snprintf(path, sizeof(path), "%s/%s", c->dir, o->name);
	return unlink(path);
}

static void make_room(struct image_cache *c, const char *keep_path, uint64_t need)
{
	const char *keep = strrchr(keep_path, '/') + 1;
	struct oldest o;

	while (scan(c, keep, &o) == 0 && o.name[0] && o.total + need > c->max_bytes)
		if (drop(c, &o) != 0)
			return;
}

/* The disk is full, before the cache is: one old file less, if there is one. */
static int give_way(const struct image_cache *c)
{
	char path[CACHE_PATH];
	struct oldest o;

	name_of(c, c->hash, "", path);
	return scan(c, strrchr(path, '/') + 1, &o) == 0 && o.name[0] && drop(c, &o) == 0;
}

int image_cache_open(struct image_cache *c, const struct wire_offer *m,
	struct agent_stored **out, char *why)
{
	char path[CACHE_PATH];
	struct stat st;

	if (m->size > c->max_bytes) {
		snprintf(why, AGENT_WHY, "larger than the agent's cache");
		return WIRE_E_TOO_LARGE;
	}
	end_upload(c);
	memcpy(c->hash, m->hash, SHA256_BYTES);
	c->is = (struct agent_stored){.size = m->size};
	name_of(c, m->hash, ".img", path);
	if (check(c, m->hash, path)) {
		utimensat(AT_FDCWD, path, NULL, 0);
		c->is.have = m->size;
		c->is.complete = 1;
		*out = &c->is;
		return 0;
	}
	name_of(c, m->hash, ".part", path);
	make_room(c, path, m->size);
	c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0700);
	if (c->fd < 0 || fstat(c->fd, &st) != 0)
		return fault(why, WIRE_E_IO, "write", path);
	if ((uint64_t)st.st_size > m->size) {
		if (ftruncate(c->fd, 0) != 0)
			return fault(why, WIRE_E_IO, "truncate", path);
		st.st_size = 0;
	}
	c->is.have = (uint32_t)st.st_size;
	c->sums = c->is.have == 0;
	sha256_init(&c->sum);
	*out = &c->is;
	return 0;
}

int image_cache_append(struct image_cache *c, const uint8_t *data, size_t len, char *why)
{
	if (c->fd < 0)
		return WIRE_E_NOT_FOUND;
	if (c->sums)
		sha256_update(&c->sum, data, len);
	while (len) {
		ssize_t n = write(c->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT) && give_way(c))
			continue;
		if (n <= 0) {
			int code = fault(
				why, WIRE_E_IO, "write to the cache folder", c->dir);
			char path[CACHE_PATH];

			name_of(c, c->hash, ".part", path);
			unlink(path);
			end_upload(c);
			return code;
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int image_cache_verify(struct image_cache *c, char *why)
{
	char part[CACHE_PATH], path[CACHE_PATH];
	uint8_t found[SHA256_BYTES];

	if (c->fd < 0)
		return WIRE_E_NOT_FOUND;
	name_of(c, c->hash, ".part", part);
	name_of(c, c->hash, ".img", path);
	if (c->sums)
		sha256_final(&c->sum, found);
	else if (hash_file(c->fd, found) != 0)
		return fault(why, WIRE_E_IO, "read", part);
	if (memcmp(found, c->hash, SHA256_BYTES) != 0) {
		unlink(part);
		end_upload(c);
		return WIRE_E_HASH;
	}
	if (fchmod(c->fd, 0500) != 0 || fsync(c->fd) != 0 || rename(part, path) != 0) {
		int code = fault(why, WIRE_E_IO, "keep", path);

		unlink(part); /* nobody knows what of it is on the disk */
		end_upload(c);
		return code;
	}
	end_upload(c); /* a file open for writing cannot be run */
	sync_dir(c->dir);
	remember(c, c->hash);
	c->is.complete = 1;
	return 0;
}

int image_cache_find(struct image_cache *c, const uint8_t hash[SHA256_BYTES],
	char path[CACHE_PATH], char *why)
{
	name_of(c, hash, ".img", path);
	if (check(c, hash, path))
		return 0;
	snprintf(why, AGENT_WHY, "not stored here");
	return WIRE_E_NOT_FOUND;
}
