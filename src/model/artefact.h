/* A built image and what the real link says of its sizes. */
#ifndef HAWSER_MODEL_ARTEFACT_H
#define HAWSER_MODEL_ARTEFACT_H

#include <stdint.h>

#include "src/base/hash.h"

struct artefact {
	struct hash build; /* sources, weights, flags, compiler: the key of the build */
	struct hash image; /* SHA-256 of the file */
	char path[4096];   /* the image, in the build cache */
	uint64_t image_bytes;
	/* Of weights and vocabulary that the device has to have in its flash when the image
	 * runs (devices/proto/placed.h): a file flash.bin beside it; 0: all is in the image. */
	uint64_t placed_bytes;
	/* From the linked model objects (core + generated + weights + vocabulary),
	 * without the harness and the C library that only a hosted run needs. */
	uint64_t text_bytes;   /* code and constants other than weights and vocabulary */
	uint64_t weight_bytes; /* the packed weights */
	uint64_t vocab_bytes;
	uint64_t data_bytes;  /* initialised, writable */
	uint64_t bss_bytes;   /* arena and state included */
	uint64_t stack_bytes; /* that it reserves on a board; 0: what the system gives */
	uint64_t arena_bytes; /* planned working memory */
	uint64_t state_bytes; /* KV cache and convolution state of a decoder */
	uint64_t flash_bytes; /* text + weights + vocabulary + data */
	char compiler[256];   /* first line of its --version, and the flags */
};

#endif
