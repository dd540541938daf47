#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "src/base/hash.h"
#include "src/train/fetch.h"
#include "tests/unit/data_fixture.h"
#include "tests/unit/http_fixture.h"

#define BODY_BYTES 300000u

static char body[BODY_BYTES];
static char body_sha[HASH_HEX + 1];
static const char other_sha[] =
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static struct http_server server;

static int setup(void **state)
{
	struct hash h;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 2654435761u >> 13);
	hash_bytes(&h, body, sizeof(body));
	hash_to_hex(&h, body_sha);
	setenv("no_proxy", "127.0.0.1", 1);
	return fixture_setup(state);
}

/* A server with the file and no faults, and an empty folder. */
static int each_setup(void **state)
{
	(void)state;
	fixture_clear();
	if (http_start(&server))
		return -1;
	server.body = body;
	server.len = sizeof(body);
	server.etag = "\"v1\"";
	return 0;
}

static int each_teardown(void **state)
{
	(void)state;
	http_stop(&server);
	return 0;
}

static enum err get(const struct fetch_options *o, struct err_ctx *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	return fetch(server.url, fixture_path("out/set.tsv"), o, ctx);
}

static void assert_whole(void)
{
	struct buf got;

	buf_init(&got);
	assert_int_equal(file_read(fixture_path("out/set.tsv"), 0, &got, NULL), ERR_OK);
	assert_int_equal(got.len, sizeof(body));
	assert_memory_equal(got.data, body, got.len);
	buf_release(&got);
	assert_false(file_exists(fixture_path("out/set.tsv.part")));
	assert_false(file_exists(fixture_path("out/set.tsv.part.from")));
}

/* The file is not there, and the part has that many bytes (0: nor is the part). */
static void assert_part(size_t len)
{
	struct buf got;

	assert_false(file_exists(fixture_path("out/set.tsv")));
	assert_int_equal(file_exists(fixture_path("out/set.tsv.part")), len > 0);
	if (!len)
		return;
	buf_init(&got);
	assert_int_equal(
		file_read(fixture_path("out/set.tsv.part"), 0, &got, NULL), ERR_OK);
	assert_int_equal(got.len, len);
	buf_release(&got);
}

/* Leaves a part of 100,000 bytes. */
static void interrupt(const struct fetch_options *o)
{
	struct err_ctx ctx;

	server.cut_at = 100000;
	assert_int_equal(get(o, &ctx), ERR_IO);
	assert_non_null(strstr(ctx.msg, "interrupted after 100000 bytes"));
	assert_part(100000);
	server.cut_at = 0;
}

static void fetch_gives_the_whole_file(void **state)
{
	const struct fetch_options o = {.sha256 = body_sha};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	assert_int_equal(get(&o, &ctx), ERR_OK);
	assert_whole();
	assert_int_equal(server.n_requests, 1);
	/* There already, and the right one: no transfer. */
	assert_int_equal(get(&o, &ctx), ERR_OK);
	assert_int_equal(server.n_requests, 1);
}

static void fetch_resumes_when_interrupted(void **state)
{
	static const struct {
		const char *sha, *etag;
	} rows[] = {{body_sha, "\"v1\""}, {NULL, "\"v1\""}, {body_sha, NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fetch_options o = {.sha256 = rows[i].sha};
		struct err_ctx ctx;

		fixture_clear();
		file_mkdirs(fixture_path("out"), NULL);
		server.etag = rows[i].etag;
		interrupt(&o);
		assert_int_equal(get(&o, &ctx), ERR_OK);
		assert_whole();
		assert_int_equal(server.n_sent, sizeof(body) - 100000);
		assert_non_null(strcasestr(server.request, "range: bytes=100000-"));
		assert_int_equal(!strcasestr(server.request, "if-range:"), !rows[i].etag);
	}
}

static void fetch_resumes_again_and_again(void **state)
{
	const struct fetch_options o = {.sha256 = body_sha};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	server.cut_at = 70000;
	for (size_t k = 1; k <= 4; k++) {
		assert_int_equal(get(&o, &ctx), ERR_IO);
		assert_part(k * 70000);
	}
	assert_int_equal(get(&o, &ctx), ERR_OK);
	assert_whole();
	assert_int_equal(server.n_sent, 20000);
}

static void fetch_starts_over_when_it_cannot_resume(void **state)
{
	enum { NEW_VERSION, NO_RANGES, UNKNOWN_VERSION, REFUSED, OTHER_URL, N_CASES };
	const struct fetch_options plain = {.sha256 = NULL},
				   checked = {.sha256 = body_sha};
	struct err_ctx ctx;

	(void)state;
	for (int k = 0; k < N_CASES; k++) {
		const struct fetch_options *o = k == REFUSED ? &checked : &plain;

		fixture_clear();
		file_mkdirs(fixture_path("out"), NULL);
		server.ignores_range = 0;
		server.etag = k == UNKNOWN_VERSION || k == REFUSED ? NULL : "\"v1\"";
		interrupt(o);
		if (k == NEW_VERSION)
			server.etag = "\"v2\"";
		server.ignores_range = k == NO_RANGES;
		if (k == REFUSED) {
			/* A part that is longer than the file is now. */
			FILE *f = fopen(fixture_path("out/set.tsv.part"), "ab");

			for (size_t i = 0; i < BODY_BYTES; i++)
				putc('x', f);
			fclose(f);
		}
		if (k == OTHER_URL)
			fixture_puts("out/set.tsv.part.from",
				"http://127.0.0.1/other\n\"v1\"\n");
		assert_int_equal(get(o, &ctx), ERR_OK);
		assert_whole();
		assert_int_equal(server.n_sent, sizeof(body));
	}
}

static void fetch_refuses_a_wrong_hash(void **state)
{
	const struct fetch_options o = {.sha256 = other_sha}, bad = {.sha256 = "12ab"};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	assert_int_equal(get(&o, &ctx), ERR_CORRUPT);
	assert_non_null(strstr(ctx.msg, body_sha));
	assert_non_null(strstr(ctx.msg, other_sha));
	assert_part(0);
	assert_int_equal(get(&bad, &ctx), ERR_USAGE);
}

static void fetch_refuses_a_large_file(void **state)
{
	const struct fetch_options o = {.max_bytes = 1000};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	for (int k = 0; k < 2; k++) {
		server.no_length = k;
		assert_int_equal(get(&o, &ctx), ERR_INVALID);
		assert_non_null(strstr(ctx.msg, "1000"));
		assert_part(0);
	}
}

static void fetch_tells_what_the_server_answered(void **state)
{
	static const struct {
		int status;
		enum err want;
	} rows[] = {
		{404, ERR_NOTFOUND}, {410, ERR_NOTFOUND}, {403, ERR_IO}, {500, ERR_IO}};
	const struct fetch_options o = {.sha256 = NULL};
	struct err_ctx ctx;
	char number[8];

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		server.status = rows[i].status;
		assert_int_equal(get(&o, &ctx), rows[i].want);
		snprintf(number, sizeof(number), "%d", rows[i].status);
		assert_non_null(strstr(ctx.msg, number));
		assert_part(0);
	}
}

static void fetch_keeps_the_part_when_the_server_is_away(void **state)
{
	const struct fetch_options o = {.sha256 = body_sha};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	interrupt(&o);
	server.status = 503;
	assert_int_equal(get(&o, &ctx), ERR_IO);
	assert_part(100000);
	server.status = 0;
	assert_int_equal(get(&o, &ctx), ERR_OK);
	assert_whole();
}

static void fetch_refuses_another_range_than_asked_for(void **state)
{
	const struct fetch_options o = {.sha256 = NULL};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	interrupt(&o);
	server.wrong_range = 1;
	assert_int_equal(get(&o, &ctx), ERR_IO);
	assert_non_null(strstr(ctx.msg, "another range"));
	assert_part(100000);
}

static void fetch_follows_redirects_to_http_only(void **state)
{
	const struct fetch_options o = {.sha256 = NULL};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	server.status = 302;
	server.redirect = "file:///etc/hostname";
	assert_int_not_equal(get(&o, &ctx), ERR_OK);
	assert_part(0);
}

static void fetch_reads_file_urls(void **state)
{
	const struct fetch_options o = {.sha256 = body_sha};
	struct err_ctx ctx = {{0}};
	char url[1200];

	(void)state;
	fixture_write("from/set.tsv", body, sizeof(body));
	fixture_write("out/set.tsv.part", "rubbish", 7);
	snprintf(url, sizeof(url), "file://%s", fixture_path("from/set.tsv"));
	assert_int_equal(fetch(url, fixture_path("out/set.tsv"), &o, &ctx), ERR_OK);
	assert_whole();
	snprintf(url, sizeof(url), "file://%s", fixture_path("from/none"));
	assert_int_equal(fetch(url, fixture_path("out/x"), &o, &ctx), ERR_NOTFOUND);
}

static void fetch_refuses_strange_urls_and_paths(void **state)
{
	static const char *const urls[] = {"ftp://127.0.0.1/x", "", "nothing", "://",
		"http://", "gopher://127.0.0.1/1", "http://127.0.0.1/\r\nX: y"};
	const struct fetch_options o = {.sha256 = NULL}, checked = {.sha256 = other_sha};
	struct err_ctx ctx;

	(void)state;
	fixture_puts("out/set.tsv", "precious");
	assert_int_equal(get(&o, &ctx), ERR_EXISTS);
	assert_int_equal(get(&checked, &ctx), ERR_EXISTS);
	assert_int_equal(server.n_requests, 0);
	assert_int_equal(fetch(server.url, fixture_path("out"), &o, &ctx), ERR_EXISTS);
	assert_int_equal(fetch(server.url, fixture_path("no/such/x"), &o, &ctx), ERR_IO);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		memset(&ctx, 0, sizeof(ctx));
		assert_int_not_equal(fetch(urls[i], fixture_path("x"), &o, &ctx), ERR_OK);
		assert_true(ctx.msg[0] != '\0');
		assert_false(file_exists(fixture_path("x")));
		assert_false(file_exists(fixture_path("x.part")));
	}
}

static void fetch_stops_when_cancelled(void **state)
{
	volatile int cancel = 1;
	const struct fetch_options o = {.cancel = &cancel};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	assert_int_equal(get(&o, &ctx), ERR_CANCELLED);
	assert_false(file_exists(fixture_path("out/set.tsv")));
}

static void fetch_tells_when_the_disk_is_full(void **state)
{
	const struct fetch_options o = {.sha256 = NULL};
	struct rlimit old, small = {150000, 0};
	struct err_ctx ctx;
	enum err e;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	e = get(&o, &ctx);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(e, ERR_FULL);
	assert_part(150000);
	/* With room again it goes on. */
	assert_int_equal(get(&o, &ctx), ERR_OK);
	assert_whole();
}

static void fetch_refuses_to_run_twice(void **state)
{
	const struct fetch_options o = {.sha256 = NULL};
	struct err_ctx ctx;
	int fd;

	(void)state;
	fixture_puts("out/set.tsv.part", "");
	fd = open(fixture_path("out/set.tsv.part"), O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(get(&o, &ctx), ERR_BUSY);
	assert_true(file_exists(fixture_path("out/set.tsv.part")));
	close(fd);
	assert_int_equal(get(&o, &ctx), ERR_OK);
	assert_whole();
}

static void fetch_takes_an_empty_file(void **state)
{
	const struct fetch_options o = {.sha256 = NULL};
	struct err_ctx ctx;

	(void)state;
	file_mkdirs(fixture_path("out"), NULL);
	server.len = 0;
	assert_int_equal(get(&o, &ctx), ERR_OK);
	assert_true(file_exists(fixture_path("out/set.tsv")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fetch_gives_the_whole_file),
		TEST(fetch_resumes_when_interrupted),
		TEST(fetch_resumes_again_and_again),
		TEST(fetch_starts_over_when_it_cannot_resume),
		TEST(fetch_refuses_a_wrong_hash),
		TEST(fetch_refuses_a_large_file),
		TEST(fetch_tells_what_the_server_answered),
		TEST(fetch_keeps_the_part_when_the_server_is_away),
		TEST(fetch_refuses_another_range_than_asked_for),
		TEST(fetch_follows_redirects_to_http_only),
		TEST(fetch_reads_file_urls),
		TEST(fetch_refuses_strange_urls_and_paths),
		TEST(fetch_stops_when_cancelled),
		TEST(fetch_tells_when_the_disk_is_full),
		TEST(fetch_refuses_to_run_twice),
		TEST(fetch_takes_an_empty_file),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
