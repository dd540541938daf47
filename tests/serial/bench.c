/* `make bench-line`, the part of serial boards: an upload over a line of 115,200 baud beside what
 * such a line can carry, by the debugger of an emulated board, and what a candidate that differs
 * in one layer's width takes after the one before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/handle.h"
#include "devices/transport/gdb_remote.h"
#include "src/base/clock.h"
#include "src/base/file.h"
#include "src/base/stats.h"
#include "tests/serial/uart.h"

#define LINE_BYTES_PER_S 11520.0 /* 115,200 baud, 8N1 */
#define LINE_BYTES (96u << 10)
#define LINE_SHARE 0.9
#define PROBE_BYTES (4u << 20)
#define PROBE_ROUNDS 7
#define PROBE_MB_S 5.0
#define HASHED_BYTES (128u << 10)
#define DELTA_SHARE 0.3

static void row(const char *device, const char *what, double value, const char *unit,
	int more, double wanted)
{
	printf("%-10s %-44s %9.3f %-5s %s %g: %s\n", device, what, value, unit,
		more ? ">=" : "<=", wanted,
		(more ? value >= wanted : value <= wanted) ? "met" : "missed");
}

static enum err line(struct err_ctx *ctx)
{
	struct device_profile p = {
		.name = "uart", .driver = "serial", .baud = 115200, .timeout_ms = 5000};
	struct device *d = NULL;
	struct uart_board *b;
	const char *path;
	double rate;
	enum err e;

	b = uart_board_start(LINE_BYTES_PER_S, &path);
	if (!b)
		return err_set(ctx, ERR_UNSUPPORTED, "no pseudo-terminal here");
	snprintf(p.port, sizeof(p.port), "%s", path);
	e = device_open(&d, &p, ctx);
	e = e ? e : device_measure_upload(d, LINE_BYTES, &rate, ctx);
	if (!e)
		row("uart", "upload, share of 11,520 bytes/s", rate / LINE_BYTES_PER_S,
			"", 1, LINE_SHARE);
	device_close(d);
	uart_board_end(b);
	return e;
}

/* What an image takes in all: the emulated core hashes it. */
static enum err hashed(struct device *d, struct err_ctx *ctx)
{
	double rate;
	enum err e = device_measure_upload(d, HASHED_BYTES, &rate, ctx);

	if (!e)
		printf("%-10s %-44s %9.3f MB/s\n", d->profile.name,
			"128 KiB by it, hashed by the emulated core", rate * 1e-6);
	return e;
}

/* Without the agent, which hashes at the speed of an emulated core. */
static enum err probe(struct device *d, struct err_ctx *ctx)
{
	static uint8_t data[PROBE_BYTES];
	double rate[PROBE_ROUNDS];
	uint64_t address =
		strtoull(strstr(device_info(d)->description, "window: ") + 8, NULL, 16);

	for (size_t i = 0; i < PROBE_BYTES; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	for (int i = 0; i < PROBE_ROUNDS; i++) {
		uint64_t start_ns = clock_mono_ns();
		struct gdb_remote *g;
		enum err e = gdb_remote_open(&g, d->link.t->probe, ctx), last;

		if (e)
			return e;
		e = gdb_remote_write(g, address, data, PROBE_BYTES, ctx);
		last = gdb_remote_close(g, ctx);
		if (e || last)
			return e ? e : last;
		rate[i] = PROBE_BYTES * 1e-6 /
			  ((double)(clock_mono_ns() - start_ns) * 1e-9);
	}
	stats_sort(rate, PROBE_ROUNDS);
	row(d->profile.name, "4 MiB by its debugger, median", rate[PROBE_ROUNDS / 2],
		"MB/s", 1, PROBE_MB_S);
	printf("%-10s %-44s %9.3f MB/s\n", d->profile.name, "the same, slowest", rate[0]);
	return hashed(d, ctx);
}

static enum err upload(struct device *d, const char *path, size_t *size, uint64_t *sent,
	struct err_ctx *ctx)
{
	struct hash hash;
	struct buf file;
	enum err e;

	buf_init(&file);
	e = file_read(path, 0, &file, ctx);
	hash_bytes(&hash, buf_str(&file), file.len);
	*size = file.len;
	buf_release(&file);
	*sent = d->link.sent;
	e = e ? e : device_upload(d, path, &hash, ctx);
	*sent = d->link.sent - *sent;
	return e;
}

static enum err delta(
	struct device *d, const char *old, const char *image, struct err_ctx *ctx)
{
	uint64_t sent;
	size_t size;
	enum err e = upload(d, old, &size, &sent, ctx);

	if (!e)
		row(d->profile.name, "frames of a whole image, share of its bytes",
			(double)sent / (double)size, "", 0, 1.1);
	e = e ? e : upload(d, image, &size, &sent, ctx);
	if (!e)
		row(d->profile.name, "of one that differs in a layer's width",
			(double)sent / (double)size, "", 0, DELTA_SHARE);
	return e;
}

static enum err board(
	const char *profile, const char *old, const char *image, struct err_ctx *ctx)
{
	struct device_profile p;
	struct device *d = NULL;
	enum err e = device_profile_load(&p, profile, ctx);

	e = e ? e : device_open(&d, &p, ctx);
	e = e ? e : probe(d, ctx);
	device_close(d);
	snprintf(p.probe, sizeof(p.probe), "none");
	e = e ? e : device_open(&d, &p, ctx);
	if (e)
		return e;
	e = delta(d, old, image, ctx);
	device_close(d);
	return e;
}

int main(int argc, char **argv)
{
	struct err_ctx ctx = {{0}};
	enum err e;

	if (argc != 1 && argc != 4) {
		fputs("usage: bench-serial [PROFILE OLD-IMAGE NEW-IMAGE]\n", stderr);
		return 2;
	}
	e = line(&ctx);
	if (!e && argc == 4)
		e = board(argv[1], argv[2], argv[3], &ctx);
	if (e)
		fprintf(stderr, "bench-serial: %s\n", ctx.msg);
	return e != ERR_OK;
}
