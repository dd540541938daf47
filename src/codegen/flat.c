#include "src/codegen/flat.h"

#include <string.h>

#include "devices/proto/crc32.h"
#include "devices/proto/placed.h"
#include "src/base/file.h"
#include "src/codegen/toolchain.h"

#define PATH_BYTES 4096
#define MAX_FILE (1u << 30)

/* The program beside gcc that makes plain bytes of what it linked: arm-none-eabi-objcopy. */
static enum err copy_sections(
	const char *cc, const char *work, const char *words, struct err_ctx *ctx)
{
	struct args a;
	enum err e;

	args_init(&a);
	args_printf(&a, "%.*sobjcopy", (int)(strlen(cc) - 3), cc);
	args_add_words(&a, words);
	e = toolchain_run(&a, work, ctx);
	args_release(&a);
	return e;
}

static enum err read_file(
	const char *dir, const char *name, struct buf *out, struct err_ctx *ctx)
{
	char path[PATH_BYTES];
	enum err e = file_join(path, sizeof(path), dir, name, ctx);

	return e ? e : file_read(path, MAX_FILE, out, ctx);
}

static enum err sign(
	struct buf *image, const struct buf *flash, const char *work, struct err_ctx *ctx)
{
	char path[PATH_BYTES];
	struct placed p;
	enum err e = file_join(path, sizeof(path), work, "image", ctx);

	if (!e && (!placed_get((const uint8_t *)buf_str(image), image->len, &p) ||
			  p.size != flash->len))
		e = err_set(ctx, ERR_CORRUPT,
			"the linked image has no place for what lies in flash");
	if (e)
		return e;
	placed_set_crc((uint8_t *)image->data, crc32_update(0, flash->data, flash->len));
	return file_write_atomic(path, image->data, image->len, 0644, ctx);
}

/* What lies in flash, as a file beside the image, which is told its CRC-32. */
static enum err take_flash(const char *cc, const char *work, struct buf *image,
	struct artefact *a, struct err_ctx *ctx)
{
	struct buf flash;
	enum err e =
		copy_sections(cc, work, "-O binary -j .flash image.elf flash.bin", ctx);

	buf_init(&flash);
	e = e ? e : read_file(work, "flash.bin", &flash, ctx);
	e = e ? e : sign(image, &flash, work, ctx);
	if (!e)
		a->placed_bytes = flash.len;
	buf_release(&flash);
	return e;
}

enum err flat_make(const char *cc, const char *work, int placed, struct artefact *a,
	struct err_ctx *ctx)
{
	size_t len = strlen(cc);
	struct buf image;
	enum err e;

	if (len < 3 || strcmp(cc + len - 3, "gcc") != 0)
		return err_set(ctx, ERR_INVALID,
			"'%s' is not a gcc: builds for boards without an operating system "
			"need one, as 'cc' in the device profile",
			cc);
	buf_init(&image);
	e = copy_sections(cc, work, "-O binary -R .flash image.elf image", ctx);
	e = e ? e : read_file(work, "image", &image, ctx);
	if (!e && placed)
		e = take_flash(cc, work, &image, a, ctx);
	if (!e)
		a->stack_bytes = placed_stack((const uint8_t *)image.data, image.len);
	buf_release(&image);
	return e;
}

int flat_is_sound(const char *dir, uint64_t placed)
{
	struct buf image, flash;
	struct placed p;
	int ok;

	if (!placed)
		return 1;
	buf_init(&image);
	buf_init(&flash);
	ok = !read_file(dir, "image", &image, NULL) &&
	     !read_file(dir, "flash.bin", &flash, NULL) && flash.len == placed &&
	     placed_get((const uint8_t *)image.data, image.len, &p) && p.size == placed &&
	     crc32_update(0, flash.data, flash.len) == p.crc;
	buf_release(&image);
	buf_release(&flash);
	return ok;
}
