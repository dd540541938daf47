#include "devices/board_record.h"

#include <stdio.h>
#include <string.h>

/* Fields of registers (Armv7-M and Armv8-M Architecture Reference Manuals). */
#define CPUID_PART(cpuid) ((cpuid) >> 4 & 0xfff)
#define PART_CORTEX_M3 0xc23
#define MVFR0_DOUBLE(mvfr0) ((mvfr0) >> 8 & 15)
#define MVFR1_MVE(mvfr1) ((mvfr1) >> 8 & 15)

/* What the registers tell of, and did not fault when it was executed. An emulated M3 executes
 * DSP instructions. */
static void features(const struct wire_board *b, char *out, size_t cap)
{
	int fpu = b->mvfr0 && b->found & WIRE_RAN_FPU;
	int dsp = CPUID_PART(b->cpuid) != PART_CORTEX_M3 && b->found & WIRE_RAN_DSP;
	int mve = MVFR1_MVE(b->mvfr1) && b->found & WIRE_RAN_MVE;

	snprintf(out, cap, "%s%s%s%s%s", fpu ? " fpu" : "",
		fpu && MVFR0_DOUBLE(b->mvfr0) ? " double" : "", dsp ? " dsp" : "",
		mve ? " mve" : "", !fpu && !mve && !dsp ? " none" : "");
}

/* devices/PROTOCOL.md, "The description" */
#define RESET_FAULT 0x100u
static void tell_reset(struct device_info *info, uint32_t why)
{
	static const char *const text[] = {"power was switched on", "it was asked to",
		"its watchdog bit",
		"the reset pin, or a cause that the board does not tell"};

	if (why < sizeof(text) / sizeof(text[0]))
		snprintf(info->reset, sizeof(info->reset), "%s", text[why]);
	else if (why < 2 * RESET_FAULT && why >= RESET_FAULT)
		snprintf(info->reset, sizeof(info->reset),
			"the agent itself failed, exception %u",
			(unsigned)(why - RESET_FAULT));
	else
		snprintf(info->reset, sizeof(info->reset), "reason %x", (unsigned)why);
}

enum err board_describe(
	struct device_info *info, const struct wire_welcome *w, struct err_ctx *ctx)
{
	struct wire_board b;
	char has[64];
	struct get g;

	get_init(&g, w->description, w->description_len);
	if (!get_board(&g, &b))
		return err_set(
			ctx, ERR_LINK, "what the agent says of its board makes no sense");
	features(&b, has, sizeof(has));
	snprintf(info->description, sizeof(info->description),
		"arch: %s\nboard: %s\ncpuid: %08x\nfeatures:%s\nwindow: %08x %08x\n"
		"readable: %08x %08x\nclock_hz: %u\nticks: systick%s\n",
		b.core, b.name, (unsigned)b.cpuid, has, (unsigned)b.window_base,
		(unsigned)b.window_bytes, (unsigned)b.code_base, (unsigned)b.code_bytes,
		(unsigned)b.clock_hz, b.found & WIRE_CYCLES ? ", dwt" : "");
	info->boots = b.boots;
	tell_reset(info, b.reset);
	snprintf(info->agent, sizeof(info->agent), "hawser-agent-mcu");
	snprintf(info->sensor_note, sizeof(info->sensor_note), "this board has none");
	return ERR_OK;
}
