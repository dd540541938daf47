#include "src/eval/device_target.h"

#include <inttypes.h>
#include <stdio.h>

#include "devices/cpu_arch.h"

enum err device_target(
	struct device_target *out, const struct device *d, struct err_ctx *ctx)
{
	const struct device_profile *p = device_profile(d);
	uint32_t base, bytes;
	char window[40];
	int used = 0;

	out->target = (struct target){p->cc, p->cflags, p->isa, "linux"};
	out->memories = (struct memories){p->flash_bytes, p->ram_bytes, 0, 0, 0};
	cpu_arch_line(device_info(d)->description, "window", window, sizeof(window));
	if (!window[0])
		return ERR_OK;
	if (sscanf(window, "%8" SCNx32 " %8" SCNx32 "%n", &base, &bytes, &used) != 2 ||
		window[used] || base % 8 || bytes < 4096 || bytes > UINT32_MAX - base)
		return err_set(ctx, ERR_DEVICE,
			"device '%s' reports a window of memory that makes no sense: "
			"'%s'",
			p->name, window);
	snprintf(out->cflags, sizeof(out->cflags),
		"%s -Wl,--defsym=WINDOW=0x%" PRIx32
		" -Wl,--defsym=WINDOW_BYTES=0x%" PRIx32,
		p->cflags, base, bytes);
	out->target.cflags = out->cflags;
	out->target.harness = "mcu";
	out->memories.window = bytes;
	out->memories.place = p->flash.size;
	out->memories.place_base = p->flash.base;
	return ERR_OK;
}
