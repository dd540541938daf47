#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/progress.h"

static char seen[65536];

/* All that was written to `f` so far. */
static const char *written(FILE *f)
{
	size_t n;

	rewind(f);
	n = fread(seen, 1, sizeof(seen) - 1, f);
	seen[n] = '\0';
	return seen;
}

static void progress_writes_plain_lines_to_a_log(void **state)
{
	FILE *f = tmpfile();
	struct progress *p = progress_new(f, 0);

	(void)state;
	assert_non_null(p);
	progress_begin(p, "train", 200);
	progress_update(p, 50, "loss %.2f", 1.25);
	progress_say(p, "note %d", 7);
	progress_update(p, 500, NULL);
	progress_end(p, "f1 %.1f", 81.2);
	progress_free(p);
	written(f);
	assert_null(strchr(seen, '\r'));
	assert_null(strchr(seen, '\033'));
	assert_ptr_equal(strstr(seen, "train  25% 50/200  loss 1.25  ETA "), seen);
	assert_non_null(strstr(seen, "\nnote 7\n"));
	assert_non_null(strstr(seen, "\ntrain 100% 200/200\n")); /* clamped */
	assert_non_null(strstr(seen, "\ntrain: f1 81.2 (0s)\n"));
	fclose(f);
}

static void progress_log_is_silent_between_its_intervals(void **state)
{
	FILE *f = tmpfile();
	struct progress *p = progress_new(f, 3600);

	(void)state;
	progress_begin(p, "a", 0);
	for (int i = 0; i < 1000; i++)
		progress_update(p, (uint64_t)i, "x");
	assert_string_equal(written(f), "");
	progress_begin(p, "b", 0); /* ends "a" */
	progress_end(p, NULL);
	progress_end(p, "again"); /* nothing is open */
	progress_free(p);
	assert_string_equal(written(f), "a: done (0s)\nb: done (0s)\n");
	fclose(f);
}

static void progress_counts_without_a_total(void **state)
{
	FILE *f = tmpfile();
	struct progress *p = progress_new(f, 0);

	(void)state;
	progress_begin(p, "read", 0);
	progress_update(p, 12, "lines");
	assert_string_equal(written(f), "read 12  lines\n");
	progress_free(p);
	fclose(f);
}

static void progress_null_is_silent(void **state)
{
	struct progress *p = progress_new(NULL, 1);

	(void)state;
	assert_null(p);
	progress_begin(p, "x", 1);
	progress_update(p, 1, "y");
	progress_say(p, "z");
	progress_end(p, "w");
	progress_free(p);
}

/* A pseudo-terminal: the line is redrawn in place, and a message goes above it. */
static void progress_redraws_on_a_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct progress *p;
	const char *name;
	size_t len = 0;
	ssize_t n;
	FILE *f;

	(void)state;
	if (master < 0 || grantpt(master) || unlockpt(master) ||
		!(name = ptsname(master))) {
		print_message("SKIP: no pseudo-terminal here\n");
		skip();
	}
	f = fopen(name, "r+");
	assert_non_null(f);
	p = progress_new(f, 0);
	progress_begin(p, "job", 10);
	for (int i = 0; i < 100; i++)
		progress_update(p, 0, "mostly too soon to draw");
	progress_say(p, "hello");
	progress_end(p, "done");
	progress_free(p);
	fcntl(master, F_SETFL, O_NONBLOCK);
	while ((n = read(master, seen + len, sizeof(seen) - 1 - len)) > 0)
		len += (size_t)n;
	seen[len] = '\0';
	assert_ptr_equal(strstr(seen, "job [....................]   0% 0/10"), seen);
	assert_non_null(strstr(seen, "\r\033[Khello\r\njob [..."));
	assert_non_null(strstr(seen, "\r\033[Kjob: done (0s)\r\n"));
	fclose(f);
	close(master);
}

static void *update_many(void *arg)
{
	for (int i = 0; i < 200; i++)
		progress_update(arg, (uint64_t)i, "%s", "aaaaaaaaaa");
	return NULL;
}

static void progress_keeps_lines_whole_between_threads(void **state)
{
	FILE *f = tmpfile();
	struct progress *p = progress_new(f, 0);
	pthread_t thread[3];
	size_t lines = 0;
	char *line;

	(void)state;
	progress_begin(p, "t", 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, update_many, p), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	progress_free(p);
	written(f);
	for (line = strtok(seen, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		assert_int_equal(strncmp(line, "t ", 2), 0);
		assert_string_equal(line + strlen(line) - 11, " aaaaaaaaaa");
	}
	assert_int_equal(lines, 600);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(progress_writes_plain_lines_to_a_log),
		cmocka_unit_test(progress_log_is_silent_between_its_intervals),
		cmocka_unit_test(progress_counts_without_a_total),
		cmocka_unit_test(progress_null_is_silent),
		cmocka_unit_test(progress_redraws_on_a_terminal),
		cmocka_unit_test(progress_keeps_lines_whole_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
