/* Machines that tests build for and run under QEMU's user mode: Arm, 64 and 32 bit, and
 * RISC-V. Where
 * the compiler or the emulator is missing a test prints SKIP with the reason.
 */
#ifndef HAWSER_TESTS_UNIT_CROSS_H
#define HAWSER_TESTS_UNIT_CROSS_H

#include <string.h>
#include <unistd.h>

#include "src/codegen/codegen.h"

struct cross {
	const char *prefix; /* of the kernel sets that run there; NULL: it has none */
	const char *cc;
	const char *emulator[2]; /* by either name */
	const char *cflags;	 /* of its kernel sets, besides their own */
};

static const struct cross crosses[] = {
	{"arm64-", "aarch64-linux-gnu-gcc", {"qemu-aarch64", "qemu-aarch64-static"}, ""},
	{"armhf-", "arm-linux-gnueabihf-gcc", {"qemu-arm", "qemu-arm-static"}, ""},
	{NULL, "riscv64-linux-gnu-gcc", {"qemu-riscv64", "qemu-riscv64-static"}, ""},
	/* What a Cortex-M executes, on a processor that has Linux. */
	{"cortexm-dsp", "arm-linux-gnueabihf-gcc", {"qemu-arm", "qemu-arm-static"},
		"-mthumb -mfpu=vfpv4-d16 -DTEST_CORTEXM"},
};
#define N_CROSSES (sizeof(crosses) / sizeof(crosses[0]))

static inline int cross_has(const char *program)
{
	const char *argv[] = {program, "--version", NULL};

	return process_run_command(argv, NULL, 30, NULL, NULL, NULL) == ERR_OK;
}

/* The machine of a set, or NULL. */
static inline const struct cross *cross_of(const char *isa)
{
	for (size_t i = 0; i < N_CROSSES; i++)
		if (crosses[i].prefix &&
			!strncmp(isa, crosses[i].prefix, strlen(crosses[i].prefix)))
			return &crosses[i];
	return NULL;
}

/* The emulator, or NULL after saying what is missing. */
static inline const char *cross_ready(const struct cross *c)
{
	if (!cross_has(c->cc)) {
		print_message("SKIP: no compiler %s\n", c->cc);
		return NULL;
	}
	for (size_t i = 0; i < 2; i++)
		if (cross_has(c->emulator[i]))
			return c->emulator[i];
	print_message("SKIP: no emulator %s\n", c->emulator[0]);
	return NULL;
}

#endif
