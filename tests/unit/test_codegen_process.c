/* Section sizes of ELF files, and running other programs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/base/buf.h"
#include "src/codegen/elf.h"
#include "tests/unit/codegen_fixture.h"

/* ---- the ELF reader: every truncation, flips of every header byte */

static void elf_reader_survives_truncation_and_flips(void **state)
{
	char path[4200], source[4200];
	const char *argv[] = {"gcc", "-c", source, "-o", path, NULL};
	struct err_ctx ctx = {""};
	struct elf_sizes sizes = {0};
	struct buf whole;

	(void)state;
	snprintf(source, sizeof(source), "%.3000s/tiny.c", dir);
	snprintf(path, sizeof(path), "%.3000s/tiny.o", dir);
	ASSERT_OK(file_write_atomic(source,
			  "int a[7]={1}; int b[9]; int f(void){return a[0];}\n", 50, 0644,
			  &ctx),
		&ctx);
	ASSERT_OK(process_run_command(argv, NULL, 60, NULL, NULL, &ctx), &ctx);
	ASSERT_OK(elf_read_sizes(path, &sizes, &ctx), &ctx);
	assert_int_equal(sizes.data, 28);
	assert_int_equal(sizes.bss, 36);
	assert_true(sizes.text > 0 && sizes.weights == 0);
	buf_init(&whole);
	ASSERT_OK(file_read(path, 0, &whole, &ctx), &ctx);
	for (size_t n = 0; n < whole.len; n += 1 + n / 16) {
		FILE *f = fopen(path, "wb");

		assert_non_null(f);
		fwrite(whole.data, 1, n, f);
		fclose(f);
		assert_int_equal(elf_read_sizes(path, &sizes, &ctx), ERR_CORRUPT);
	}
	for (size_t i = 0; i < 64; i++) {
		FILE *f = fopen(path, "wb");

		whole.data[i] = (char)(whole.data[i] ^ 0xff);
		fwrite(whole.data, 1, whole.len, f);
		fclose(f);
		(void)elf_read_sizes(path, &sizes, &ctx); /* must not read outside */
		whole.data[i] = (char)(whole.data[i] ^ 0xff);
	}
	buf_release(&whole);
}

/* ---- running programs */

static void process_keeps_output_and_tells_of_failure(void **state)
{
	const char *fine[] = {"sh", "-c", "echo out; echo err >&2", NULL};
	const char *bad[] = {
		"sh", "-c", "echo first >&2; echo the reason >&2; exit 3", NULL};
	const char *shot[] = {"sh", "-c", "kill -9 $$", NULL};
	const char *flood[] = {"sh", "-c", "head -c 1000000 /dev/zero", NULL};
	const char *where[] = {"pwd", NULL};
	struct err_ctx ctx = {""};
	struct buf out, err_out;

	(void)state;
	buf_init(&out);
	buf_init(&err_out);
	ASSERT_OK(process_run_command(fine, NULL, 60, &out, &err_out, &ctx), &ctx);
	assert_string_equal(buf_str(&out), "out\n");
	assert_string_equal(buf_str(&err_out), "err\n");
	assert_int_equal(process_run_command(bad, NULL, 60, NULL, NULL, &ctx), ERR_TOOL);
	assert_non_null(strstr(ctx.msg, "exit code 3: the reason"));
	assert_int_equal(process_run_command(shot, NULL, 60, NULL, NULL, &ctx), ERR_TOOL);
	assert_non_null(strstr(ctx.msg, "signal 9"));
	buf_reset(&out);
	ASSERT_OK(process_run_command(flood, NULL, 60, &out, NULL, &ctx), &ctx);
	assert_int_equal(out.len, 65536);
	buf_reset(&out);
	ASSERT_OK(process_run_command(where, "/", 60, &out, NULL, &ctx), &ctx);
	assert_string_equal(buf_str(&out), "/\n");
	buf_release(&out);
	buf_release(&err_out);
}

static void process_ends_what_takes_too_long(void **state)
{
	const char *slow[] = {"sh", "-c", "sleep 600 & sleep 600", NULL};
	const char *orphan[] = {"sh", "-c", "sleep 3 & exit 0", NULL};
	struct err_ctx ctx = {""};

	(void)state;
	assert_int_equal(process_run_command(slow, NULL, 0, NULL, NULL, &ctx), ERR_TOOL);
	assert_non_null(strstr(ctx.msg, "did not end"));
	ASSERT_OK(process_run_command(orphan, NULL, 60, NULL, NULL, &ctx), &ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_reader_survives_truncation_and_flips),
		cmocka_unit_test(process_keeps_output_and_tells_of_failure),
		cmocka_unit_test(process_ends_what_takes_too_long),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
