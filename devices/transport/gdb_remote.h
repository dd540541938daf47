/* A debug probe's way into the memory of a microcontroller: the client's side of GDB's remote
 * serial protocol, as far as writing and reading memory needs it. QEMU's stub and the servers of
 * OpenOCD, pyOCD and J-Link speak it.
 *
 * Source: "GDB Remote Serial Protocol", appendix E of the GDB manual: packets with checksums,
 * acknowledged until QStartNoAckMode is agreed on; X where the server takes it, else M; run
 * lengths and escapes in answers; stop replies, console output and notifications that nobody
 * asked for are skipped.
 *
 * Connecting halts the core, closing lets it go on. Nothing a server says is trusted: an answer
 * is bounded in size, number and time, and what makes no sense is ERR_LINK.
 *
 * Threads: one handle belongs to one thread.
 */
#ifndef HAWSER_DEVICES_TRANSPORT_GDB_REMOTE_H
#define HAWSER_DEVICES_TRANSPORT_GDB_REMOTE_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

struct gdb_remote;

/* `where` as for dial. ERR_LINK when nobody is there or
 * who is there speaks another language. */
enum err gdb_remote_open(struct gdb_remote **out, const char *where, struct err_ctx *ctx);
/* The same over a connected stream socket, which is taken also on failure. */
enum err gdb_remote_attach(
	struct gdb_remote **out, int fd, const char *where, struct err_ctx *ctx);
enum err gdb_remote_write(struct gdb_remote *g, uint64_t address, const uint8_t *data,
	size_t len, struct err_ctx *ctx);
enum err gdb_remote_read(struct gdb_remote *g, uint64_t address, uint8_t *out, size_t len,
	struct err_ctx *ctx);
/* Lets the core go on; frees the handle in any case. NULL is allowed. */
enum err gdb_remote_close(struct gdb_remote *g, struct err_ctx *ctx);

#endif
