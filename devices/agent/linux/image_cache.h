/* Uploaded content in a folder, named by hash, bounded in size: the Linux agent's
 * storage.
 *
 * DIR/<hash>.img   verified content, executable by its owner
 * DIR/<hash>.part  an upload that is under way, or was cut: resumed by the next
 * DIR/lease        locked by the agent that has the device; holds its name
 *
 * Functions return 0 or a wire_code with a text in `why` (AGENT_WHY bytes).
 */
#ifndef HAWSER_DEVICES_AGENT_LINUX_IMAGE_CACHE_H
#define HAWSER_DEVICES_AGENT_LINUX_IMAGE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "devices/agent/agent.h"

#define CACHE_PATH 512
#define CACHE_KNOWN 256

struct image_cache {
	char dir[CACHE_PATH - 80];
	uint64_t max_bytes;
	int lease_fd; /* -1: not held */
	int fd;	      /* of the upload; -1 */
	uint8_t hash[SHA256_BYTES];
	struct agent_stored is;
	struct sha256 sum; /* of what came, while it comes */
	int sums;	   /* 0: a part was there before, so that it must be read */
	/* Content hashed by this agent since it started: need not be hashed again. */
	uint8_t known[CACHE_KNOWN][SHA256_BYTES];
	size_t n_known;
};

/* Makes the folder; it must be ours alone, for what lies in it is run. */
int image_cache_init(
	struct image_cache *c, const char *dir, uint64_t max_bytes, char *why);
void image_cache_release(struct image_cache *c);
/* `controller` names who asks, or is "": an agent that holds the lease for the same one
 * was cut off from it, and is ended. */
int image_cache_lease(struct image_cache *c, const char *controller, char *why);
int image_cache_open(struct image_cache *c, const struct wire_offer *m,
	struct agent_stored **out, char *why);
int image_cache_append(struct image_cache *c, const uint8_t *data, size_t len, char *why);
int image_cache_verify(struct image_cache *c, char *why);
/* The path of verified content; WIRE_E_NOT_FOUND. */
int image_cache_find(struct image_cache *c, const uint8_t hash[SHA256_BYTES],
	char path[CACHE_PATH], char *why);

#endif
