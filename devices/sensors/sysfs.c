#include "devices/sensors/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSFS_PATH 512
#define MAX_NAMES 256
#define NAME_BYTES 64

/* "root" + "path" into `out`; -ENAMETOOLONG. */
static int sysfs_path(char out[SYSFS_PATH], const char *root, const char *path)
{
	int n = snprintf(out, SYSFS_PATH, "%s%s", root ? root : "", path);

	return n < 0 || n >= SYSFS_PATH ? -ENAMETOOLONG : 0;
}

int sysfs_text(const char *root, const char *path, char *out, size_t cap)
{
	char full[SYSFS_PATH];
	size_t len = 0;
	ssize_t n;
	int fd, rc = sysfs_path(full, root, path);

	if (rc)
		return rc;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < cap - 1 && (n = read(fd, out + len, cap - 1 - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			close(fd);
			return rc;
		}
		len += (size_t)n;
	}
	close(fd);
	while (len && strchr(" \n\t", out[len - 1]))
		len--;
	out[len] = '\0';
	return (int)len;
}

int sysfs_number(const char *root, const char *path, int64_t *out)
{
	char text[32], *end;
	int rc = sysfs_text(root, path, text, sizeof(text));
	long long v;

	if (rc < 0)
		return rc;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return -EINVAL;
	*out = v;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int sysfs_names(const char *root, const char *path, sysfs_each each, void *self)
{
	char full[SYSFS_PATH], names[MAX_NAMES][NAME_BYTES];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;
	int rc = sysfs_path(full, root, path);

	if (rc)
		return rc;
	dir = opendir(full);
	if (!dir)
		return -errno;
	while (n < MAX_NAMES && (e = readdir(dir)))
		if (e->d_name[0] != '.' && strlen(e->d_name) < NAME_BYTES)
			memcpy(names[n++], e->d_name, strlen(e->d_name) + 1);
	closedir(dir);
	qsort(names, n, NAME_BYTES, by_name);
	for (size_t i = 0; i < n && !rc; i++)
		rc = each(self, names[i]);
	return rc;
}
