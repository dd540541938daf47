/* What the measuring procedure asks of a device, as a table: the real device's functions
 * in measure_run, a scripted one in the tests. `struct device` stays opaque here.
 */
#ifndef HAWSER_MEASURE_DEVICE_OPS_H
#define HAWSER_MEASURE_DEVICE_OPS_H

#include "src/measure/measure.h"

struct device_ops {
	const struct device_info *(*info)(const struct device *d);
	const struct device_profile *(*profile)(const struct device *d);
	enum err (*upload)(struct device *d, const char *path, const struct hash *image,
		struct err_ctx *ctx);
	enum err (*run)(struct device *d, const struct run_request *rq,
		struct run_result *out, struct err_ctx *ctx);
	enum err (*recover)(struct device *d, struct err_ctx *ctx);
	void (*release)(struct run_result *r);
};

/* measure_run on any table of operations. */
struct measure_session {
	const struct device_ops *ops;
	struct device *device;
	const struct artefact *reference;
	const struct measure_options *options;
	measure_done_fn done;
	void *self;
	struct progress *progress;
	volatile const int *cancel;
};
enum err measure_with_ops(const struct measure_session *s, struct measure_job *jobs,
	size_t n, struct err_ctx *ctx);

#endif
