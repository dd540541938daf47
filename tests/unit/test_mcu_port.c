/* An emulated board at a serial port, reached by a link as those in /dev/serial/by-id: the right
 * one, another one, one that is unplugged, and a second controller.
 */
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "tests/serial/uart.h"
#include "tests/unit/mcu_board.h"

extern char **environ;

static char by_id[100];

/* Starts the board and lets the link lead to its port. */
static pid_t plug_in(const char *board)
{
	char firmware[400], machine[64], said[256] = "", port[64] = "", *at;
	char *const argv[] = {"qemu-system-arm", "-M", machine, "-icount",
		"shift=6,sleep=off", "-display", "none", "-nodefaults", "-nic", "none",
		"-monitor", "none", "-chardev", "pty,id=line", "-serial", "chardev:line",
		"-kernel", firmware, NULL};
	ssize_t n = readlink("/proc/self/exe", firmware, 300);
	posix_spawn_file_actions_t files;
	int fd[2];
	pid_t pid;

	assert_true(n > 0);
	firmware[n] = '\0';
	*strrchr(firmware, '/') = '\0';
	snprintf(machine, sizeof(machine), "%s", board);
	snprintf(strrchr(firmware, '/'), 90, "/hawser-agent-%s.elf", board);
	assert_int_equal(pipe(fd), 0);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, fd[1], 1);
	posix_spawn_file_actions_adddup2(&files, fd[1], 2);
	posix_spawn_file_actions_addclose(&files, fd[0]);
	assert_int_equal(posix_spawnp(&pid, argv[0], &files, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&files);
	close(fd[1]);
	for (size_t len = 0; !(at = strstr(said, "/dev/pts/")) || !strchr(at, ' ');) {
		n = read(fd[0], said + len, sizeof(said) - 1 - len);
		if (n <= 0)
			fail_msg("no port: %s", said);
		len += (size_t)n;
		said[len] = '\0';
	}
	close(fd[0]);
	assert_int_equal(sscanf(at, "%63s", port), 1);
	unlink(by_id);
	assert_int_equal(symlink(port, by_id), 0);
	return pid;
}

static void unplug(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct device_profile port_profile(void)
{
	struct device_profile p;
	struct err_ctx ctx = {{0}};

	if (device_profile_load(&p, "mps2-an386", &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	p.emulator[0] = '\0';
	p.timeout_ms = 4000;
	snprintf(p.port, sizeof(p.port), "%s", by_id);
	return p;
}

static struct device *open_port(const struct device_profile *p)
{
	struct device *d = NULL;
	struct err_ctx ctx = {{0}};

	if (device_open(&d, p, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	return d;
}

static void board_has_to_be_the_one_of_the_profile(void **state)
{
	static const struct {
		const char *board, *cpuid, *window, *why;
	} cases[] = {
		{"mps2-an386", "410fc240", "21000000 01000000", NULL},
		{"mps2-an500", "", "",
			"device 'mps2-an386' is not available: another board is on the "
			"line: its board is 'mps2-an386', not 'mps2-an500'; plug in the right "
			"one, or change 'board' in the device profile"},
		{"", "411fc272", "", "its cpuid is '410fc240', not '411fc272'"},
		{"", "", "60000000 01000000",
			"its window is '21000000 01000000', not '60000000 01000000'"},
	};
	pid_t pid = plug_in("mps2-an386");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct device_profile p = port_profile();
		struct err_ctx ctx = {{0}};
		struct device *d = NULL;
		enum err e;

		snprintf(p.board, sizeof(p.board), "%s", cases[i].board);
		snprintf(p.cpuid, sizeof(p.cpuid), "%s", cases[i].cpuid);
		snprintf(p.window, sizeof(p.window), "%s", cases[i].window);
		e = device_open(&d, &p, &ctx);
		device_close(d);
		if (e != (cases[i].why ? ERR_DEVICE : ERR_OK) ||
			(e && !strstr(ctx.msg, cases[i].why)))
			fail_msg("case %zu: %s", i, ctx.msg);
	}
	unplug(pid);
}

static void second_controller_is_told_who_has_the_port(void **state)
{
	pid_t pid = plug_in("mps2-an386");
	struct device_profile p = port_profile();
	struct device *d = open_port(&p), *other;
	struct err_ctx ctx = {{0}};
	char who[64];

	(void)state;
	assert_int_equal(device_open(&other, &p, &ctx), ERR_DEVICE);
	snprintf(who, sizeof(who), "in use by test_mcu_port (pid %d)", (int)getpid());
	assert_non_null(strstr(ctx.msg, who));
	device_close(d);
	device_close(open_port(&p));
	unplug(pid);
}

static void board_that_is_unplugged_comes_back_at_its_name(void **state)
{
	pid_t pid = plug_in("mps2-an386");
	struct device_profile p = port_profile();
	struct device *d = open_port(&p);
	struct payload good;
	char detail[256];

	(void)state;
	mcu_payload(&good, "port", 0, "pad", 3);
	mcu_upload(d, &good);
	unplug(pid);
	assert_int_equal(mcu_run(d, &good, detail), VERDICT_LINK_LOST);
	pid = plug_in("mps2-an386");
	assert_int_equal(device_recover(d, NULL), ERR_OK);
	mcu_run_well(d, &good); /* it is sent again */
	device_close(d);
	unplug(pid);
}

static void another_board_that_comes_back_is_refused(void **state)
{
	pid_t pid = plug_in("mps2-an386");
	struct device_profile p = port_profile();
	struct uart_board *other;
	struct err_ctx ctx = {{0}};
	struct device *d;
	const char *path;

	(void)state;
	p.board[0] = '\0'; /* any, but then the same one */
	d = open_port(&p);
	unplug(pid);
	pid = plug_in("mps2-an500");
	assert_int_equal(device_recover(d, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg,
		"it came back as another machine: its board is 'mps2-an500', no longer "
		"'mps2-an386'"));
	unplug(pid);
	/* Nor is a serial line of another kind. */
	other = uart_board_start(1e6, &path);
	assert_non_null(other);
	unlink(by_id);
	assert_int_equal(symlink(path, by_id), 0);
	assert_int_equal(device_recover(d, &ctx), ERR_DEVICE);
	assert_non_null(strstr(ctx.msg, "its board is '', no longer 'mps2-an386'"));
	device_close(d);
	uart_board_end(other);
}

static int setup(void **state)
{
	int failed = mcu_setup(state);

	snprintf(by_id, sizeof(by_id), "%s/usb-board-0001", mcu_folder);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(board_has_to_be_the_one_of_the_profile),
		cmocka_unit_test(second_controller_is_told_who_has_the_port),
		cmocka_unit_test(board_that_is_unplugged_comes_back_at_its_name),
		cmocka_unit_test(another_board_that_comes_back_is_refused),
	};

	if (!mcu_has_tools())
		return 0;
	return cmocka_run_group_tests_name("mcu port", tests, setup, mcu_teardown);
}
