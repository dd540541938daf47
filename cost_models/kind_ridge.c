/* Relative least squares on standardised features; the penalty is the one with the least
 * left-out relative error, so that more features than rows and collinear ones are fine.
 */
#include "cost_models/linear_model.h"

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	return linear_fit_relative(x, y, n, p, LINEAR_LOO, out, ctx);
}

const struct cost_model_kind cost_kind_ridge = {
	.name = "ridge",
	.summary = "relative least squares, penalty by leave-one-out",
	.fit = fit,
	.predict = linear_predict,
	.save = linear_save,
	.load = linear_load,
	.free = linear_free,
};
