#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/cpu_arch.h"
#include "devices/flash.h"

/* Firmware cannot know; the host started the emulator. With QEMU's -icount an instruction
 * takes 2^shift ns of the board's time, always. */
static void tell_emulator(const struct device_profile *p, struct device_info *info)
{
	const char *shift = strstr(p->emulator, "-icount shift=");
	size_t len = strlen(info->description);
	int n = 0;

	if (!p->emulator[0])
		return;
	if (shift)
		n = atoi(shift + strlen("-icount shift="));
	info->instruction_ns = n > 0 && n <= 10 ? 1u << n : 0;
	snprintf(info->description + len, sizeof(info->description) - len,
		info->instruction_ns ? "emulated: yes\ninstruction_ns: %u\n"
				     : "emulated: yes\n",
		(unsigned)info->instruction_ns);
}

/* Figures of a board that is fed otherwise, of another meter or recording do not mix. */
static void tell_meter(const struct device_profile *p, struct device_info *info)
{
	size_t len = strlen(info->description);

	if (!p->meter.kind[0])
		return;
	instrument_name(&p->meter, info->sensor, sizeof(info->sensor));
	snprintf(info->sensor_note, sizeof(info->sensor_note),
		p->meter.recorded ? "what was recorded, not what this board draws"
				  : "all that it feeds");
	snprintf(info->description + len, sizeof(info->description) - len,
		"meter: %s%s%s\n", info->sensor, p->meter.recorded ? " " : "",
		p->meter.recorded ? p->meter.port : "");
}

void identity_tell(const struct device_profile *p, struct device_info *info)
{
	tell_emulator(p, info);
	tell_meter(p, info);
}

/* What tells one board from another. */
static const char *const board_keys[] = {"board", "cpuid", "window"};
#define N_BOARD_KEYS (sizeof(board_keys) / sizeof(board_keys[0]))

/* The board that the profile names, not another one that was plugged in there. */
enum err identity_check(const struct device_profile *p, const struct device_info *info,
	struct err_ctx *ctx)
{
	const char *const wanted[N_BOARD_KEYS] = {p->board, p->cpuid, p->window};

	for (size_t i = 0; i < N_BOARD_KEYS; i++) {
		char found[64];

		cpu_arch_line(info->description, board_keys[i], found, sizeof(found));
		if (wanted[i][0] && strcmp(wanted[i], found) != 0)
			return err_set(ctx, ERR_DEVICE,
				"another board is on the line: its %s is '%s', not '%s'; plug "
				"in the right one, or change '%s' in the device profile",
				board_keys[i], found, wanted[i], board_keys[i]);
	}
	return flash_check(p, info, ctx);
}

enum err identity_changed(const struct device_info *was_info,
	const struct device_info *info, struct err_ctx *ctx)
{
	for (size_t i = 0; i < N_BOARD_KEYS; i++) {
		char was[64], is[64];

		cpu_arch_line(was_info->description, board_keys[i], was, sizeof(was));
		cpu_arch_line(info->description, board_keys[i], is, sizeof(is));
		if (strcmp(was, is) != 0)
			return err_set(ctx, ERR_INVALID,
				"it came back as another machine: its %s is '%s', no longer '%s'",
				board_keys[i], is, was);
	}
	return err_set(ctx, ERR_INVALID, "it came back as another machine");
}
