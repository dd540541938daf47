/* Energy sensors and the machine's own figures on fixture trees; energy from synthetic
 * traces whose integral is known.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/agent/agent.h"
#include "devices/agent/linux/machine.h"
#include "devices/sensors/meter.h"
#include "devices/sensors/sysfs.h"
#include "src/base/buf.h"
#include "src/base/file.h"

#define FIXTURES "tests/golden/sysfs/"
#define MS 1000000ull

static char dir[256];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hawser-sensors-XXXXXX",
		tmp && tmp[0] ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) == ERR_OK ? 0 : -1;
}

static void put_text(const char *path, const char *text)
{
	char full[600], *slash;

	snprintf(full, sizeof(full), "%s%s", dir, path);
	slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(file_mkdirs(full, NULL), ERR_OK);
	*slash = '/';
	assert_int_equal(file_write_atomic(full, text, strlen(text), 0644, NULL), ERR_OK);
}

static void sensors_are_found_in_fixture_trees(void **state)
{
	static const struct {
		const char *root, *want;
		int rc;
		const char *name;
		double value;
	} cases[] = {
		{FIXTURES "rapl", "auto", 0, "rapl:package-0", 0},
		{FIXTURES "rapl", "rapl", 0, "rapl:package-0", 0},
		{FIXTURES "rapl", "hwmon", -ENODEV, "", 0},
		{FIXTURES "rapl", "none", -ENODEV, "", 0},
		{FIXTURES "rapl", "wattmeter", -EINVAL, "", 0},
		{FIXTURES "ina226", "auto", 0, "hwmon:ina226:channel1", 3200000},
		{FIXTURES "jetson", "auto", 0, "hwmon:ina3221:VDD_IN", 5072.0 * 1136},
		{FIXTURES "jetson", "hwmon:VDD_CPU_GPU_CV", 0,
			"hwmon:ina3221:VDD_CPU_GPU_CV", 5072.0 * 400},
		{FIXTURES "jetson", "hwmon:NC", -ENODEV, "", 0},
		{FIXTURES "nowhere", "auto", -ENODEV, "", 0},
		{"", "fake:/nowhere/trace", -ENOENT, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sensor s;
		double v = -1;
		int rc = sensor_open(&s, cases[i].want, cases[i].root);

		if (rc != cases[i].rc)
			fail_msg("%s on %s: %d (%s)", cases[i].want, cases[i].root, rc,
				s.note);
		assert_string_equal(s.name, cases[i].name);
		if (rc == 0) {
			assert_int_equal(sensor_read(&s, 0, &v), 0);
			assert_true(v == cases[i].value);
			assert_true(s.interval_ns > 0 && s.note[0]);
		} else if (strcmp(cases[i].want, "none") != 0) {
			assert_true(s.note[0] != '\0');
		}
		sensor_close(&s);
	}
}

static void rapl_counts_on_when_its_counter_wraps(void **state)
{
	struct sensor s;
	double v;

	(void)state;
	put_text("/sys/class/powercap/intel-rapl:0/name", "package-0\n");
	put_text(
		"/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
	put_text("/sys/class/powercap/intel-rapl:0/energy_uj", "262143328800\n");
	assert_int_equal(sensor_open(&s, "rapl", dir), 0);
	put_text("/sys/class/powercap/intel-rapl:0/energy_uj", "50\n");
	assert_int_equal(sensor_read(&s, 0, &v), 0);
	assert_true(v == 101);
	put_text("/sys/class/powercap/intel-rapl:0/energy_uj", "60\n");
	assert_int_equal(sensor_read(&s, 0, &v), 0);
	assert_true(v == 111);
	put_text("/sys/class/powercap/intel-rapl:0/energy_uj", "rubbish\n");
	assert_true(sensor_read(&s, 0, &v) < 0);
	put_text("/sys/class/powercap/intel-rapl:0/energy_uj", "300000000000\n");
	assert_true(sensor_read(&s, 0, &v) < 0); /* beyond its own range */
	sensor_close(&s);
}

static void rapl_tells_how_to_be_allowed_to_read(void **state)
{
	char path[400];
	struct sensor s;
	int rc, root = geteuid() == 0;

	(void)state;
	put_text("/sys/class/powercap/intel-rapl:0/name", "package-0\n");
	put_text("/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "1000\n");
	put_text("/sys/class/powercap/intel-rapl:0/energy_uj", "1\n");
	snprintf(path, sizeof(path), "%s/sys/class/powercap/intel-rapl:0/energy_uj", dir);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	rc = sensor_open(&s, "auto", dir);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -ENODEV);
	assert_non_null(strstr(s.note, "sudo chmod a+r"));
	assert_string_equal(s.name, "");
}

/* Meter: a trace, sampled every `step_ns` as the agent does, with idle time first. */

struct scene {
	const char *trace;
	uint64_t step_ns, idle_ns, end_ns; /* end of sampling */
	struct meter_window w;
};

static const char *measure(const struct scene *sc, double *energy, double *idle)
{
	static struct meter m;
	struct sensor s;
	char want[400];
	const char *why;
	int idling = 1;

	put_text("/trace", sc->trace);
	snprintf(want, sizeof(want), "fake:%s/trace", dir);
	assert_int_equal(sensor_open(&s, want, ""), 0);
	meter_begin(&m, &s);
	for (uint64_t t = 0; t <= sc->end_ns; t += sc->step_ns) {
		if (idling && t >= sc->idle_ns) {
			meter_idle_ends(&m, t);
			idling = 0;
		}
		meter_sample(&m, t);
	}
	why = meter_result(&m, &sc->w, energy, idle);
	sensor_close(&s);
	return why;
}

/* 1 W idle, 3 W from 110 ms to 1110 ms. */
#define STEPS                                                                            \
	"0 1000000\n110000000 1000000\n110000001 3000000\n1110000000 3000000\n"          \
	"1110000001 1000000\n2000000000 1000000\n"

static void meter_takes_idle_power_off(void **state)
{
	const struct scene sc = {
		STEPS, MS, 100 * MS, 1300 * MS, {210 * MS, 1010 * MS, 400}};
	double energy, idle;

	(void)state;
	assert_null(measure(&sc, &energy, &idle));
	/* 2 W for 0.8 s in 400 inferences: 4000 uJ each. */
	assert_true(fabs(energy - 4000) < 4000 * 0.001);
	assert_true(fabs(idle - 1e6) < 1);
}

static void meter_stays_right_when_its_memory_is_full(void **state)
{
	/* 20 seconds at 1 ms are five times its samples. */
	const struct scene sc = {"0 1000000\n1000000000 1000000\n1000000001 3000000\n",
		MS, 900 * MS, 20000 * MS, {2000 * MS, 18000 * MS, 1000}};
	double energy, idle;

	(void)state;
	assert_null(measure(&sc, &energy, &idle));
	assert_true(fabs(energy - 32000) < 32000 * 0.001);
}

static void meter_gives_no_figure_rather_than_a_wrong_one(void **state)
{
	static const struct {
		struct scene sc;
		const char *why;
	} cases[] = {
		{{STEPS, MS, 100 * MS, 1300 * MS, {210 * MS, 260 * MS, 9}},
			"shorter than 100"},
		{{"interval_ns 20000000\n" STEPS, MS, 400 * MS, 1300 * MS,
			 {210 * MS, 1010 * MS, 9}},
			"shorter than 100"},
		{{STEPS, MS, 100 * MS, 1300 * MS, {210 * MS, 1400 * MS, 9}},
			"not covered"},
		{{STEPS, MS, 5 * MS, 1300 * MS, {210 * MS, 1010 * MS, 9}},
			"too little idle"},
		{{STEPS, 50 * MS, 500 * MS, 1300 * MS, {510 * MS, 1010 * MS, 9}},
			"not read in time"},
		{{"0 1000000\n", MS, 100 * MS, 1300 * MS, {210 * MS, 1010 * MS, 9}},
			"cannot be told from idle"},
		{{"0 1000000\n50000000 2000000\n100000000 1000000\n110000000 2000000\n",
			 MS, 100 * MS, 1300 * MS, {210 * MS, 1010 * MS, 9}},
			"idle level is not steady"},
		{{"0 1000000\n110000000 3000000\n500000000 lost\n501000000 3000000\n", MS,
			 100 * MS, 1300 * MS, {210 * MS, 1010 * MS, 9}},
			"sample was lost"},
		{{STEPS, MS, 100 * MS, 1300 * MS, {210 * MS, 1010 * MS, 0}},
			"shorter than 100"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double energy = 1, idle = 1;
		const char *why = measure(&cases[i].sc, &energy, &idle);

		if (!why || !strstr(why, cases[i].why))
			fail_msg("case %zu: %s", i, why ? why : "a figure");
		assert_true(isnan(energy) && isnan(idle));
	}
}

static void trace_is_refused_when_malformed(void **state)
{
	static const char *const bad[] = {
		"", "x 1\n", "0\n", "0 -5\n", "5 1\n5 1\n", "0 1\n\n7 y\n"};
	char want[400];
	struct sensor s;

	(void)state;
	snprintf(want, sizeof(want), "fake:%s/trace", dir);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_text("/trace", bad[i]);
		assert_true(sensor_open(&s, want, "") < 0);
		assert_non_null(strstr(s.note, "malformed"));
		sensor_close(&s);
	}
}

/* The machine */

static void machine_tells_core_speed_and_heat(void **state)
{
	struct machine m;
	char text[WIRE_DESCRIPTION_BYTES], governor[32], why[AGENT_WHY];

	(void)state;
	assert_int_equal(machine_init(&m, FIXTURES "jetson", "any", why), 0);
	assert_int_equal(m.core, -1);
	assert_int_equal(machine_temp_mc(&m), 51500);
	machine_describe(&m, text, sizeof(text));
	assert_non_null(strstr(text, "board: NVIDIA Jetson Orin Nano\n"));
	assert_non_null(strstr(text, "CPU part: 0xd42\n"));
	assert_non_null(strstr(text, "features: asimd asimddp\n"));
	m.core = 2;
	assert_int_equal(machine_freq_khz(&m), 1000002);
	machine_governor(&m, governor, sizeof(governor));
	assert_string_equal(governor, "performance");
	machine_describe(&m, text, sizeof(text));
	assert_non_null(strstr(text, "one core of speed 1024\ngovernor: performance\n"));
	assert_int_equal(machine_init(&m, FIXTURES "nowhere", "auto", why), 0);
	assert_int_equal(machine_temp_mc(&m), INT32_MIN);
	assert_int_equal(machine_freq_khz(&m), 0);
	machine_governor(&m, governor, sizeof(governor));
	assert_string_equal(governor, "");
	machine_describe(&m, text, sizeof(text));
	assert_null(strstr(text, "governor"));
}

static void machine_picks_an_allowed_core(void **state)
{
	static const char *const bad[] = {"", "9999", "-1", "x", "0x1"};
	struct machine m;
	char why[AGENT_WHY];
	cpu_set_t set;

	(void)state;
	assert_int_equal(machine_init(&m, "", "auto", why), 0);
	assert_true(CPU_ISSET((size_t)m.core, &m.allowed));
	machine_child_cpus(&m, &set);
	assert_int_equal(CPU_COUNT(&set), 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(machine_init(&m, "", bad[i], why), -1);
	assert_non_null(strstr(why, "give auto, any or a number"));
}

static void sysfs_reads_numbers_strictly(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t value;
	} cases[] = {{"12\n", 0, 12}, {"-7", 0, -7}, {" 3 \n", 0, 3}, {"", -EINVAL, 0},
		{"1 2\n", -EINVAL, 0}, {"99999999999999999999\n", -EINVAL, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t v = 0;

		put_text("/number", cases[i].text);
		assert_int_equal(sysfs_number(dir, "/number", &v), cases[i].rc);
		assert_int_equal(v, cases[i].value);
	}
	assert_int_equal(sysfs_number(dir, "/absent", &(int64_t){0}), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sensors_are_found_in_fixture_trees),
		cmocka_unit_test(rapl_counts_on_when_its_counter_wraps),
		cmocka_unit_test(rapl_tells_how_to_be_allowed_to_read),
		cmocka_unit_test(meter_takes_idle_power_off),
		cmocka_unit_test(meter_stays_right_when_its_memory_is_full),
		cmocka_unit_test(meter_gives_no_figure_rather_than_a_wrong_one),
		cmocka_unit_test(trace_is_refused_when_malformed),
		cmocka_unit_test(machine_tells_core_speed_and_heat),
		cmocka_unit_test(machine_picks_an_allowed_core),
		cmocka_unit_test(sysfs_reads_numbers_strictly),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
