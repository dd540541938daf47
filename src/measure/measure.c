#include "src/measure/measure.h"

#include "src/measure/device_ops.h"

static const struct device_ops real_ops = {
	.info = device_info,
	.profile = device_profile,
	.upload = device_upload,
	.run = device_run,
	.recover = device_recover,
	.release = run_result_release,
};

enum err measure_run(struct device *d, const struct artefact *reference,
	struct measure_job *jobs, size_t n, const struct measure_options *o,
	measure_done_fn done, void *self, struct progress *progress,
	volatile const int *cancel, struct err_ctx *ctx)
{
	const struct measure_session s = {
		.ops = &real_ops,
		.device = d,
		.reference = reference,
		.options = o,
		.done = done,
		.self = self,
		.progress = progress,
		.cancel = cancel,
	};

	return measure_with_ops(&s, jobs, n, ctx);
}
