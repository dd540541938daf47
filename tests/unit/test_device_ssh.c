/* SSH without a server: addresses, the client's words, complaints told apart, the boot
 * conversation with a real shell on this machine and with peers that lie, and which builds
 * go to which machine. The real server is tests/e2e/ssh.sh's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/transport/ssh.h"
#include "devices/transport/transport.h"
#include "src/base/file.h"

static char dir[256], cache[300], agent[300];

static void ssh_addresses_are_read(void **state)
{
	static const struct {
		const char *uri, *user, *host;
		int port;
	} cases[] = {
		{"ssh://pi", "", "pi", 0},
		{"ssh://pi/", "", "pi", 0},
		{"ssh://pi@10.0.0.7", "pi", "10.0.0.7", 0},
		{"ssh://pi@board-3.lab_2:2222", "pi", "board-3.lab_2", 2222},
		{"ssh://a.b+c_d@h:65535", "a.b+c_d", "h", 65535},
		{"ssh://root@[fe80::1%eth0]:22", "root", "fe80::1%eth0", 22},
		{"ssh://[::1]", "", "::1", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_ctx ctx = {{0}};
		struct ssh_address a;

		if (ssh_address_parse(&a, cases[i].uri, &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
		assert_string_equal(a.user, cases[i].user);
		assert_string_equal(a.host, cases[i].host);
		assert_int_equal(a.port, cases[i].port);
	}
}

static void ssh_addresses_that_are_none_are_refused(void **state)
{
	static const char *const cases[] = {"", "ssh:", "ssh://", "pi@host",
		"http://host", "ssh://@host", "ssh://-oProxyCommand=x", "ssh://u@-h",
		"ssh://-u@h", "ssh://h:", "ssh://h:0", "ssh://h:65536", "ssh://h:22x",
		"ssh://h:-1", "ssh://h: 22", "ssh://h/path", "ssh://h;x", "ssh://h$(x)",
		"ssh://a b", "ssh://u:secret@h", "ssh://[::1", "ssh://[::1]x", "ssh://[]",
		"ssh://::1", "ssh://h\n", "ssh://[-h]"};
	char longest[400] = "ssh://";

	(void)state;
	memset(longest + 6, 'h', sizeof(longest) - 7);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
		const char *uri =
			i < sizeof(cases) / sizeof(cases[0]) ? cases[i] : longest;
		struct ssh_address a = {"u", "h", 7};
		struct err_ctx ctx = {{0}};

		if (ssh_address_parse(&a, uri, &ctx) != ERR_INVALID)
			fail_msg("'%s' was taken", uri);
		assert_non_null(strstr(ctx.msg, "ssh://USER@HOST:PORT"));
		assert_int_equal(a.port, 7); /* untouched */
	}
}

static int has(const char *const argv[], const char *a, const char *b)
{
	for (size_t i = 0; argv[i]; i++)
		if (strcmp(argv[i], a) == 0 &&
			(!b || (argv[i + 1] && strcmp(argv[i + 1], b) == 0)))
			return 1;
	return 0;
}

static void ssh_words_leave_the_rest_to_the_user(void **state)
{
	const struct ssh_address a = {"pi", "board", 2222}, plain = {"", "board", 0};
	const char *argv[SSH_MAX_WORDS];
	struct buf words;
	size_t n = 0;

	(void)state;
	buf_init(&words);
	assert_int_equal(ssh_argv(&a, "my config", "run it", &words, argv, NULL), ERR_OK);
	while (argv[n])
		n++;
	assert_true(n < SSH_MAX_WORDS);
	assert_string_equal(argv[0], "ssh");
	assert_true(has(argv, "-F", "my config") && has(argv, "-p", "2222") &&
		    has(argv, "-l", "pi"));
	assert_true(has(argv, "-o", "BatchMode=yes"));
	assert_true(has(argv, "-o", "ServerAliveInterval=2"));
	assert_true(has(argv, "-o", "ControlPath=none"));
	for (size_t i = 0; i < n; i++) /* never weaker than the user's own */
		assert_null(strstr(argv[i], "HostKey"));
	assert_string_equal(argv[n - 3], "--");
	assert_string_equal(argv[n - 2], "board");
	assert_string_equal(argv[n - 1], "run it");
	buf_reset(&words);
	assert_int_equal(ssh_argv(&plain, "", "x", &words, argv, NULL), ERR_OK);
	assert_false(
		has(argv, "-F", NULL) || has(argv, "-p", NULL) || has(argv, "-l", NULL));
	buf_release(&words);
}

static void ssh_tells_complaints_apart(void **state)
{
	static const struct {
		const char *said, *told;
		enum err lasts; /* waiting does not help, or as it was asked for */
	} cases[] = {
		{"No ED25519 host key is known for h and you have requested strict "
		 "checking.\r\nHost key verification failed.\r\n",
			"'pi@h port 22' is not known yet", ERR_REFUSED},
		{"@@@\nHost key for h has changed and you have requested strict "
		 "checking.\nHost key verification failed.\n",
			"is not the one that is known", ERR_REFUSED},
		{"pi@h: Permission denied (publickey).\r\n", "lets nobody in",
			ERR_REFUSED},
		{"ssh: Could not resolve hostname h: Name or service not known\n",
			"there is no host as in 'pi@h port 22'", ERR_LINK},
		{"ssh: connect to host h port 22: Connection refused\n",
			"nothing listens for SSH", ERR_LINK},
		{"ssh: connect to host h port 22: Connection timed out\n",
			"cannot be reached", ERR_LINK},
		{"ssh: connect to host h port 22: No route to host\n",
			"cannot be reached", ERR_LINK},
		{"Timeout, server h not responding.\n", "does not answer any more",
			ERR_LINK},
		{"Connection to h closed by remote host.\n\n",
			"ended: Connection to h closed", ERR_LINK},
		{"a\x1b[31m\x07\n", "ended: a?[31m?", ERR_LINK},
		{"", "nothing was said why", ERR_LINK},
	};
	const struct ssh_address a = {"pi", "h", 22};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_ctx ctx = {{0}};

		assert_int_equal(
			ssh_explain(&a, cases[i].said, ERR_LINK, &ctx), cases[i].lasts);
		if (!strstr(ctx.msg, cases[i].told))
			fail_msg("'%s' was told as '%s'", cases[i].said, ctx.msg);
		assert_null(strchr(ctx.msg, '\n'));
	}
}

/* Boot */

static const char *found = agent;

static enum err find(const char *machine, char *path, size_t cap, struct err_ctx *ctx)
{
	if (strcmp(machine, "mips") == 0)
		return err_set(ctx, ERR_DEVICE, "no agent for it");
	snprintf(path, cap, "%s", found);
	return ERR_OK;
}

static const char *const args[] = {"it's", "\"$HOME\" `x` \\n !1", NULL};

/* The same line a login's shell would get. */
static enum err boot_with(const char *shell, struct transport **t, struct err_ctx *ctx)
{
	const struct boot b = {cache, args, find};
	struct buf line;
	enum err e;

	memset(ctx, 0, sizeof(*ctx));
	buf_init(&line);
	assert_int_equal(boot_command(&b, &line, ctx), ERR_OK);
	{
		const char *const argv[] = {shell, "-c", buf_str(&line), NULL};

		assert_int_equal(transport_pipe_open(t, argv, ctx), ERR_OK);
	}
	buf_release(&line);
	e = boot_dialog(*t, &b, "pi@h", ctx);
	return e;
}

static size_t count(const char *pattern)
{
	char path[600];
	glob_t g;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", cache, pattern);
	n = glob(path, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
	if (n)
		globfree(&g);
	return n;
}

/* An agent that, when asked, tells how it was called. */
static void write_agent(const char *version)
{
	char text[600];

	snprintf(text, sizeof(text),
		"#!/bin/sh\n# %s\n[ \"$1\" = --version ] && exit 0\nread -r x\n"
		"printf '%%s|' \"$@\"\n",
		version);
	assert_int_equal(
		file_write_atomic(agent, text, strlen(text), 0755, NULL), ERR_OK);
}

static void expect_agent(const char *shell)
{
	struct err_ctx ctx;
	struct transport *t;
	char said[700] = "", want[700];
	size_t len = 0, n;

	if (boot_with(shell, &t, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	assert_int_equal(t->ops->write(t, "?\n", 2, 5000, NULL), ERR_OK);
	while (t->ops->read(t, said + len, sizeof(said) - 1 - len, 5000, &n, NULL) ==
		ERR_OK)
		len += n;
	snprintf(want, sizeof(want), "--cache|%s|%s|%s|", cache, args[0], args[1]);
	assert_string_equal(said, want);
	t->ops->close(t);
}

static void boot_sends_the_agent_once(void **state)
{
	struct stat first, second;
	char path[600];
	glob_t g;

	(void)state;
	write_agent("one");
	expect_agent("sh");
	assert_int_equal(count("agent-*"), 1);
	snprintf(path, sizeof(path), "%s/agent-*", cache);
	assert_int_equal(glob(path, 0, NULL, &g), 0);
	assert_int_equal(stat(g.gl_pathv[0], &first), 0);
	assert_int_equal(first.st_mode & 0777, 0700);
	expect_agent("sh");
	assert_int_equal(stat(g.gl_pathv[0], &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	/* Damage there is found: the same content again, under the same name. */
	assert_int_equal(truncate(g.gl_pathv[0], 20), 0);
	expect_agent("sh");
	assert_int_equal(stat(g.gl_pathv[0], &second), 0);
	assert_int_equal(first.st_size, second.st_size);
	globfree(&g);
}

static void boot_replaces_another_version(void **state)
{
	(void)state;
	write_agent("two");
	expect_agent("sh");
	assert_int_equal(count("agent-*"), 1);
	if (system("command -v bash >/dev/null") == 0)
		expect_agent("bash");
	assert_int_equal(count("*"), 1);
}

static void boot_failure(const char *shell, enum err want, const char *words)
{
	struct err_ctx ctx;
	struct transport *t;
	enum err e = boot_with(shell, &t, &ctx);

	t->ops->close(t);
	if (e != want || !strstr(ctx.msg, words))
		fail_msg("told %d '%s'", e, ctx.msg);
	assert_non_null(strstr(ctx.msg, "'pi@h'"));
}

static void boot_tells_what_is_wrong_there(void **state)
{
	char path[sizeof(cache)];
	struct buf big;

	(void)state;
	/* A file where the folder should be. */
	memcpy(path, cache, sizeof(cache));
	snprintf(cache, sizeof(cache), "%s/file", dir);
	assert_int_equal(file_write_atomic(cache, "x", 1, 0644, NULL), ERR_OK);
	boot_failure("sh", ERR_REFUSED, "has no folder for the agent: ");
	memcpy(cache, path, sizeof(cache));
	/* No room: a limit on files stands for the disk's. */
	buf_init(&big);
	for (size_t i = 0; i < 40000; i++)
		buf_puts(&big, "# filling, filling, filling\n");
	assert_int_equal(file_write_atomic(agent, big.data, big.len, 0755, NULL), ERR_OK);
	buf_release(&big);
	snprintf(path, sizeof(path), "%s/limited", dir);
	assert_int_equal(
		file_write_atomic(path,
			"#!/bin/sh\ntrap '' XFSZ\nulimit -f 100\nexec sh \"$@\"\n", 50,
			0755, NULL),
		ERR_OK);
	boot_failure(path, ERR_DEVICE, "cannot store the agent: ");
	/* A program of nobody's. */
	assert_int_equal(file_write_atomic(agent,
				 "\x7f"
				 "ELF?",
				 5, 0755, NULL),
		ERR_OK);
	boot_failure("sh", ERR_REFUSED, "cannot run the agent: ");
	assert_int_equal(count("*.new"), 0);
}

/* A peer that says what it likes and then reads on. */
static void boot_peer(const char *said, enum err want, const char *words)
{
	const char *const argv[] = {
		"sh", "-c", "printf \"$0\"; exec cat >/dev/null", said, NULL};
	const struct boot b = {cache, args, find};
	struct err_ctx ctx = {{0}};
	struct transport *t;
	enum err e;

	assert_int_equal(transport_pipe_open(&t, argv, &ctx), ERR_OK);
	e = boot_dialog(t, &b, "pi@h", &ctx);
	t->ops->close(t);
	if (e != want || !strstr(ctx.msg, words))
		fail_msg("'%s' gave %d '%s'", said, e, ctx.msg);
}

#define HELLO "hawser-boot hello Linux x86_64\\n"
static void boot_believes_nothing(void **state)
{
	(void)state;
	write_agent("three");
	boot_peer("welcome\\nto \\033[31m\\n motd " HELLO
		  "hawser-boot have\\nhawser-boot "
		  "ready\\n",
		ERR_OK, "");
	boot_peer(
		"hawser-boot hello Linux mips\\n", ERR_DEVICE, "'pi@h': no agent for it");
	boot_peer("hawser-boot hello Darwin arm64\\n", ERR_REFUSED, "runs Darwin arm64");
	boot_peer("hawser-boot have\\n", ERR_REFUSED, "does not run what it is told");
	boot_peer(HELLO "hawser-boot \\033]0;x\\007\\n", ERR_REFUSED, "?]0;x?");
	boot_peer(HELLO "hawser-boot have\\nhawser-boot READY\\n", ERR_REFUSED,
		"does not run what it is told");
	boot_peer(HELLO "hawser-boot fail\\n", ERR_REFUSED, "does not run");
	boot_peer(HELLO "hawser-boot fail fun %%s%%n\\n", ERR_REFUSED, "does not run");
	boot_peer(HELLO "hawser-boot fail run x: Permission denied\\n", ERR_REFUSED,
		"noexec");
	boot_peer(HELLO "hawser-boot fail store write: No space left on device\\n",
		ERR_DEVICE, "no room");
}

/* A peer in memory: says its text when the host waits, and nothing more. */
struct talker {
	struct transport *t;
	char text[128];
	size_t len;
};

static void hear_nothing(void *self, const uint8_t *data, size_t len)
{
	(void)self;
	(void)data;
	(void)len;
}

static void say_it(void *self, uint64_t now_ms)
{
	struct talker *k = self;

	(void)now_ms;
	if (k->len)
		transport_loop_send(k->t, (const uint8_t *)k->text, k->len);
	k->len = 0;
}

static enum err boot_damaged(const char *text, size_t len, size_t at, unsigned bit)
{
	static const struct loop_faults sound = {.seed = 1};
	const struct boot b = {cache, args, find};
	struct talker k = {.len = len};
	struct loop_peer peer = {&k, hear_nothing, say_it};
	struct err_ctx ctx = {{0}};
	enum err e;

	memcpy(k.text, text, len);
	if (bit < 8)
		k.text[at] = (char)(k.text[at] ^ 1 << bit);
	assert_int_equal(transport_loop_open(&k.t, &peer, &sound, &ctx), ERR_OK);
	e = boot_dialog(k.t, &b, "pi@h", &ctx);
	k.t->ops->close(k.t);
	for (const char *c = ctx.msg; *c; c++)
		assert_true(*c >= 32 && *c < 127);
	return e;
}

static void boot_survives_damage(void **state)
{
	static const char text[] = "hawser-boot hello Linux x86_64\nhawser-boot have\n"
				   "hawser-boot ready\n";
	size_t len = strlen(text);
	const char *machine = strstr(text, "x86_64");

	(void)state;
	write_agent("four");
	assert_int_equal(boot_damaged(text, len, 0, 8), ERR_OK);
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(boot_damaged(text, i, 0, 8), ERR_OK);
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			enum err e = boot_damaged(text, len, i, bit);

			/* Only the machine's name is for `find` to judge. */
			if (text + i < machine || text + i > machine + 6)
				assert_int_not_equal(e, ERR_OK);
		}
}

static void boot_bounds_what_a_login_prints(void **state)
{
	const char *const argv[] = {"sh", "-c", "while :; do echo noise; done", NULL};
	const char *const endless[] = {"sh", "-c", "exec cat /dev/zero", NULL};
	const struct boot b = {cache, args, find};
	struct transport *t;

	(void)state;
	assert_int_equal(transport_pipe_open(&t, argv, NULL), ERR_OK);
	assert_int_equal(boot_dialog(t, &b, "h", NULL), ERR_REFUSED);
	t->ops->close(t);
	assert_int_equal(transport_pipe_open(&t, endless, NULL), ERR_OK);
	assert_int_equal(boot_dialog(t, &b, "h", NULL), ERR_REFUSED);
	t->ops->close(t);
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hawser-ssh-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(cache, sizeof(cache), "%s/it's a cache", dir);
	snprintf(agent, sizeof(agent), "%s/agent", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ssh_addresses_are_read),
		cmocka_unit_test(ssh_addresses_that_are_none_are_refused),
		cmocka_unit_test(ssh_words_leave_the_rest_to_the_user),
		cmocka_unit_test(ssh_tells_complaints_apart),
		cmocka_unit_test(boot_sends_the_agent_once),
		cmocka_unit_test(boot_replaces_another_version),
		cmocka_unit_test(boot_tells_what_is_wrong_there),
		cmocka_unit_test(boot_believes_nothing),
		cmocka_unit_test(boot_survives_damage),
		cmocka_unit_test(boot_bounds_what_a_login_prints),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
