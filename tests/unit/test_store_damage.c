/* What must not hurt the store: kills, a second controller, damaged and foreign files,
 * full disks, folders that cannot be written to, other schemas. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/rng.h"
#include "src/store/schema.h"
#include "src/store/sql.h"
#include "tests/unit/store_fixture.h"

#define assert_ok(call) assert_int_equal((call), ERR_OK)

struct box {
	char dir[256];
	char db[300];
	struct err_ctx ctx;
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fixture_dir(b->dir, sizeof(b->dir));
	snprintf(b->db, sizeof(b->db), "%s/h.db", b->dir);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	chmod(b->dir, 0755);
	assert_ok(file_remove_tree(b->dir, NULL));
	free(b);
	return 0;
}

static enum err open_job(struct box *b, struct store **s, int64_t *job)
{
	struct hash spec;
	enum err e = store_open(s, b->db, STORE_WRITE, &b->ctx);

	fixture_hash(&spec, "spec", 0);
	return e ? e : store_job_open(*s, "demo", &spec, "name: demo\n", job, &b->ctx);
}

/* Every fact of step i; the same whoever stores it. */
static enum err put_step(struct box *b, struct store *s, int64_t job, int i)
{
	struct store_accuracy acc[2];
	struct measurement m;
	struct genome g;
	struct hash h;
	enum err e;

	fixture_genome(&g, i);
	genome_hash(&g, &h);
	e = store_put_candidate(s, job, &g, "init", 0, &b->ctx);
	fixture_accuracy(&acc[0], &h, "slot_f1", "inherited", "valid", 0, 50 + i);
	fixture_accuracy(&acc[1], &h, "intent_acc", "inherited", "valid", 0, 60 + i);
	if (!e)
		e = store_put_accuracy(s, acc, 2, &b->ctx);
	if (e)
		return e;
	fixture_measurement(&m, &h, i, 1, 1000.0 + i, 4);
	e = store_put_measurement(s, job, "sim", &m, &b->ctx);
	measurement_release(&m);
	if (!e)
		e = store_put_event(s, job, "note", "measured", &b->ctx);
	return e;
}

/* Steps 0..n-1 are complete; a step n may be there in part, but each fact of it is whole.
 * Returns how many measurements there are. */
static size_t check_steps(struct box *b, struct store *s, int64_t job, size_t n)
{
	struct store_measurement *list;
	struct store_accuracy *acc;
	size_t n_list, n_acc;

	assert_ok(store_list_measurements(s, job, 1, &list, &n_list, &b->ctx));
	assert_ok(store_list_accuracy(s, job, NULL, &acc, &n_acc, &b->ctx));
	assert_true(n_list >= n && n_list <= n + 1);
	assert_true(n_acc >= 2 * n_list && n_acc <= 2 * n_list + 2 && n_acc % 2 == 0);
	for (size_t i = 0; i < n_list; i++) {
		struct measurement m;
		struct genome g;
		struct hash h;

		fixture_genome(&g, (int)i);
		genome_hash(&g, &h);
		fixture_measurement(&m, &h, (int)i, 1, 1000.0 + (double)i, 4);
		fixture_assert_equal(&m, &list[i].m);
		measurement_release(&m);
	}
	store_measurements_free(list, n_list);
	free(acc);
	return n_list;
}

/* ---- kill -9 */

static void writer_process(struct box *b, int from, int out)
{
	struct store *s;
	int64_t job;

	if (open_job(b, &s, &job))
		_exit(1);
	for (int i = from;; i++) {
		enum err e = put_step(b, s, job, i);

		/* what an interrupted step had stored already */
		while (e == ERR_EXISTS && i == from) {
			struct measurement m;
			struct genome g;
			struct hash h;

			fixture_genome(&g, i);
			genome_hash(&g, &h);
			fixture_measurement(&m, &h, i, 1, 1000.0 + i, 4);
			e = store_put_measurement(s, job, "sim", &m, &b->ctx);
			measurement_release(&m);
			break;
		}
		if (e)
			_exit(2);
		if (write(out, "x", 1) != 1)
			_exit(3);
	}
}

/* Waits for `acks` steps, burns a random while, kills. Returns the steps acknowledged. */
static size_t run_and_kill(struct box *b, int from, int acks, uint64_t spin)
{
	volatile uint64_t burnt = 0;
	size_t seen = 0;
	int fds[2], status;
	char c[64];
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		writer_process(b, from, fds[1]);
	}
	close(fds[1]);
	while (seen < (size_t)acks && (got = read(fds[0], c, 1)) > 0)
		seen += (size_t)got;
	while (burnt < spin)
		burnt++;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while ((got = read(fds[0], c, sizeof(c))) > 0)
		seen += (size_t)got;
	close(fds[0]);
	return seen;
}

static void every_committed_fact_survives_kills(void **state)
{
	struct box *b = *state;
	struct rng rng;
	size_t n = 0;

	rng_init(&rng, 7);
	for (int round = 0; round < 25; round++) {
		struct store *s;
		int64_t job;

		n += run_and_kill(
			b, (int)n, (int)rng_below(&rng, 4), rng_below(&rng, 3000000));
		assert_ok(open_job(b, &s, &job));
		n = check_steps(b, s, job, n);
		store_close(s);
	}
	assert_true(n > 20);
}

/* ---- the lock */

static void second_controller_is_refused_with_pid_and_host(void **state)
{
	struct box *b = *state;
	char host[256] = "", pid_text[32], found[256];
	struct store *s;
	int64_t job;
	int fds[2], back[2];
	long pid;
	char c;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(back), 0);
	child = fork();
	if (child == 0) {
		if (open_job(b, &s, &job) || write(fds[1], "x", 1) != 1)
			_exit(1);
		close(back[1]);
		(void)!read(back[0], &c, 1);
		_exit(0); /* without closing: the kernel frees the lock */
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(store_open(&s, b->db, STORE_WRITE, &b->ctx), ERR_BUSY);
	snprintf(pid_text, sizeof(pid_text), "process %ld ", (long)child);
	gethostname(host, sizeof(host) - 1);
	assert_non_null(strstr(b->ctx.msg, pid_text));
	assert_non_null(strstr(b->ctx.msg, host));
	assert_int_equal(store_holder(b->db, &pid, found, sizeof(found)), 1);
	assert_int_equal(pid, child);
	assert_string_equal(found, host);
	assert_ok(store_open(&s, b->db, STORE_READ, &b->ctx)); /* reading is free */
	store_close(s);
	close(back[0]);
	close(back[1]);
	waitpid(child, NULL, 0);
	assert_int_equal(store_holder(b->db, &pid, found, sizeof(found)), 0);
	assert_ok(store_open(&s, b->db, STORE_WRITE, &b->ctx));
	store_close(s);
	close(fds[0]);
	close(fds[1]);
}

/* ---- files that are not ours */

static void write_bytes(const char *path, const void *bytes, size_t len)
{
	assert_ok(file_write_atomic(path, bytes, len, 0644, NULL));
}

static void assert_unchanged(const char *path, const void *bytes, size_t len)
{
	struct buf now;

	buf_init(&now);
	assert_ok(file_read(path, 0, &now, NULL));
	assert_int_equal(now.len, len);
	assert_memory_equal(now.data, bytes, len);
	buf_release(&now);
}

static void foreign_file_is_refused_untouched(void **state)
{
	static const char *const files[] = {"x", "hello, world\n",
		"SQLite format 3", /* cut short */
		"a text that is longer than a database header, which has one hundred "
		"bytes "
		"and starts with other words than these"};
	struct box *b = *state;
	struct store *s = NULL;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		write_bytes(b->db, files[i], strlen(files[i]));
		for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
			b->ctx.msg[0] = 0;
			assert_int_equal(
				store_open(&s, b->db, (enum store_mode)mode, &b->ctx),
				ERR_CORRUPT);
			assert_non_null(strstr(b->ctx.msg, b->db));
		}
		assert_unchanged(b->db, files[i], strlen(files[i]));
	}
	assert_null(s);
}

static void folder_or_missing_file_is_named(void **state)
{
	struct box *b = *state;
	struct store *s = NULL;
	char path[400];

	assert_int_equal(store_open(&s, b->db, STORE_READ, &b->ctx), ERR_NOTFOUND);
	assert_non_null(strstr(b->ctx.msg, b->db));
	assert_int_equal(store_open(&s, b->dir, STORE_WRITE, &b->ctx), ERR_CORRUPT);
	snprintf(path, sizeof(path), "%s/no/such/h.db", b->dir);
	assert_int_equal(store_open(&s, path, STORE_WRITE, &b->ctx), ERR_IO);
	assert_non_null(strstr(b->ctx.msg, path));
	write_bytes(b->db, "", 0);
	assert_int_equal(store_open(&s, b->db, STORE_READ, &b->ctx), ERR_NOTFOUND);
	assert_ok(store_open(&s, b->db, STORE_WRITE, &b->ctx)); /* empty: nobody's */
	store_close(s);
}

/* Puts 32 bits, big endian, into the header of a database file. */
static void patch_header(const char *path, long at, uint32_t v)
{
	uint8_t bytes[4] = {
		(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, 4, at), 4);
	close(fd);
}

static void database_of_others_or_newer_is_refused(void **state)
{
	static const struct {
		long at; /* 60: user_version, 68: application_id */
		uint32_t value;
		enum err want;
		const char *text;
	} cases[] = {{68, 0, ERR_CORRUPT, "another program"},
		{68, 0x12345678, ERR_CORRUPT, "another program"},
		{60, 99, ERR_UNSUPPORTED, "schema 99"},
		{60, 0, ERR_CORRUPT, "another program"},
		{60, 0x80000000u, ERR_CORRUPT, "another program"}};
	struct box *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store *s;
		struct buf before;
		int64_t job;

		unlink(b->db);
		assert_ok(open_job(b, &s, &job));
		assert_ok(put_step(b, s, job, 0));
		store_close(s);
		patch_header(b->db, cases[i].at, cases[i].value);
		buf_init(&before);
		assert_ok(file_read(b->db, 0, &before, NULL));
		for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
			assert_int_equal(
				store_open(&s, b->db, (enum store_mode)mode, &b->ctx),
				cases[i].want);
			assert_non_null(strstr(b->ctx.msg, cases[i].text));
		}
		assert_unchanged(b->db, before.data, before.len);
		buf_release(&before);
	}
}

/* ---- damage */

/* Reads everything there is; any error will do, a crash will not. */
static enum err read_all(struct box *b, struct store *s)
{
	struct store_job job;
	struct store_candidate *c;
	struct store_accuracy *a;
	struct store_build *builds;
	struct store_measurement *m;
	struct store_event *v;
	size_t n;
	enum err e = store_job_find(s, "demo", &job, &b->ctx);

	if (e)
		return e;
	store_job_release(&job);
	e = store_list_candidates(s, job.id, &c, &n, &b->ctx);
	if (!e)
		store_candidates_free(c, n);
	if (!e && !(e = store_list_accuracy(s, job.id, NULL, &a, &n, &b->ctx)))
		free(a);
	if (!e && !(e = store_list_builds(s, job.id, NULL, &builds, &n, &b->ctx)))
		free(builds);
	if (!e && !(e = store_list_measurements(s, job.id, 1, &m, &n, &b->ctx)))
		store_measurements_free(m, n);
	if (!e && !(e = store_list_events(s, job.id, 10, &v, &n, &b->ctx)))
		store_events_free(v, n);
	return e;
}

static enum err open_and_read(struct box *b, enum store_mode mode)
{
	struct store *s;
	enum err e = store_open(&s, b->db, mode, &b->ctx);

	if (e)
		return e;
	e = read_all(b, s);
	store_close(s);
	return e;
}

static void remove_logs(struct box *b)
{
	static const char *const suffix[] = {"-wal", "-shm"};
	char path[400];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", b->db, suffix[i]);
		unlink(path);
	}
}

static void make_database(struct box *b, struct buf *bytes)
{
	struct store *s;
	int64_t job;

	assert_ok(open_job(b, &s, &job));
	for (int i = 0; i < 6; i++)
		assert_ok(put_step(b, s, job, i));
	store_close(s);
	buf_init(bytes);
	assert_ok(file_read(b->db, 0, bytes, NULL));
}

static void flipped_bytes_give_an_error_or_data(void **state)
{
	struct box *b = *state;
	struct buf bytes;
	struct rng rng;
	int n_refused = 0;

	make_database(b, &bytes);
	rng_init(&rng, 11);
	for (int i = 0; i < 400; i++) {
		/* the header and the schema's page often, the rest anywhere */
		size_t at = (size_t)rng_below(&rng, i < 150 ? 512 : bytes.len);
		char old = bytes.data[at];
		enum err e;

		bytes.data[at] = (char)(old ^ (1 << rng_below(&rng, 8)));
		if (i % 3 == 0)
			bytes.data[at] = (char)rng_u64(&rng);
		remove_logs(b);
		write_bytes(b->db, bytes.data, bytes.len);
		b->ctx.msg[0] = 0;
		e = open_and_read(b, i % 4 ? STORE_READ : STORE_WRITE);
		if (e) {
			n_refused++;
			assert_true(b->ctx.msg[0]);
			assert_true(e == ERR_CORRUPT || e == ERR_UNSUPPORTED ||
				    e == ERR_NOTFOUND || e == ERR_IO);
		}
		bytes.data[at] = old;
	}
	assert_true(n_refused > 15);
	buf_release(&bytes);
}

static void truncated_database_is_an_error(void **state)
{
	struct box *b = *state;
	struct buf bytes;
	size_t used;

	make_database(b, &bytes);
	/* Zeros at the end of the last page are read as such when they are not there. */
	for (used = bytes.len; used && !bytes.data[used - 1];)
		used--;
	for (size_t len = used - 1; len > 0; len -= len > 997 ? 997 : len) {
		enum err e;

		remove_logs(b);
		write_bytes(b->db, bytes.data, len);
		e = open_and_read(b, STORE_READ);
		assert_int_equal(e, ERR_CORRUPT);
		if (len == used - 1)
			assert_non_null(strstr(b->ctx.msg, "is damaged (cut off after"));
	}
	buf_release(&bytes);
}

/* ---- no space */

static int fill_disk(struct box *b, size_t *n_done)
{
	struct rlimit limit = {600 << 10, RLIM_INFINITY};
	struct store *s;
	int64_t job;
	enum err e = ERR_OK;
	int i;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) || open_job(b, &s, &job))
		return 1;
	for (i = 0; !e && i < 1000; i++)
		e = put_step(b, s, job, i);

	if (e != ERR_FULL || !strstr(b->ctx.msg, b->db))
		return 2;
	*n_done = (size_t)i - 1;
	/* still full: refused again, and reading goes on */
	if (put_step(b, s, job, 999) != ERR_FULL || read_all(b, s))
		return 3;
	store_close(s);
	return 0;
}

static void full_disk_keeps_what_was_committed(void **state)
{
	struct box *b = *state;
	struct store *s;
	int64_t job;
	size_t n = 0;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		int code = fill_disk(b, &n);

		(void)!write(fds[1], &n, sizeof(n));
		_exit(code);
	}
	assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(n > 3);
	assert_ok(open_job(b, &s, &job));
	check_steps(b, s, job, n);
	store_close(s);
	close(fds[0]);
	close(fds[1]);
}

/* ---- a folder that cannot be written to */

static int read_only_folder(struct box *b)
{
	struct store *s;

	if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
		return 77;
	if (open_and_read(b, STORE_READ))
		return 1;
	if (store_open(&s, b->db, STORE_WRITE, &b->ctx) != ERR_IO)
		return 2;
	return strstr(b->ctx.msg, b->db) ? 0 : 3;
}

static void read_only_folder_can_be_read(void **state)
{
	struct box *b = *state;
	struct buf bytes;
	char lock[400];
	int status;
	pid_t pid;

	make_database(b, &bytes);
	remove_logs(b);
	snprintf(lock, sizeof(lock), "%s.lock", b->db);
	unlink(lock);
	assert_int_equal(chmod(b->dir, 0555), 0);
	pid = fork();
	if (pid == 0)
		_exit(read_only_folder(b));
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		print_message("SKIP read-only folder: cannot give up root\n");
	else
		assert_int_equal(WEXITSTATUS(status), 0);
	buf_release(&bytes);
}

/* ---- migrations */

static void older_schema_is_brought_forward(void **state)
{
	struct box *b = *state;
	const char *two[16];
	struct schema next = {two, store_schema.n_steps + 1};
	struct schema broken = {two, store_schema.n_steps + 1};
	struct store *s;
	int64_t job;

	assert_true(store_schema.n_steps < 16);
	memcpy(two, store_schema.steps, (size_t)store_schema.n_steps * sizeof(two[0]));
	assert_ok(open_job(b, &s, &job));
	assert_ok(put_step(b, s, job, 0));
	store_close(s);

	/* a step that fails changes nothing */
	two[store_schema.n_steps] = "CREATE TABLE toy(x); INSERT INTO nowhere VALUES(1)";
	assert_int_not_equal(
		store_open_schema(&s, b->db, STORE_WRITE, &broken, &b->ctx), ERR_OK);
	assert_non_null(strstr(b->ctx.msg, "migrating"));
	assert_ok(open_and_read(b, STORE_READ));

	/* a reader finds an older schema and migrates it, facts stay */
	two[store_schema.n_steps] =
		"ALTER TABLE job ADD COLUMN toy TEXT NOT NULL DEFAULT 'a'";
	assert_ok(store_open_schema(&s, b->db, STORE_READ, &next, &b->ctx));
	check_steps(b, s, job, 1);
	store_close(s);
	assert_ok(store_open_schema(&s, b->db, STORE_WRITE, &next, &b->ctx));
	assert_ok(put_step(b, s, job, 1));
	store_close(s);

	/* today's program refuses it */
	assert_int_equal(store_open(&s, b->db, STORE_READ, &b->ctx), ERR_UNSUPPORTED);
	assert_int_equal(store_open(&s, b->db, STORE_WRITE, &b->ctx), ERR_UNSUPPORTED);
}

/* Rows with a device's answers from before they told which device it was. */
static void old_answers_are_of_an_unknown_device(void **state)
{
	static const char put[] =
		"INSERT INTO candidate(id, hash, text) VALUES(7, zeroblob(32), 'x');"
		"INSERT INTO job_candidate(job, candidate, origin, generation)"
		" VALUES(1, 7, 'init', 0);"
		"INSERT INTO accuracy VALUES(40, 7, zeroblob(32), 'test', 'device', 3,"
		" 'slot_f1', 81.5, 80, 83, 600, zeroblob(32)),"
		" (41, 7, zeroblob(32), 'test', 'trained', 3, 'slot_f1', 82.5, NULL, NULL,"
		" 600, zeroblob(32))";
	const struct schema before = {store_schema.steps, 8};
	struct box *b = *state;
	struct store_accuracy *got, again;
	const struct hash none = {{0}};
	struct hash spec;
	struct store *s;
	int64_t job;
	size_t n;

	fixture_hash(&spec, "spec", 0);
	assert_ok(store_open_schema(&s, b->db, STORE_WRITE, &before, &b->ctx));
	assert_ok(store_job_open(s, "old", &spec, "", &job, &b->ctx));
	assert_int_equal(job, 1);
	assert_ok(sql_exec(s, put, &b->ctx));
	store_close(s);
	assert_ok(store_open(&s, b->db, STORE_WRITE, &b->ctx));
	assert_ok(store_list_accuracy(s, job, NULL, &got, &n, &b->ctx));
	assert_int_equal(n, 2);
	assert_string_equal(got[0].method, "device");
	assert_true(got[0].value == 81.5 && got[0].ci.lo == 80 && got[0].n == 600);
	assert_true(got[1].value == 82.5 && isnan(got[1].ci.lo));
	for (int i = 0; i < 2; i++) {
		assert_string_equal(got[i].device_name, "");
		assert_true(hash_equal(&got[i].device, &none));
	}
	again = got[0];
	strcpy(again.device_name, "pi");
	assert_ok(store_put_accuracy(s, &again, 1, &b->ctx));
	free(got);
	store_close(s);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(every_committed_fact_survives_kills),
		WITH(second_controller_is_refused_with_pid_and_host),
		WITH(foreign_file_is_refused_untouched),
		WITH(folder_or_missing_file_is_named),
		WITH(database_of_others_or_newer_is_refused),
		WITH(flipped_bytes_give_an_error_or_data),
		WITH(truncated_database_is_an_error),
		WITH(full_disk_keeps_what_was_committed),
		WITH(read_only_folder_can_be_read),
		WITH(older_schema_is_brought_forward),
		WITH(old_answers_are_of_an_unknown_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
