/* A folder for files that a test writes, and short ways to write them. */
#ifndef HAWSER_TESTS_DATA_FIXTURE_H
#define HAWSER_TESTS_DATA_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/train/dataset.h"

static char fixture_dir[512];

static inline int fixture_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(fixture_dir, sizeof(fixture_dir), "%s/hawser-data-XXXXXX",
		tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(fixture_dir) ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
	(void)state;
	return file_remove_tree(fixture_dir, NULL);
}

/* A path in the folder; four are kept at a time. */
static inline const char *fixture_path(const char *name)
{
	static char paths[4][1024];
	static unsigned next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", fixture_dir, name);
	return p;
}

/* Writes a file and the folders above it. */
static inline void fixture_write(const char *name, const void *data, size_t len)
{
	char path[1024], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fixture_dir, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	if (file_mkdirs(path, NULL))
		abort();
	*slash = '/';
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f))
		abort();
}

static inline void fixture_puts(const char *name, const char *text)
{
	fixture_write(name, text, strlen(text));
}

/* Empties the folder. */
static inline void fixture_clear(void)
{
	if (file_remove_tree(fixture_dir, NULL) || file_mkdirs(fixture_dir, NULL))
		abort();
}

/* Opens a file of the folder as a data set. */
static inline void open_ok(struct dataset *d, const char *name, const char *format)
{
	struct err_ctx ctx = {{0}};

	if (dataset_open(d, fixture_path(name), format, &ctx))
		fail_msg("'%s': %s", name, ctx.msg);
}

/* Plain text in paragraphs. */
static inline void put_story(const char *name, int n_lines)
{
	static char text[65536];
	size_t n = 0;

	for (int i = 0; i < n_lines; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"Line %d %s says this  and\r\n%s", i, i % 3 ? "" : "\t",
			i % 5 ? "" : "\n");
	fixture_write(name, text, n);
}

#endif
