/* SSH by the user's own client: keys, agents, jump hosts, known hosts and ~/.ssh/config are
 * theirs. One long-lived `ssh HOST agent` per device; what gets the agent there is
 * boot.h's.
 *
 * Nothing is shared between connections (no ControlPath), so a dead one takes no other along;
 * a line that is cut is noticed within ten seconds.
 */
#ifndef HAWSER_DEVICES_TRANSPORT_SSH_H
#define HAWSER_DEVICES_TRANSPORT_SSH_H

#include <stdint.h>

#include "devices/transport/boot.h"
#include "src/base/buf.h"

struct ssh_address {
	char user[64];	/* "": the client's choice */
	char host[200]; /* a name, a name of ~/.ssh/config, or a number */
	uint16_t port;	/* 0: the client's choice */
};

/* ssh://[USER@]HOST[:PORT], with [..] around an IPv6 number. Neither part can become an
 * option or a word of a shell. */
enum err ssh_address_parse(struct ssh_address *a, const char *uri, struct err_ctx *ctx);
/* "user@host port 22" as messages name it. */
void ssh_address_name(const struct ssh_address *a, char *out, size_t cap);

#define SSH_MAX_WORDS 48
/* The client's command line: pointers into `words` (owned by the caller), NULL at the end.
 * `config`: a file instead of ~/.ssh/config, or "". */
enum err ssh_argv(const struct ssh_address *a, const char *config, const char *command,
	struct buf *words, const char *argv[SSH_MAX_WORDS], struct err_ctx *ctx);
/* What the client complained, told as what went wrong and what to do; returns
 * `code`, or ERR_REFUSED where waiting does not mend it. */
enum err ssh_explain(const struct ssh_address *a, const char *complaint, enum err code,
	struct err_ctx *ctx);

/* Connects, gets the agent there and starts it. */
enum err transport_ssh_open(struct transport **out, const struct ssh_address *a,
	const char *config, const struct boot *boot, struct err_ctx *ctx);

#endif
