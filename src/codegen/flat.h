/* From what was linked for a board without an operating system to the bytes that its agent
 * loads (`image`), and those that lie in its flash meanwhile (`flash.bin`).
 */
#ifndef HAWSER_CODEGEN_FLAT_H
#define HAWSER_CODEGEN_FLAT_H

#include <stdint.h>

#include "src/base/err.h"
#include "src/model/artefact.h"

/* In the folder `work`, from image.elf there, by the objcopy beside the compiler `cc`, which
 * has to be a gcc (ERR_INVALID). Fills in the stack that the image reserves. `placed`: there is
 * a part for flash, whose size is filled in too, and its CRC-32 put into the image. */
enum err flat_make(const char *cc, const char *work, int placed, struct artefact *a,
	struct err_ctx *ctx);
/* Whether flash.bin in `dir` is what the image there wants. */
int flat_is_sound(const char *dir, uint64_t placed);

#endif
