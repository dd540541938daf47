/* Gets the agent onto a machine where nothing of ours is installed, over the line that will
 * carry its frames: a small shell program there tells what machine it is, asks for the agent
 * unless it has this very one, checks its hash, and becomes it.
 *
 *     there: hawser-boot hello Linux aarch64
 *     here:  HASH SIZE
 *     there: hawser-boot have | hawser-boot send        (here: SIZE bytes)
 *     there: hawser-boot ready                          from here on frames
 *     or:    hawser-boot fail WHERE WORDS
 *
 * It needs sh, mkdir, head -c, sha256sum, cut, chmod, mv and rm there. The agent is kept as
 * agent-HASH in the cache folder; others of that kind are removed. Lines without the mark
 * are what a login says, and are skipped; nothing that comes is believed unchecked.
 */
#ifndef HAWSER_DEVICES_TRANSPORT_BOOT_H
#define HAWSER_DEVICES_TRANSPORT_BOOT_H

#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/err.h"

struct transport;

struct boot {
	const char *cache;	 /* the folder there; "": $HAWSER_AGENT_CACHE, else
			      hawser-agent in $XDG_CACHE_HOME or ~/.cache */
	const char *const *args; /* of the agent, NULL-terminated */
	/* The path of the agent for a machine as `uname -m` calls it. */
	enum err (*find)(
		const char *machine, char *path, size_t cap, struct err_ctx *ctx);
};

/* Appends the line for the shell there, whatever shell that is. */
enum err boot_command(const struct boot *b, struct buf *out, struct err_ctx *ctx);
/* `where` names the machine in messages. ERR_LINK when the line ends or what comes makes no
 * sense, ERR_DEVICE when that machine cannot do it. */
enum err boot_dialog(struct transport *t, const struct boot *b, const char *where,
	struct err_ctx *ctx);

#endif
