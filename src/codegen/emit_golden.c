/* golden.c: inputs, and what the host's reference answers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/codegen/emit.h"
#include "src/codegen/integer.h"

/* Room for one input's expected outputs. */
struct expected {
	double *intent, *tags, *lm;
	size_t n_intent, n_tags, n_lm; /* n_tags: of one token */
	/* Of programs without floating point: what they answer, bit for bit. NULL: the
	 * reference's answers are expected. */
	struct integer_model *integer;
};

/* An output of the model takes the place of the reference's, which it may not leave by more
 * than quantised networks may. */
static enum err take_output(const struct genome *g, size_t which, const float *got,
	double *want, size_t n, struct err_ctx *ctx)
{
	double largest = 0, worst = 0, allowed = reference_tolerance(g);

	for (size_t i = 0; i < n; i++) {
		largest = fmax(largest, fabs(want[i]));
		worst = fmax(worst, fabs((double)got[i] - want[i]));
		want[i] = (double)got[i];
	}
	if (worst <= allowed * (1 + largest))
		return ERR_OK;
	return err_set(ctx, ERR_INVALID,
		"without floating point the answer to golden input %zu is off by %g, %g is "
		"allowed: this network needs 'act_scales: static'",
		which, worst / (1 + largest), allowed);
}

static enum err take_integer(const struct genome *g, const struct expected *x,
	size_t which, const int32_t *ids, uint32_t n, struct err_ctx *ctx)
{
	struct integer_output o;
	enum err e;

	integer_model_run(x->integer, ids, n, &o);
	if ((e = take_output(g, which, o.intent, x->intent, x->n_intent, ctx)) ||
		(e = take_output(g, which, o.tags, x->tags, n * x->n_tags, ctx)))
		return e;
	return take_output(g, which, o.lm, x->lm, x->n_lm, ctx);
}

static void put_floats(const char *name, size_t which, const double *v, size_t n,
	struct buf *out, int *finite)
{
	buf_printf(out, "static const float %s%zu[%zu] = {", name, which, n);
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i]))
			*finite = 0;
		buf_printf(out, "%s%.9ef,", i % 5 ? " " : "\n\t", v[i]);
	}
	buf_puts(out, "\n};\n");
}

static enum err put_input(const struct codegen_input *in, const struct expected *x,
	size_t which, const int32_t *ids, struct buf *out, struct err_ctx *ctx)
{
	struct reference_output ro = {x->intent, x->tags, x->lm};
	uint32_t n = in->golden_len[which];
	struct reference_input input = {
		ids, n, in->genome->act_scales ? in->scales : NULL, NULL};
	int finite = 1;
	enum err e =
		reference_run_on(in->genome, &in->task, &in->weights, &input, &ro, ctx);

	if (!e && x->integer)
		e = take_integer(in->genome, x, which, ids, n, ctx);
	if (e)
		return e;
	buf_printf(out, "\nstatic const int32_t ids%zu[%u] = {", which, (unsigned)n);
	for (uint32_t i = 0; i < n; i++)
		buf_printf(out, "%s%d,", i % 12 ? " " : "\n\t", (int)ids[i]);
	buf_puts(out, "\n};\n");
	if (x->intent)
		put_floats("intent", which, x->intent, x->n_intent, out, &finite);
	if (x->tags)
		put_floats("tags", which, x->tags, x->n_tags * n, out, &finite);
	if (x->lm)
		put_floats("lm", which, x->lm, x->n_lm, out, &finite);
	if (!finite)
		return err_set(ctx, ERR_INVALID,
			"the reference's answer to golden input %zu is not finite: the "
			"weights are too large",
			which);
	return ERR_OK;
}

static void put_table(
	const struct codegen_input *in, const struct expected *x, struct buf *out)
{
	buf_puts(out, "\nconst struct model_golden model_golden[] = {\n");
	for (size_t i = 0; i < in->n_golden; i++) {
		buf_printf(out, "\t{ids%zu, %u, ", i, (unsigned)in->golden_len[i]);
		buf_printf(out, x->intent ? "intent%zu, " : "0, ", i);
		buf_printf(out, x->tags ? "tags%zu, " : "0, ", i);
		buf_printf(out, x->lm ? "lm%zu},\n" : "0},\n", i);
	}
	buf_printf(out,
		"};\nconst uint32_t model_n_golden = %zu;\n"
		"const float model_golden_tolerance = %.9ef;\n",
		in->n_golden, x->integer ? 0 : reference_tolerance(in->genome));
}

static void put_card(const char *card, struct buf *out)
{
	buf_puts(out, "\nconst char model_card[] =\n\t");
	emit_string(CARD_BEGIN, strlen(CARD_BEGIN), out);
	while (*card) {
		size_t len = strcspn(card, "\n");

		len += card[len] == '\n';
		buf_puts(out, "\n\t");
		emit_string(card, len, out);
		card += len;
	}
	buf_puts(out, "\n\t");
	emit_string(CARD_END, strlen(CARD_END), out);
	buf_puts(out, ";\n");
}

static enum err put_inputs(const struct codegen_input *in, const struct expected *x,
	struct buf *out, struct err_ctx *ctx)
{
	const int32_t *ids = in->golden_ids;

	for (size_t i = 0; i < in->n_golden; i++) {
		enum err e = put_input(in, x, i, ids, out, ctx);

		if (e)
			return e;
		ids += in->golden_len[i];
	}
	put_table(in, x, out);
	return ERR_OK;
}

static double *doubles(size_t n)
{
	return n ? calloc(n, sizeof(double)) : NULL;
}

enum err emit_golden(const struct codegen_input *in, const struct program *p,
	const char *card, struct buf *out, struct err_ctx *ctx)
{
	struct expected x = {0};
	enum err e = ERR_OK;

	x.n_intent = p->intent == NO_BUFFER ? 0 : (size_t)in->task.n_intents;
	x.n_tags = p->tags == NO_BUFFER ? 0 : (size_t)in->task.n_tags;
	x.n_lm = p->lm == NO_BUFFER ? 0 : in->genome->vocab_size;
	x.intent = doubles(x.n_intent);
	x.tags = doubles(x.n_tags * in->genome->seq_len);
	x.lm = doubles(x.n_lm);
	if ((x.n_intent && !x.intent) || (x.n_tags && !x.tags) || (x.n_lm && !x.lm)) {
		e = err_set(ctx, ERR_NOMEM, "out of memory");
	} else if (!p->is_integer || !(e = integer_model_new(&x.integer, p, &in->weights,
					       in->scales, ctx))) {
		buf_puts(out,
			"/* Generated by Hawser: inputs and the reference's outputs. "
			"*/\n#include \"model.h\"\n");
		put_card(card, out);
		e = put_inputs(in, &x, out, ctx);
	}
	integer_model_free(x.integer);
	free(x.intent);
	free(x.tags);
	free(x.lm);
	return e ? e : buf_err(out, ctx);
}
