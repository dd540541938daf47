/* `make bench-line`: what the line to a device costs, for each profile that is named: round
 * trips, the rate of an upload, and what a new image costs from its file to its answers,
 * beyond its transfer at that rate. Beside each, what is wanted of a loopback.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/device.h"
#include "src/base/clock.h"
#include "src/base/file.h"
#include "src/base/stats.h"

#define N_PINGS 2000
#define N_UPLOADS 9
#define N_IMAGES 20
#define UPLOAD_BYTES (8u << 20)
#define PING_MS 1.0
#define UPLOAD_MB_S 100.0
#define CANDIDATE_MS 50.0

static double median(double *v, size_t n)
{
	stats_sort(v, n);
	return stats_quantile_sorted(v, n, 0.5);
}

static void row(const char *device, const char *what, double value, double p,
	double wanted, const char *unit)
{
	int more = wanted == UPLOAD_MB_S;

	printf("%-10s %-34s %9.3f %9.3f  %s %g %s: %s\n", device, what, value, p,
		more ? ">=" : "<=", wanted, unit,
		(more ? value >= wanted : value <= wanted) ? "met" : "missed");
}

static enum err pings(struct device *d, struct err_ctx *ctx)
{
	static double ms[N_PINGS];

	for (size_t i = 0; i < N_PINGS; i++) {
		uint64_t ns;
		enum err e = device_ping(d, &ns, ctx);

		if (e)
			return e;
		ms[i] = (double)ns * 1e-6;
	}
	stats_sort(ms, N_PINGS);
	row(device_profile(d)->name, "round trip, ms (median, p99)",
		stats_quantile_sorted(ms, N_PINGS, 0.5),
		stats_quantile_sorted(ms, N_PINGS, 0.99), PING_MS, "ms");
	return ERR_OK;
}

static enum err uploads(struct device *d, double *mb_s, struct err_ctx *ctx)
{
	double rate[N_UPLOADS];

	for (size_t i = 0; i < N_UPLOADS; i++) {
		enum err e = device_measure_upload(d, UPLOAD_BYTES, &rate[i], ctx);

		if (e)
			return e;
		rate[i] *= 1e-6;
	}
	*mb_s = median(rate, N_UPLOADS);
	row(device_profile(d)->name, "upload of 8 MiB, MB/s (median, best)", *mb_s,
		rate[N_UPLOADS - 1], UPLOAD_MB_S, "MB/s");
	return ERR_OK;
}

/* One more byte at the end makes it an image that the device has never seen. */
static enum err one_image(struct device *d, struct buf *image, const char *path,
	double *ms, struct err_ctx *ctx)
{
	struct run_request rq = {.mode = RUN_GOLDEN};
	uint64_t unique = clock_mono_ns();
	struct run_result r;
	uint64_t start_ns;
	enum err e;

	buf_append(image, &unique, sizeof(unique));
	hash_bytes(&rq.image, image->data, image->len);
	e = file_write_atomic(path, image->data, image->len, 0755, ctx);
	if (e)
		return e;
	start_ns = clock_mono_ns();
	e = device_upload(d, path, &rq.image, ctx);
	if (!e)
		e = device_run(d, &rq, &r, ctx);
	if (e)
		return e;
	*ms = (double)(clock_mono_ns() - start_ns) * 1e-6;
	if (r.verdict != VERDICT_OK)
		e = err_set(ctx, ERR_DEVICE, "the image did not run: %s", r.detail);
	run_result_release(&r);
	return e;
}

static enum err images(
	struct device *d, const char *file, double mb_s, struct err_ctx *ctx)
{
	double ms[N_IMAGES];
	char path[4200];
	struct buf image;
	enum err e;

	buf_init(&image);
	snprintf(path, sizeof(path), "%s.new", file);
	e = file_read(file, 0, &image, ctx);
	for (size_t i = 0; i < N_IMAGES && !e; i++) {
		e = one_image(d, &image, path, &ms[i], ctx);
		ms[i] -= (double)image.len / (mb_s * 1e3);
	}
	buf_release(&image);
	remove(path);
	if (e)
		return e;
	stats_sort(ms, N_IMAGES);
	row(device_profile(d)->name, "new image beyond transfer (med, max)",
		stats_quantile_sorted(ms, N_IMAGES, 0.5), ms[N_IMAGES - 1], CANDIDATE_MS,
		"ms");
	return ERR_OK;
}

static enum err bench(const char *name, const char *image, struct err_ctx *ctx)
{
	struct device_profile p;
	struct device *d = NULL;
	double mb_s = 0;
	enum err e = device_profile_load(&p, name, ctx);

	e = e ? e : device_open(&d, &p, ctx);
	e = e ? e : pings(d, ctx);
	e = e ? e : uploads(d, &mb_s, ctx);
	e = e ? e : images(d, image, mb_s, ctx);
	device_close(d);
	return e;
}

int main(int argc, char **argv)
{
	struct err_ctx ctx = {{0}};

	if (argc < 3) {
		fputs("usage: bench-line IMAGE PROFILE...\n", stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++)
		if (bench(argv[i], argv[1], &ctx) != ERR_OK) {
			fprintf(stderr, "bench-line: %s\n", ctx.msg);
			return 1;
		}
	return 0;
}
