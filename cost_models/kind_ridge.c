/* Relative least squares on standardised features; the penalty is the one with the least
 * left-out relative error, so that more features than rows and collinear ones are fine.
 */
#include "cost_models/linear_model.h"

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	return linear_fit_relative(x, y, n, p, LINEAR_LOO, out, ctx);
}

static enum err save(const struct cost_model *m, struct buf *out)
{
	return linear_save(m, "ridge", out);
}

static enum err load(const char *text, struct cost_model **out, struct err_ctx *ctx)
{
	return linear_load(text, "ridge", out, ctx);
}

const struct cost_model_kind cost_kind_ridge = {
	.name = "ridge",
	.summary = "relative least squares, penalty by leave-one-out",
	.fit = fit,
	.predict = linear_predict,
	.save = save,
	.load = load,
	.free = linear_free,
	.n_features = linear_n_features,
};
