#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/file.h"

static char dir[PATH_MAX];

static const char *in_dir(const char *name)
{
	static char path[2][PATH_MAX + 64];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static int make_dir(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hawser-file.XXXXXX", base ? base : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL);
}

static int count_entries(void)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void assert_holds(const char *path, const char *text)
{
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(path, 0, &b, NULL), ERR_OK);
	assert_string_equal(buf_str(&b), text);
	buf_release(&b);
}

static void file_reads_back_what_was_written(void **state)
{
	char *big = malloc(100000);
	struct stat st;
	struct buf b;

	(void)state;
	assert_non_null(big);
	for (int i = 0; i < 100000; i++)
		big[i] = (char)(i * 7);
	assert_int_equal(file_write_atomic(in_dir("a"), big, 100000, 0755, NULL), ERR_OK);
	assert_int_equal(stat(in_dir("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	buf_init(&b);
	buf_puts(&b, "before:");
	assert_int_equal(file_read(in_dir("a"), 100000, &b, NULL), ERR_OK);
	assert_int_equal(b.len, 100007);
	assert_memory_equal(b.data, "before:", 7);
	assert_memory_equal(b.data + 7, big, 100000);
	assert_int_equal(file_write_atomic(in_dir("a"), "", 0, 0600, NULL), ERR_OK);
	assert_holds(in_dir("a"), "");
	assert_int_equal(count_entries(), 1);
	buf_release(&b);
	free(big);
}

static void file_read_leaves_the_buffer_alone_when_it_fails(void **state)
{
	struct err_ctx ctx;
	struct buf b;

	(void)state;
	file_write_atomic(in_dir("a"), "0123456789", 10, 0644, NULL);
	buf_init(&b);
	buf_puts(&b, "kept");
	assert_int_equal(file_read(in_dir("a"), 9, &b, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "larger than the limit of 9 bytes"));
	assert_string_equal(buf_str(&b), "kept");
	assert_int_equal(file_read(in_dir("none"), 0, &b, &ctx), ERR_NOTFOUND);
	assert_non_null(strstr(ctx.msg, "cannot open '"));
	assert_non_null(strstr(ctx.msg, "none': No such file"));
	assert_int_equal(file_read(dir, 0, &b, &ctx), ERR_IO);
	assert_non_null(strstr(ctx.msg, "it is a folder"));
	assert_string_equal(buf_str(&b), "kept");
	assert_int_equal(b.len, 4);
	buf_release(&b);
}

/* The child may write 4096 bytes per file, as on a full disk. */
static void file_write_keeps_the_old_file_when_the_disk_is_full(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(file_write_atomic(in_dir("a"), "old", 3, 0644, NULL), ERR_OK);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit limit = {4096, 4096};
		static char data[65536];
		struct err_ctx ctx;
		enum err e;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		e = file_write_atomic(in_dir("a"), data, sizeof(data), 0644, &ctx);
		_exit(e == ERR_FULL && strstr(ctx.msg, "cannot write '") ? 42 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_holds(in_dir("a"), "old");
	assert_int_equal(count_entries(), 1); /* no temporary file left */
}

static void file_write_names_what_is_wrong(void **state)
{
	char *name = malloc(PATH_MAX + 10);
	struct err_ctx ctx;

	(void)state;
	assert_non_null(name);
	assert_int_equal(
		file_write_atomic(in_dir("no/a"), "x", 1, 0644, &ctx), ERR_NOTFOUND);
	assert_non_null(strstr(ctx.msg, "cannot create '"));
	mkdir(in_dir("d"), 0755);
	assert_int_equal(file_write_atomic(in_dir("d"), "x", 1, 0644, &ctx), ERR_IO);
	assert_non_null(strstr(ctx.msg, "Is a directory"));
	assert_int_equal(count_entries(), 1);
	memset(name, 'x', PATH_MAX + 9);
	name[PATH_MAX + 9] = '\0';
	assert_int_equal(file_write_atomic(name, "x", 1, 0644, &ctx), ERR_INVALID);
	assert_int_equal(file_mkdirs(name, &ctx), ERR_INVALID);
	free(name);
}

static void file_mkdirs_makes_the_whole_path(void **state)
{
	struct err_ctx ctx;

	(void)state;
	assert_int_equal(file_mkdirs(in_dir("a/b//c/"), &ctx), ERR_OK);
	assert_true(file_is_dir(in_dir("a/b/c")));
	assert_int_equal(file_mkdirs(in_dir("a/b/c"), &ctx), ERR_OK);
	assert_int_equal(file_mkdirs("/", &ctx), ERR_OK);
	assert_int_equal(file_mkdirs("", &ctx), ERR_INVALID);
	file_write_atomic(in_dir("f"), "", 0, 0644, NULL);
	assert_int_equal(file_mkdirs(in_dir("f"), &ctx), ERR_EXISTS);
	assert_int_equal(file_mkdirs(in_dir("f/x"), &ctx), ERR_NOTFOUND);
	assert_false(file_is_dir(in_dir("f")));
	assert_true(file_exists(in_dir("f")));
	assert_false(file_exists(in_dir("g")));
}

static void file_remove_tree_does_not_follow_links(void **state)
{
	(void)state;
	assert_int_equal(file_mkdirs(in_dir("t/u/v"), NULL), ERR_OK);
	assert_int_equal(file_mkdirs(in_dir("outside"), NULL), ERR_OK);
	file_write_atomic(in_dir("outside/precious"), "x", 1, 0644, NULL);
	file_write_atomic(in_dir("t/u/file"), "x", 1, 0444, NULL);
	assert_int_equal(symlink(in_dir("outside"), in_dir("t/u/link")), 0);
	assert_int_equal(symlink("nowhere", in_dir("t/dangling")), 0);
	assert_int_equal(file_remove_tree(in_dir("t"), NULL), ERR_OK);
	assert_false(file_exists(in_dir("t")));
	assert_true(file_exists(in_dir("outside/precious")));
	assert_int_equal(file_remove_tree(in_dir("t"), NULL), ERR_OK); /* missing: fine */
}

static void file_join_puts_one_slash(void **state)
{
	static const struct {
		const char *dir, *name, *joined;
	} rows[] = {
		{"a", "b", "a/b"},
		{"a/", "b", "a/b"},
		{"/", "b", "/b"},
		{"", "b", "b"},
	};
	char out[8] = "same", exact[4];

	(void)state;
	assert_int_equal(file_join(out, sizeof(out), "1234", "567", NULL), ERR_INVALID);
	assert_string_equal(out, "same");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			file_join(out, sizeof(out), rows[i].dir, rows[i].name, NULL),
			ERR_OK);
		assert_string_equal(out, rows[i].joined);
	}
	assert_int_equal(file_join(exact, sizeof(exact), "a", "b", NULL), ERR_OK);
	assert_int_equal(file_join(exact, 3, "a", "b", NULL), ERR_INVALID);
}

static void file_home_is_found_or_named(void **state)
{
	char home[PATH_MAX];
	struct err_ctx ctx;

	(void)state;
	setenv("HAWSER_HOME", dir, 1);
	assert_int_equal(file_home(home, sizeof(home), &ctx), ERR_NOTFOUND);
	assert_non_null(strstr(ctx.msg, "HAWSER_HOME is '"));
	file_mkdirs(in_dir("search/spaces"), NULL);
	assert_int_equal(file_home(home, sizeof(home), &ctx), ERR_OK);
	assert_string_equal(home, dir);
	assert_int_equal(file_home(home, 4, &ctx), ERR_INVALID);
	unsetenv("HAWSER_HOME");
	assert_int_equal(file_home(home, sizeof(home), &ctx), ERR_OK); /* the checkout */
	assert_true(strlen(home) + 14 < sizeof(home));
	strcat(home, "/search/spaces");
	assert_true(file_is_dir(home));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(file_reads_back_what_was_written),
		TEST(file_read_leaves_the_buffer_alone_when_it_fails),
		TEST(file_write_keeps_the_old_file_when_the_disk_is_full),
		TEST(file_write_names_what_is_wrong),
		TEST(file_mkdirs_makes_the_whole_path),
		TEST(file_remove_tree_does_not_follow_links),
		TEST(file_join_puts_one_slash),
		TEST(file_home_is_found_or_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
