#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/device.h"
#include "src/base/file.h"

static char dir[256], path[300];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	setenv("HAWSER_HOME", ".", 1);
	snprintf(dir, sizeof(dir), "%s/hawser-profile-XXXXXX",
		tmp && tmp[0] ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/board.yaml", dir);
	return setenv("XDG_CONFIG_HOME", dir, 1);
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

static enum err load(const char *text, struct device_profile *p, struct err_ctx *ctx)
{
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), ERR_OK);
	memset(ctx, 0, sizeof(*ctx));
	return device_profile_load(p, path, ctx);
}

static void profile_reads_every_key(void **state)
{
	struct device_profile p;
	struct err_ctx ctx;
	enum err e = load(
		"about: my board\ndriver: local\ncc: aarch64-linux-gnu-gcc\n"
		"cflags: -mcpu=cortex-a76\nisa: neon\ncpu: 3\nthreads: 2\ntimeout_ms: 5000\n"
		"memory_bytes: 1000000\nflash_bytes: 200000\nram_bytes: 65536\n"
		"sensor: hwmon:VDD_IN\nsysfs_root: fixtures\n",
		&p, &ctx);

	(void)state;
	if (e)
		fail_msg("%s", ctx.msg);
	assert_string_equal(p.name, "board");
	assert_string_equal(p.driver, "local");
	assert_string_equal(p.cc, "aarch64-linux-gnu-gcc");
	assert_string_equal(p.cflags, "-mcpu=cortex-a76");
	assert_string_equal(p.isa, "neon");
	assert_string_equal(p.cpu, "3");
	assert_int_equal(p.threads, 2);
	assert_int_equal(p.timeout_ms, 5000);
	assert_int_equal(p.memory_bytes, 1000000);
	assert_int_equal(p.flash_bytes, 200000);
	assert_int_equal(p.ram_bytes, 65536);
	assert_string_equal(p.sensor, "hwmon:VDD_IN");
	assert_string_equal(p.sysfs_root, "fixtures");
}

static void profile_has_defaults(void **state)
{
	struct device_profile p;
	struct err_ctx ctx;

	(void)state;
	assert_int_equal(
		load("driver: sim\nlaw: {seed: 4, sigma: 0.25}\n", &p, &ctx), ERR_OK);
	assert_string_equal(p.cc, "none");
	assert_string_equal(p.cpu, "auto");
	assert_string_equal(p.sensor, "auto");
	assert_string_equal(p.sim_law, "seed=4,sigma=0.25");
	assert_true(p.timeout_ms >= 1000);
	assert_int_equal(load("uri: ssh://pi@board:2222\nssh_config: my/config\n"
			      "cache: /var/tmp/hawser\n",
				 &p, &ctx),
		ERR_OK);
	assert_string_equal(p.driver, "ssh");
	assert_string_equal(p.uri, "ssh://pi@board:2222");
	assert_string_equal(p.ssh_config, "my/config");
	assert_string_equal(p.cache, "/var/tmp/hawser");
	assert_string_equal(p.cc, "gcc");
	assert_int_equal(load("driver: local\n", &p, &ctx), ERR_OK);
	assert_string_equal(p.cc, "gcc");
	assert_string_equal(p.sim_law, "");
}

#define SERIAL "driver: serial\nport: /dev/x\n"

static void profile_reads_a_meter(void **state)
{
	struct device_profile p;
	struct err_ctx ctx;

	(void)state;
	if (load(SERIAL "meter:\n  kind: lpm01a\n  port: /dev/m\n  voltage_mv: 1800\n"
			"  rate_hz: 5000\n",
		    &p, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	assert_string_equal(p.meter.kind, "lpm01a");
	assert_string_equal(p.meter.port, "/dev/m");
	assert_int_equal(p.meter.voltage_mv, 1800);
	assert_int_equal(p.meter.rate_hz, 5000);
	assert_false(p.meter.recorded || p.meter.feeds);
	if (load("driver: serial\nemulator: qemu\nboard: x\nmeter: {kind: ppk2, port: "
		 "/dev/m, voltage_mv: 5000, feeds_board: yes, recorded: yes}\n",
		    &p, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	assert_int_equal(p.meter.rate_hz, 100000);
	assert_true(p.meter.recorded && p.meter.feeds);
	/* A file is a recording without saying so. */
	assert_int_equal(
		load("driver: serial\nemulator: qemu\nboard: x\nmeter: {kind: ppk2, port: "
		     "README.md, voltage_mv: 5000}\n",
			&p, &ctx),
		ERR_OK);
	assert_true(p.meter.recorded);
	assert_int_equal(load("driver: local\n", &p, &ctx), ERR_OK);
	assert_string_equal(p.meter.kind, "");
}

static void profile_names_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} cases[] = {
		{"cc: gcc\n", "driver"},
		{"driver: ssl\n",
			":1:9: unknown driver 'ssl': use one of local, sim, ssh, "
			"serial"},
		{"driver: serial\n", "needs either 'port:"},
		{"driver: serial\nport: /dev/x\nemulator: qemu\n", "needs either 'port:"},
		{"driver: serial\nemulator: qemu\n", "needs 'board: NAME'"},
		{"driver: serial\nemulator: qemu\nboard: ../x\n", "needs 'board: NAME'"},
		{"driver: serial\nport: /dev/x\nbaud: 1\n", ":3:7:"},
		{"driver: serial\nport: /dev/x\nprobe: localhost\n",
			":3:8: 'probe' must be HOST:PORT"},
		{SERIAL "meter: lpm01a\n", ":3:8: 'meter' is a mapping"},
		{SERIAL "meter: {kind: ppk2, volts: 3}\n", ":3:"},
		{SERIAL "meter: {kind: ppk2, voltage_mv: 3300}\n",
			"'meter' needs 'port'"},
		{SERIAL "meter: {kind: js220, port: /dev/m, voltage_mv: 3300}\n",
			":3:8: unknown kind of meter: use lpm01a or ppk2"},
		{SERIAL "meter: {kind: lpm01a, port: /dev/m}\n",
			"'voltage_mv' of kind 'lpm01a' is 1800 to 3300"},
		{SERIAL "meter: {kind: lpm01a, port: /dev/m, voltage_mv: 5000}\n",
			"'voltage_mv' of kind 'lpm01a' is 1800 to 3300"},
		{SERIAL "meter: {kind: lpm01a, port: /dev/m, voltage_mv: 3000, rate_hz: 10}\n",
			"'rate_hz' of kind 'lpm01a' is one of 1000 100 200"},
		{SERIAL "meter: {kind: ppk2, port: /dev/m, voltage_mv: 3000, recorded: 1}\n",
			"'recorded' is yes or no"},
		{SERIAL "meter: {kind: ppk2, port: /dev/x, voltage_mv: 3300}\n",
			"meter's port is that of the board"},
		{SERIAL "timeout_ms: 20000\nmeter: {kind: ppk2, port: /dev/m, voltage_mv: "
			"3300}\n",
			"needs 'timeout_ms' of at least 30000"},
		{"driver: local\nmeter: {kind: ppk2, port: /dev/m, voltage_mv: 3300}\n",
			":2:8: a meter needs driver 'serial'"},
		{"driver: serial\nemulator: qemu\nboard: x\nmeter: {kind: ppk2, port: "
		 "/dev/m, voltage_mv: 3300}\n",
			":4:8: an emulated board draws nothing"},
		{"driver: ssh\n", ":1:9: driver 'ssh' needs 'uri: ssh://USER@HOST'"},
		{"uri: pi@board\n", ":1:6: 'pi@board' is not of the form ssh://"},
		{"uri: ssh://-oProxyCommand=x\n", ":1:6:"},
		{"driver: local\nuri: ssh://pi\n", ":1:9: driver 'local' knows no 'uri'"},
		{"uri: ssh://pi\ncache: images\n", ":2:8: 'cache' must be"},
		{"driver: local\ncflag: -O2\n", "cflags"},
		{"driver: local\ncpu: fast\n", ":2:6: 'cpu' must be"},
		{"driver: local\ncpu: ''\n", "'cpu' must be"},
		{"driver: local\ncc: ''\n", "'cc' is empty"},
		{"driver: local\ntimeout_ms: 0\n", ":2:13:"},
		{"driver: local\ntimeout_ms: soon\n", ":2:13:"},
		{"driver: local\nthreads: 0\n", ":2:10:"},
		{"driver: local\nthreads: 17\n", ":2:10:"},
		{"driver: local\nmemory_bytes: -1\n", ":2:15:"},
		{"driver: local\nmemory_bytes: 99999999999999999999\n", ":2:15:"},
		{"driver: sim\nlaw: quiet\n", "mapping"},
		{"driver: sim\nlaw: {sigma: much}\n", ":2:14:"},
		{"driver: [local]\n", ":1:"},
		{"- driver\n", ":1:"},
		{"driver: local\nisa: a-name-that-is-much-too-long-for-a-folder\n",
			"longer than 31"},
		{"driver: {\n", ":"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct device_profile p = {.name = "before"};
		struct err_ctx ctx;
		enum err e = load(cases[i].text, &p, &ctx);

		if (err_exit_code(e) != 2 || !ctx.msg[0] ||
			!strstr(ctx.msg, cases[i].said))
			fail_msg("case %zu: %s, '%s'", i, err_name(e), ctx.msg);
		assert_string_equal(p.name, "before"); /* untouched */
	}
}

static void profile_is_looked_up_by_name(void **state)
{
	static const char *const bad[] = {
		"nothing-like-it", "../local", "a/b", "", ".local"};
	struct device_profile p;
	struct err_ctx ctx = {{0}};

	(void)state;
	if (device_profile_load(&p, "sim-noisy", &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	assert_string_equal(p.name, "sim-noisy");
	assert_non_null(strstr(p.sim_law, "crash=0.03"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum err e = device_profile_load(&p, bad[i], &ctx);

		assert_true(e == ERR_NOTFOUND || e == ERR_USAGE);
		assert_non_null(strstr(ctx.msg, "hawser device list"));
	}
	assert_int_equal(device_profile_load(&p, "absent.yaml", &ctx), ERR_NOTFOUND);
}

static void profile_list_is_complete_and_loads(void **state)
{
	struct err_ctx ctx = {{0}};
	char **names;
	size_t n = 0;

	(void)state;
	assert_int_equal(device_profile_list(&names, &ctx), ERR_OK);
	for (; names[n]; n++) {
		struct device_profile p;

		if (device_profile_load(&p, names[n], &ctx) != ERR_OK)
			fail_msg("%s", ctx.msg);
		assert_string_equal(p.name, names[n]);
		assert_true(n == 0 || strcmp(names[n - 1], names[n]) < 0);
	}
	assert_true(n >= 3);
	free(names);
}

static void profile_is_written_once_and_read_back(void **state)
{
	static const char *const bad[] = {"", ".pi", "-pi", "a/b", "a b", "pi.yaml",
		"a@b", "a-name-of-more-than-forty-letters-is-too-long"};
	struct device_profile p = {.name = "pi-4.lab",
		.uri = "ssh://pi@[fe80::1]:22",
		.ssh_config = "/a \"b\"\\c",
		.cc = "aarch64-linux-gnu-gcc",
		.cflags = "-march=armv8-a # no comment",
		.isa = "auto",
		.cpu = "2",
		.timeout_ms = 7000,
		.memory_bytes = 1u << 30,
		.sensor = "none"};
	struct device_profile back;
	struct err_ctx ctx = {{0}};
	char where[4400], again[4400], **names;
	size_t n = 0;

	(void)state;
	assert_int_equal(
		device_profile_check_new(p.name, where, sizeof(where), &ctx), ERR_OK);
	assert_int_equal(strncmp(where, dir, strlen(dir)), 0);
	assert_int_equal(device_profile_write(&p, "a: \"b\"\x1b[", where, &ctx), ERR_OK);
	if (device_profile_load(&back, p.name, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	assert_string_equal(back.name, p.name);
	assert_string_equal(back.driver, "ssh");
	assert_string_equal(back.uri, p.uri);
	assert_string_equal(back.ssh_config, p.ssh_config);
	assert_string_equal(back.cc, p.cc);
	assert_string_equal(back.cflags, p.cflags);
	assert_string_equal(back.isa, p.isa);
	assert_string_equal(back.cpu, p.cpu);
	assert_int_equal(back.timeout_ms, p.timeout_ms);
	assert_int_equal(back.memory_bytes, p.memory_bytes);
	assert_string_equal(back.sensor, p.sensor);
	assert_int_equal(device_profile_list(&names, &ctx), ERR_OK);
	while (names[n] && strcmp(names[n], p.name) != 0)
		n++;
	assert_non_null(names[n]);
	free(names);
	assert_int_equal(
		device_profile_check_new(p.name, again, sizeof(again), &ctx), ERR_EXISTS);
	assert_non_null(strstr(ctx.msg, where));
	assert_int_equal(device_profile_check_new("local", again, sizeof(again), &ctx),
		ERR_EXISTS);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			device_profile_check_new(bad[i], again, sizeof(again), &ctx),
			ERR_USAGE);
	assert_int_equal(unlink(where), 0);
}

static void drivers_are_in_one_table(void **state)
{
	size_t n = 0;

	(void)state;
	for (; device_driver_at(n); n++)
		assert_ptr_equal(device_driver_find(device_driver_at(n)->name),
			device_driver_at(n));
	assert_true(n >= 2);
	assert_null(device_driver_find("telegraph"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profile_reads_every_key),
		cmocka_unit_test(profile_has_defaults),
		cmocka_unit_test(profile_reads_a_meter),
		cmocka_unit_test(profile_names_what_is_wrong),
		cmocka_unit_test(profile_is_looked_up_by_name),
		cmocka_unit_test(profile_list_is_complete_and_loads),
		cmocka_unit_test(profile_is_written_once_and_read_back),
		cmocka_unit_test(drivers_are_in_one_table),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
