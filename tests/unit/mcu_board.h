/* An emulated board and payloads for it, compiled by the test from tests/mcu/payload.c.
 */
#ifndef HAWSER_TESTS_UNIT_MCU_BOARD_H
#define HAWSER_TESTS_UNIT_MCU_BOARD_H

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
#include "src/codegen/codegen.h"

static char mcu_folder[64];

/* The board that is used from now on. */
static const struct mcu_board {
	const char *name; /* of the profile */
	const char *cpu, *window, *window_bytes;
} mcu_boards[] = {
	{"mps2-an386", "-mcpu=cortex-m4", "-Wl,--defsym=WINDOW=0x21000000",
		"-Wl,--defsym=WINDOW_BYTES=0x1000000"},
	{"mps2-an505", "-mcpu=cortex-m33", "-Wl,--defsym=WINDOW=0x38200000",
		"-Wl,--defsym=WINDOW_BYTES=0x200000"},
	{"netduinoplus2", "-mcpu=cortex-m4", "-Wl,--defsym=WINDOW=0x20004000",
		"-Wl,--defsym=WINDOW_BYTES=0x1c000"},
};
#define N_MCU_BOARDS (sizeof(mcu_boards) / sizeof(mcu_boards[0]))
static const struct mcu_board *mcu_board = &mcu_boards[0];

struct payload {
	char path[80];
	struct hash hash;
};

/* tests/mcu/payload.c with a fault, and behind it `len` bytes that are only there. */
static inline void mcu_payload(
	struct payload *p, const char *name, int fault, const void *pad, size_t len)
{
	char elf[88], define[16], home[4096], source[88], bytes[88], text[256];
	const char *const cc[] = {"arm-none-eabi-gcc", mcu_board->cpu, "-mthumb", "-Os",
		"-std=c11", "-ffreestanding", "-nostdlib", "-I.", define,
		mcu_board->window, mcu_board->window_bytes, "-T",
		"devices/boards/mcu/payload.ld", "tests/mcu/payload.c", source, "-o", elf,
		NULL};
	const char *const flatten[] = {
		"arm-none-eabi-objcopy", "-O", "binary", elf, p->path, NULL};
	struct err_ctx ctx = {{0}};
	struct buf image;

	snprintf(define, sizeof(define), "-DFAULT=%d", fault);
	snprintf(p->path, sizeof(p->path), "%s/%s", mcu_folder, name);
	snprintf(elf, sizeof(elf), "%s.elf", p->path);
	snprintf(source, sizeof(source), "%s.S", p->path);
	snprintf(bytes, sizeof(bytes), "%s.pad", p->path);
	snprintf(text, sizeof(text), ".section .rodata.pad,\"a\"\n.incbin \"%s\"\n",
		bytes);
	assert_int_equal(file_write_atomic(bytes, pad, len, 0600, &ctx), ERR_OK);
	assert_int_equal(
		file_write_atomic(source, text, strlen(text), 0600, &ctx), ERR_OK);
	assert_int_equal(file_home(home, sizeof(home), &ctx), ERR_OK);
	if (process_run_command(cc, home, 60, NULL, NULL, &ctx) ||
		process_run_command(flatten, home, 60, NULL, NULL, &ctx))
		fail_msg("%s", ctx.msg);
	buf_init(&image);
	assert_int_equal(file_read(p->path, 16 << 20, &image, &ctx), ERR_OK);
	hash_bytes(&p->hash, image.data, image.len);
	buf_release(&image);
}

static inline struct device *mcu_open(const char *probe)
{
	struct device *d = NULL;
	struct device_profile p;
	struct err_ctx ctx = {{0}};

	if (device_profile_load(&p, mcu_board->name, &ctx) == ERR_OK) {
		p.timeout_ms = 1500;
		snprintf(p.probe, sizeof(p.probe), "%s", probe);
		device_open(&d, &p, &ctx);
	}
	if (!d)
		fail_msg("%s", ctx.msg);
	return d;
}

static inline void mcu_upload(struct device *d, const struct payload *p)
{
	struct err_ctx ctx = {{0}};

	if (device_upload(d, p->path, &p->hash, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
}

static inline enum verdict mcu_run(
	struct device *d, const struct payload *p, char detail[256])
{
	struct run_request rq = {.mode = RUN_GOLDEN, .image = p->hash};
	struct err_ctx ctx = {{0}};
	struct run_result r;
	enum verdict v;

	if (device_run(d, &rq, &r, &ctx) != ERR_OK)
		fail_msg("%s", ctx.msg);
	v = r.verdict;
	memcpy(detail, r.detail, sizeof(r.detail));
	run_result_release(&r);
	return v;
}

/* A payload without a fault ends with code 42. */
static inline void mcu_run_well(struct device *d, const struct payload *p)
{
	char detail[256];

	if (mcu_run(d, p, detail) != VERDICT_EXIT || strcmp(detail, "exit code 42") != 0)
		fail_msg("%s", detail);
}

static inline int mcu_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	if (!tmp || strlen(tmp) > 40)
		tmp = "/tmp";
	snprintf(mcu_folder, sizeof(mcu_folder), "%s/hawser-mcu-XXXXXX", tmp);
	return mkdtemp(mcu_folder) ? 0 : -1;
}

static inline int mcu_teardown(void **state)
{
	(void)state;
	return file_remove_tree(mcu_folder, NULL);
}

/* Says so where the tools are missing. */
static inline int mcu_has_tools(void)
{
	static const char *const programs[] = {"qemu-system-arm", "arm-none-eabi-gcc"};

	for (int i = 0; i < 2; i++) {
		const char *const argv[] = {programs[i], "--version", NULL};

		if (process_run_command(argv, NULL, 30, NULL, NULL, NULL) != ERR_OK) {
			printf("SKIP: no %s\n", programs[i]);
			return 0;
		}
	}
	return 1;
}

#endif
