/* Real candidates for a board that differ in one layer's width: how much of the next one's image
 * does the one before not have? Frames and answers included. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "devices/delta.h"
#include "devices/proto/frame.h"
#include "devices/proto/message.h"
#include "tests/unit/codegen_fixture.h"

#define WIDEST 0.3
/* A COPY or the extra PUT behind it, with its frame. */
#define FRAME_COST FRAME_WIRE_BYTES(WIRE_HEADER_BYTES + 24)

static void build(const char *layers, int bits, struct buf *image)
{
	const struct target target = {"arm-none-eabi-gcc",
		"-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard "
		"-Wl,--defsym=WINDOW=0x21000000 -Wl,--defsym=WINDOW_BYTES=0x1000000",
		"", "mcu"};
	const struct task_shape task = {.n_intents = 7, .n_tags = 39};
	struct err_ctx ctx = {{0}};
	char text[300];
	struct artefact a;
	struct fixture f;
	int hit;

	snprintf(text, sizeof(text),
		"enc;v=500;t=16;d=64;e=64;eb=%d;act=gelu;norm=ln;place=pre;pool=mean;abs=1;"
		"rel=0;conv=0;opt=O2;kern=ref;L=%s",
		bits, layers);
	assert_int_equal(fixture_init(&f, text, task), 0);
	ASSERT_OK(codegen_build(&f.in, &target, shared_cache(), &a, &hit, &ctx), &ctx);
	buf_reset(image);
	ASSERT_OK(file_read(a.path, 0, image, &ctx), &ctx);
}

static void next_candidate_takes_a_third_of_its_image_at_most(void **state)
{
	static const struct {
		int bits;
		const char *one, *other;
	} cases[] = {
		{8, "h2k2x32f128r0b8,h2k2x32f128r0b8", "h2k2x32f112r0b8,h2k2x32f128r0b8"},
		{8, "h2k2x32f128r0b8,h2k2x32f128r0b8", "h2k2x32f128r0b8,h2k2x32f160r0b8"},
		{4, "h2k2x32f128r0b4,h2k2x32f128r0b4", "h2k2x32f128r0b4,h2k2x32f96r0b4"},
	};
	struct buf old, image;

	(void)state;
	buf_init(&old);
	buf_init(&image);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err_ctx ctx = {{0}};
		struct delta d;
		size_t sent;

		build(cases[i].one, cases[i].bits, &old);
		build(cases[i].other, cases[i].bits, &image);
		ASSERT_OK(delta_plan(&d, (const uint8_t *)old.data, old.len,
				  (const uint8_t *)image.data, image.len, &ctx),
			&ctx);
		sent = image.len + 2 * d.n * FRAME_COST;
		for (size_t k = 0; k < d.n; k++)
			sent -= d.copies[k].len;
		print_message("# case %zu: %zu of %zu bytes, %zu copies\n", i, sent,
			image.len, d.n);
		assert_true((double)sent <= WIDEST * (double)image.len);
		delta_release(&d);
	}
	buf_release(&old);
	buf_release(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_candidate_takes_a_third_of_its_image_at_most),
	};

	if (system("arm-none-eabi-gcc --version >/dev/null 2>&1") != 0) {
		printf("SKIP: no arm-none-eabi-gcc\n");
		return 0;
	}
	return cmocka_run_group_tests_name("mcu delta", tests, make_dir, remove_dir);
}
