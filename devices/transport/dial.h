/* Stream sockets to servers of this host or another: "HOST:PORT", or the path of a socket (with
 * a '/').
 */
#ifndef HAWSER_DEVICES_TRANSPORT_DIAL_H
#define HAWSER_DEVICES_TRANSPORT_DIAL_H

#include "src/base/err.h"

#define DIAL_BYTES 128 /* more than the longest address */

int dial_is_address(const char *where);
/* A connected socket, the caller's; a few seconds at most for each address of a host. ERR_INVALID
 * when `where` is no address, ERR_LINK when nobody answers there. */
enum err dial(int *out, const char *where, struct err_ctx *ctx);

#endif
