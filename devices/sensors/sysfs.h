/* Small files of the kernel (/sys, /proc) below a root prefix, so that a folder of
 * fixtures stands in for a machine. No stdio; -errno on failure.
 */
#ifndef HAWSER_DEVICES_SENSORS_SYSFS_H
#define HAWSER_DEVICES_SENSORS_SYSFS_H

#include <stddef.h>
#include <stdint.h>

/* The file's first bytes, terminated, without trailing white space. Bytes read or -errno.
 */
int sysfs_text(const char *root, const char *path, char *out, size_t cap);
/* A whole decimal number; -EINVAL when it is not one. */
int sysfs_number(const char *root, const char *path, int64_t *out);
/* Calls `each` for the names in a folder, sorted by code; stops when it
 * returns non-zero and returns that; 0 at the end; -errno when the folder cannot be read.
 */
typedef int (*sysfs_each)(void *self, const char *name);
int sysfs_names(const char *root, const char *path, sysfs_each each, void *self);

#endif
