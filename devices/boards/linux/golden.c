#include "devices/boards/linux/harness.h"

#include <math.h>

/* Errors are judged on the scale of the whole output: one activation that rounds to its
 * other neighbour moves a small logit as much as a large one. */
static double scale_of(const float *want, uint32_t n)
{
	double largest = 0;

	for (uint32_t i = 0; i < n; i++)
		largest = fmax(largest, fabs((double)want[i]));
	return 1 + largest;
}

static void compare(struct record_golden *r, uint32_t golden, uint8_t tensor,
	const float *got, const float *want, uint32_t n)
{
	double scale;

	if (!want)
		return;
	scale = scale_of(want, n);
	for (uint32_t i = 0; i < n; i++) {
		float d = got ? got[i] : NAN;
		double e = fabs((double)d - (double)want[i]) / scale;

		if (!(e <= (double)model_golden_tolerance))
			r->pass = 0;
		if (!isfinite(e))
			e = INFINITY;
		if (e >= r->worst) {
			r->worst = e;
			r->golden = golden;
			r->tensor = tensor;
			r->element = i;
			r->got = d;
			r->want = want[i];
		}
	}
}

static void compare_all(struct record_golden *r, uint32_t i, const struct model_output *o)
{
	const struct model_golden *g = &model_golden[i];

	compare(r, i, 0, o->intent, g->intent, model_info.n_intents);
	compare(r, i, 1, o->tags, g->tags, g->n * model_info.n_tags);
	compare(r, i, 2, o->lm, g->lm, model_info.vocab_size);
}

int run_fresh(const int32_t *tokens, uint32_t n, struct model_output *o)
{
	if (model_info.is_decoder)
		model_reset();
	return model_run(tokens, n, o);
}

/* A decoder must give the same answer one token a step. */
static int run_stepwise(const int32_t *tokens, uint32_t n, struct model_output *o)
{
	model_reset();
	for (uint32_t i = 0; i < n; i++)
		if (model_run(tokens + i, 1, o) != 0)
			return -1;
	return 0;
}

int golden_check(struct record_golden *r)
{
	memset(r, 0, sizeof(*r));
	r->pass = model_n_golden > 0;
	for (uint32_t i = 0; i < model_n_golden; i++) {
		const struct model_golden *g = &model_golden[i];
		struct model_output o = {0};

		if (run_fresh(g->ids, g->n, &o) != 0)
			return -1;
		compare_all(r, i, &o);
		r->n_checked++;
		if (!model_info.is_decoder)
			continue;
		if (run_stepwise(g->ids, g->n, &o) != 0)
			return -1;
		compare_all(r, i, &o);
	}
	return 0;
}

void golden_write(const struct record_golden *r)
{
	uint8_t b[64];
	struct put p;

	put_init(&p, b, sizeof(b));
	put_u32(&p, r->n_checked);
	put_u8(&p, r->pass);
	put_f64(&p, r->worst);
	put_u32(&p, r->golden);
	put_u8(&p, r->tensor);
	put_u32(&p, r->element);
	put_f32(&p, r->got);
	put_f32(&p, r->want);
	stream_record(RECORD_GOLDEN, b, p.len);
}
