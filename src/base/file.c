#include "src/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the caller can do about an errno value. */
static enum err code_of(int e)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOTFOUND;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_FULL;
	case ENOMEM:
		return ERR_NOMEM;
	default:
		return ERR_IO;
	}
}

static enum err fail(struct err_ctx *ctx, const char *what, const char *path, int e)
{
	return err_set(ctx, code_of(e), "cannot %s '%s': %s", what, path, strerror(e));
}

static enum err read_all(
	int fd, const char *path, size_t limit, struct buf *out, struct err_ctx *ctx)
{
	char chunk[16384];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(ctx, "read", path, errno);
		if (n == 0)
			return buf_err(out, ctx);
		total += (size_t)n;
		if (limit && total > limit)
			return err_set(ctx, ERR_INVALID,
				"'%s' is larger than the limit of %zu bytes", path,
				limit);
		buf_append(out, chunk, (size_t)n);
		if (out->failed)
			return buf_err(out, ctx);
	}
}

enum err file_read(const char *path, size_t limit, struct buf *out, struct err_ctx *ctx)
{
	size_t before = out->len;
	struct stat st;
	enum err e;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(ctx, "open", path, errno);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		e = err_set(ctx, ERR_IO, "cannot read '%s': it is a folder", path);
	else
		e = read_all(fd, path, limit, out, ctx);
	close(fd);
	if (e && out->data) {
		out->len = before;
		out->data[before] = '\0';
	}
	return e;
}

/* Makes a finished rename survive a power cut. Some file systems cannot, which is not
 * the caller's fault, so failure is not reported. */
static void sync_parent(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	int fd;

	if (len >= sizeof(dir))
		return;
	if (!slash) {
		strcpy(dir, ".");
	} else if (len == 0) {
		strcpy(dir, "/");
	} else {
		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

/* Returns 0 or an errno value. */
static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return ENOSPC;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

enum err file_write_atomic(
	const char *path, const void *data, size_t len, int mode, struct err_ctx *ctx)
{
	char tmp[PATH_MAX];
	int fd, e, n = snprintf(tmp, sizeof(tmp), "%s.tmp.XXXXXX", path);

	if (n < 0 || (size_t)n >= sizeof(tmp))
		return err_set(ctx, ERR_INVALID, "path '%.60s...' is too long", path);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return fail(ctx, "create", path, errno);
	e = write_all(fd, data, len);
	if (!e && fchmod(fd, (mode_t)mode) < 0)
		e = errno;
	if (!e && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		e = errno;
	if (close(fd) < 0 && !e && errno != EINTR)
		e = errno;
	if (!e && rename(tmp, path) < 0)
		e = errno;
	if (e) {
		unlink(tmp);
		return fail(ctx, "write", path, e);
	}
	sync_parent(path);
	return ERR_OK;
}

int file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

int file_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum err file_mkdirs(const char *path, struct err_ctx *ctx)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0)
		return err_set(ctx, ERR_INVALID, "cannot create a folder without a name");
	if (len >= sizeof(part))
		return err_set(ctx, ERR_INVALID, "path '%.60s...' is too long", path);
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		char kept = part[i];

		if (kept != '/' && kept != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0777) < 0 && errno != EEXIST)
			return fail(ctx, "create folder", part, errno);
		part[i] = kept;
	}
	if (!file_is_dir(path))
		return err_set(ctx, ERR_EXISTS,
			"cannot create folder '%s': a file of that name is there", path);
	return ERR_OK;
}

/* Opened relative to its parent and never through a link, so that a folder swapped for a
 * link meanwhile cannot lead the removal elsewhere. */
static int remove_at(int parent, const char *name)
{
	struct dirent *d;
	int fd, e = 0;
	DIR *dir;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	dir = fdopendir(fd);
	if (!dir) {
		e = errno;
		close(fd);
		return e;
	}
	while (!e && (errno = 0, d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = remove_at(fd, d->d_name);
	if (!e)
		e = errno;
	closedir(dir);
	if (!e && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		e = errno;
	return e;
}

enum err file_remove_tree(const char *path, struct err_ctx *ctx)
{
	int e = remove_at(AT_FDCWD, path);

	return e ? fail(ctx, "remove", path, e) : ERR_OK;
}

enum err file_join(
	char *out, size_t cap, const char *dir, const char *name, struct err_ctx *ctx)
{
	size_t len = strlen(dir), tail = strlen(name);
	int slash = len > 0 && dir[len - 1] != '/';

	if (len + (size_t)slash + tail >= cap)
		return err_set(
			ctx, ERR_INVALID, "path '%.60s.../%.60s' is too long", dir, name);
	memmove(out, dir, len);
	if (slash)
		out[len++] = '/';
	memcpy(out + len, name, tail + 1);
	return ERR_OK;
}

/* Is there a Hawser folder at `dir`? */
static int is_home(const char *dir)
{
	char path[PATH_MAX];

	return file_join(path, sizeof(path), dir, "search/spaces", NULL) == ERR_OK &&
	       file_is_dir(path);
}

static enum err copy_path(char *out, size_t cap, const char *path, struct err_ctx *ctx)
{
	size_t len = strlen(path);

	if (len >= cap)
		return err_set(ctx, ERR_INVALID, "path '%.60s...' is too long", path);
	memcpy(out, path, len + 1);
	return ERR_OK;
}

enum err file_home(char *out, size_t cap, struct err_ctx *ctx)
{
	const char *given = getenv("HAWSER_HOME");
	char exe[PATH_MAX], share[PATH_MAX], *slash;
	ssize_t n;

	if (given && *given) {
		if (!is_home(given))
			return err_set(ctx, ERR_NOTFOUND,
				"HAWSER_HOME is '%s', where there is no search/spaces",
				given);
		return copy_path(out, cap, given, ctx);
	}
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		return fail(ctx, "read", "/proc/self/exe", errno);
	exe[n] = '\0';
	while ((slash = strrchr(exe, '/')) != NULL && slash != exe) {
		*slash = '\0';
		if (is_home(exe))
			return copy_path(out, cap, exe, ctx);
		if (file_join(share, sizeof(share), exe, "share/hawser", NULL) ==
				ERR_OK &&
			is_home(share))
			return copy_path(out, cap, share, ctx);
	}
	return err_set(ctx, ERR_NOTFOUND,
		"cannot find Hawser's own folder (with search/spaces); set HAWSER_HOME");
}
