/* Sizes of a linked ELF file's sections, 32 or 64 bit, little endian.
 *
 * Reads headers only, never section contents, so a gigabyte of weights costs nothing.
 * Every offset and count is checked against the file's size: ERR_CORRUPT otherwise.
 */
#ifndef HAWSER_CODEGEN_ELF_H
#define HAWSER_CODEGEN_ELF_H

#include <stdint.h>

#include "src/base/err.h"

struct elf_sizes {
	uint64_t text;	  /* code and read-only data but the following two */
	uint64_t weights; /* sections ".rodata.model_weights*" */
	uint64_t vocab;	  /* sections ".rodata.model_vocab*" */
	uint64_t data;	  /* initialised, writable */
	uint64_t bss;
};

enum err elf_read_sizes(const char *path, struct elf_sizes *out, struct err_ctx *ctx);

#endif
