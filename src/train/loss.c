#include <math.h>

#include "src/train/ops.h"

#include "src/train/hot.h"

/* x <- softmax(x); returns log sum exp(x). */
HOT static double softmax_row(real *x, size_t c)
{
	real top = x[0], sum = 0, inv;

	for (size_t j = 1; j < c; j++)
		top = x[j] > top ? x[j] : top;
	exp_shifted(x, c, top);
	for (size_t j = 0; j < c; j++)
		sum += x[j];
	inv = 1 / sum;
	for (size_t j = 0; j < c; j++)
		x[j] *= inv;
	return log((double)sum) + (double)top;
}

HOT static void gradient_row(const struct cross_entropy *ce, const real *p,
	const real *teacher, int32_t label, real *d)
{
	size_t c = ce->c;
	real soft = teacher ? ce->soft : 0,
	     hard = ce->scale * (1 - soft) * (1 - ce->smoothing);
	real spread = ce->scale * (1 - soft) * ce->smoothing / (real)c;

	for (size_t j = 0; j < c; j++)
		d[j] = ce->scale * p[j] - spread;
	d[label] -= hard;
	soft *= ce->scale;
	if (teacher)
		for (size_t j = 0; j < c; j++)
			d[j] -= soft * teacher[j];
}

double cross_entropy(const struct cross_entropy *ce, real *logits, real *dlogits)
{
	double loss = 0;

	for (size_t i = 0; i < ce->n; i++) {
		real *x = logits + i * ce->c, *d = dlogits ? dlogits + i * ce->c : NULL;
		int32_t label = ce->label[i];
		double at = label >= 0 ? (double)x[label] : 0,
		       all = softmax_row(x, ce->c);

		if (label >= 0)
			loss += all - at;
		if (!d)
			continue;
		if (label >= 0)
			gradient_row(
				ce, x, ce->teacher ? ce->teacher[i] : NULL, label, d);
		else
			for (size_t j = 0; j < ce->c; j++)
				d[j] = 0;
	}
	return loss;
}
