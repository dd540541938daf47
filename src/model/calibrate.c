#include "src/model/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/model/graph.h"

#define BIN_SHIFT 19 /* of a float's bits: 23 of mantissa less 4 */
#define CLIPS_AN_OCTAVE 8
#define OCTAVES 5 /* clips tried: the largest magnitude down to a 32nd of it */

void magnitudes_add(struct magnitudes *m, const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float a = fabsf((float)x[i]);
		uint32_t bits;

		m->largest = a > m->largest ? a : m->largest;
		memcpy(&bits, &a, sizeof(bits));
		m->n[bits >> BIN_SHIFT]++;
	}
}

/* The middle of a bin. */
static double bin_value(uint32_t bin)
{
	uint32_t bits = (bin << BIN_SHIFT) + (1u << (BIN_SHIFT - 1));
	float x;

	memcpy(&x, &bits, sizeof(x));
	return (double)x;
}

/* Summed squared error when values are clipped at `clip`. */
static double squared_error(const struct magnitudes *m, double clip)
{
	double step = clip / 127, rounding = step * step / 12, sum = 0;

	for (uint32_t b = 0; b < MAGNITUDE_BINS; b++) {
		double v;

		if (!m->n[b])
			continue;
		v = fmin(bin_value(b), (double)m->largest);
		sum += m->n[b] *
		       (v > clip ? (v - clip) * (v - clip) : fmin(v * v, rounding));
	}
	return sum;
}

float magnitudes_scale(const struct magnitudes *m)
{
	double best = INFINITY, clip = 1;

	if (!(m->largest > 1e-20f))
		return 1.0f / 127;
	for (int i = 0; i <= OCTAVES * CLIPS_AN_OCTAVE; i++) {
		double c = (double)m->largest * exp2(-(double)i / CLIPS_AN_OCTAVE);
		double error = squared_error(m, c);

		if (error < best) {
			best = error;
			clip = c;
		}
	}
	return (float)(clip / 127);
}

static void watch(
	void *self, int layer, enum quant_point point, const double *x, size_t n)
{
	struct magnitudes *all = self;

	magnitudes_add(&all[(layer + 1) * N_QUANT_POINTS + (int)point], x, n);
}

/* Calls of `see` for each point of the network. */
static enum err each_point(const struct genome *g, const struct task_shape *task,
	enum err (*see)(void *self, int layer, enum quant_point point), void *self,
	struct err_ctx *ctx)
{
	struct graph *gr = malloc(sizeof(*gr));
	enum err e = ERR_OK;

	if (!gr)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	graph_init(gr, g, task);
	for (size_t i = 0; i < gr->n_ops && !e; i++) {
		const struct op *op = &gr->op[i];
		int back = op->weight == T_PROJ && op->once;

		if (op->kind == OP_LINEAR && op->bits != 32 && !back)
			e = see(self, op->layer,
				quant_point_of((enum tensor_kind)op->weight));
	}
	free(gr);
	return e;
}

struct choice {
	const struct magnitudes *seen;
	struct act_scales *out;
};

static enum err choose(void *self, int layer, enum quant_point point)
{
	struct choice *c = self;

	c->out->of[layer + 1][point] =
		magnitudes_scale(&c->seen[(layer + 1) * N_QUANT_POINTS + (int)point]);
	return ERR_OK;
}

static double *doubles(size_t n)
{
	return calloc(n ? n : 1, sizeof(double));
}

static enum err run_all(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const struct calibration_inputs *in,
	struct magnitudes *seen, struct err_ctx *ctx)
{
	const struct reference_watch see = {watch, seen};
	struct reference_output out = {
		doubles((size_t)task->n_intents),
		doubles((size_t)task->n_tags * g->seq_len),
		doubles(g->vocab_size),
	};
	const int32_t *ids = in->ids;
	enum err e = ERR_OK;

	if (!out.intent || !out.tags || !out.lm)
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < in->n && !e; ids += in->len[i++]) {
		struct reference_input input = {ids, in->len[i], NULL, &see};

		e = reference_run_on(g, task, weights, &input, &out, ctx);
	}
	free(out.intent);
	free(out.tags);
	free(out.lm);
	return e;
}

enum err calibrate(const struct genome *g, const struct task_shape *task,
	const struct tensor_source *weights, const struct calibration_inputs *in,
	struct act_scales *out, struct err_ctx *ctx)
{
	struct magnitudes *seen =
		calloc((g->n_layers + 1u) * N_QUANT_POINTS, sizeof(*seen));
	struct choice c = {seen, out};
	enum err e;

	if (!seen)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	e = in->n ? run_all(g, task, weights, in, seen, ctx)
		  : err_set(ctx, ERR_INVALID, "no input to calibrate on");
	if (!e) {
		memset(out, 0, sizeof(*out));
		e = each_point(g, task, choose, &c, ctx);
	}
	free(seen);
	return e;
}

struct check {
	const struct act_scales *s;
	struct err_ctx *ctx;
};

static enum err check_point(void *self, int layer, enum quant_point point)
{
	const struct check *c = self;
	float s = act_scale(c->s, layer, point);

	if (s > 1e-30f && s < 1e30f)
		return ERR_OK;
	return err_set(c->ctx, ERR_INVALID, "scale of activations '%s' of layer %d is %g",
		quant_point_names[point], layer, (double)s);
}

enum err act_scales_check(const struct genome *g, const struct task_shape *task,
	const struct act_scales *s, struct err_ctx *ctx)
{
	struct check c = {s, ctx};

	return each_point(g, task, check_point, &c, ctx);
}
