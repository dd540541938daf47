/* Bayesian linear regression on relative errors (Gaussian prior on the standardised
 * coefficients, prior precision by marginal likelihood). Its predictive sd, noise and
 * ignorance of the coefficients together, is what the search uses as uncertainty; the
 * noise level comes from left-out residuals, which calibrates it on few rows.
 */
#include "cost_models/linear_model.h"

static enum err fit(const double *x, const double *y, size_t n, size_t p,
	struct cost_model **out, struct err_ctx *ctx)
{
	return linear_fit_relative(x, y, n, p, LINEAR_EVIDENCE, out, ctx);
}

const struct cost_model_kind cost_kind_bayes = {
	.name = "bayes",
	.summary = "Bayesian linear regression on relative errors: its sd is the "
		   "uncertainty",
	.fit = fit,
	.predict = linear_predict,
	.save = linear_save,
	.load = linear_load,
	.free = linear_free,
};
