/* model.c of programs without floating point: tables and calls. */
#include "src/codegen/emit_model.h"
#include "src/codegen/integer.h"

/* "layer3_wq_step", of a step and not of a tensor: layers that share weights have scales
 * of their own. */
static void put_name(const struct printer *pr, const struct step *s)
{
	static const char *const ends[N_STEP_KINDS] = {
		[STEP_EMBED] = "_table", [STEP_LINEAR_BACK] = "_back"};

	if (s->layer >= 0)
		buf_printf(pr->out, "layer%d_", s->layer);
	buf_printf(pr->out, "%s%s",
		s->kind == STEP_ATTENTION ? "attention" : tensor_names[s->weight->kind],
		ends[s->kind] ? ends[s->kind] : "");
}

static void put_vector(
	const struct printer *pr, const char *field, const struct tensor *t)
{
	if (t)
		buf_printf(pr->out, ", .%s = FIXED(%llu)", field, data_at(pr, t));
}

static void put_factor(const struct printer *pr, const char *field, struct int_factor f)
{
	if (f.mul)
		buf_printf(
			pr->out, ", .%s = {%u, %d}", field, (unsigned)f.mul, (int)f.exp);
}

static void put_linear_table(const struct printer *pr, const struct step *s)
{
	const struct tensor *t = s->weight;

	buf_puts(pr->out, "static const struct int_linear ");
	put_name(pr, s);
	buf_printf(pr->out,
		" = {.in = %u, .out = %u, .w = BYTES(%llu), .scales = BF16(%llu)",
		(unsigned)t->cols, (unsigned)t->rows, data_at(pr, t),
		(unsigned long long)pr->at[t - pr->p->layout.t].scales);
	put_vector(pr, "bias", s->bias);
	put_factor(pr, "x", integer_read(s, pr->scales));
	if (s->act)
		buf_printf(pr->out, ", .act = &%s", integer_act_name(pr->p));
	put_factor(pr, "inverse", integer_inverse(s, pr->scales));
	buf_printf(pr->out, "}; /* [%u, %u] int%d */\n", (unsigned)t->rows,
		(unsigned)t->cols, t->bits);
}

static void put_norm_table(const struct printer *pr, const struct step *s)
{
	buf_puts(pr->out, "static const struct int_norm ");
	put_name(pr, s);
	buf_printf(pr->out, " = {.d = %u, .rms = %d", (unsigned)s->weight->rows,
		pr->p->genome->norm == NORM_RMS);
	put_vector(pr, "gain", s->weight);
	put_vector(pr, "bias", s->bias);
	put_factor(pr, "inverse", integer_inverse(s, pr->scales));
	buf_puts(pr->out, "};\n");
}

static void put_conv_table(const struct printer *pr, const struct step *s)
{
	const struct tensor *t = s->weight;

	buf_puts(pr->out, "static const struct int_conv ");
	put_name(pr, s);
	buf_printf(pr->out, " = {%u, %u, %u, FIXED(%llu)};\n", (unsigned)t->rows,
		(unsigned)t->cols, t->col_zero, data_at(pr, t));
}

static void put_attention_table(const struct printer *pr, const struct step *s)
{
	const struct genome *g = pr->p->genome;
	const struct layer_genes *l = &g->layer[s->layer];

	buf_puts(pr->out, "static const struct int_attention ");
	put_name(pr, s);
	buf_printf(pr->out, " = {%u, %u, %u, %d, %u, ", l->n_heads, l->n_kv_heads,
		l->d_head, pr->p->causal, g->rel_radius);
	if (s->weight)
		buf_printf(pr->out, "FIXED(%llu)", data_at(pr, s->weight));
	else
		buf_puts(pr->out, "0");
	buf_printf(pr->out, ", %d};\n", (int)integer_attention_scale(l->d_head));
}

void emit_integer_tables(const struct printer *pr)
{
	for (size_t i = 0; i < pr->p->n_steps; i++) {
		const struct step *s = &pr->p->step[i];

		switch ((enum step_kind)s->kind) {
		case STEP_EMBED:
		case STEP_LINEAR:
		case STEP_LINEAR_BACK:
			put_linear_table(pr, s);
			break;
		case STEP_NORM:
			put_norm_table(pr, s);
			break;
		case STEP_CONV:
			put_conv_table(pr, s);
			break;
		case STEP_ATTENTION:
			put_attention_table(pr, s);
			break;
		default:
			break;
		}
	}
}

/* ---- calls */

static const char *rows_text(const struct step *s)
{
	return s->rows == ROWS_ALL ? "n" : "1";
}

static void put_rows(const struct printer *pr, int buffer)
{
	const struct buffer *b = &pr->p->buffer[buffer];

	buf_puts(pr->out, b->name);
	if (b->place == PLACE_STATE)
		buf_printf(pr->out, " + n_past * %u", (unsigned)b->width);
}

static void put_source(const struct printer *pr, const struct step *s)
{
	put_rows(pr, s->src);
	if (s->rows == ROWS_LAST)
		buf_printf(pr->out, " + (n - 1) * %u",
			(unsigned)pr->p->buffer[s->src].width);
}

/* "\tint_norm(&layer0_norm1_g, n, " */
static void put_call(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, "\t%s(&", step_kernel(pr->p, s));
	put_name(pr, s);
	buf_puts(pr->out, ", ");
	if (s->kind != STEP_LINEAR_BACK)
		buf_printf(pr->out, "%s, ", rows_text(s));
}

static void put_results(const struct printer *pr, const struct step *s)
{
	buf_puts(pr->out, ", (struct int_out){");
	if (s->dst == NO_BUFFER)
		buf_puts(pr->out, "0");
	else
		put_rows(pr, s->dst);
	buf_puts(pr->out, ", ");
	if (s->q == NO_BUFFER)
		buf_puts(pr->out, "0");
	else
		buf_printf(pr->out, "(int8_t *)%s", name_of(pr, s->q));
	buf_puts(pr->out, "});\n");
}

static void put_linear(const struct printer *pr, const struct step *s)
{
	put_call(pr, s);
	if (s->kind == STEP_LINEAR_BACK) {
		put_source(pr, s);
		buf_printf(pr->out, ", %s);\n", name_of(pr, s->dst));
		return;
	}
	buf_puts(pr->out, "(const int8_t *)");
	if (s->rows == ROWS_LAST)
		buf_puts(pr->out, "(");
	put_source(pr, s);
	buf_printf(pr->out, "%s, %s", s->rows == ROWS_LAST ? ")" : "",
		s->add == NO_BUFFER ? "0" : name_of(pr, s->add));
	put_results(pr, s);
}

static void put_quant(const struct printer *pr, const struct step *s)
{
	struct int_factor f = integer_inverse(s, pr->scales);

	buf_printf(pr->out, "\tint_quant(%s * %u, (struct int_factor){%u, %d}, ",
		rows_text(s), (unsigned)pr->p->buffer[s->src].width, (unsigned)f.mul,
		(int)f.exp);
	put_source(pr, s);
	buf_printf(pr->out, ", (int8_t *)%s);\n", name_of(pr, s->q));
}

static void put_attention(const struct printer *pr, const struct step *s)
{
	put_call(pr, s);
	buf_printf(pr->out,
		"%s,\n\t\t&(const struct int_attention_data){%s, %s, %s, %s, %s});\n",
		pr->p->stateful ? "n_past" : "0", name_of(pr, s->src), name_of(pr, s->k),
		name_of(pr, s->v), name_of(pr, s->row), name_of(pr, s->dst));
}

static void put_positions(const struct printer *pr, const struct step *s)
{
	unsigned width = (unsigned)s->weight->cols;

	buf_printf(
		pr->out, "\tint_add(n * %u, FIXED(%llu)", width, data_at(pr, s->weight));
	if (pr->p->stateful)
		buf_printf(pr->out, " + n_past * %u", width);
	buf_printf(pr->out, ", %s);\n", name_of(pr, s->dst));
}

void emit_integer_step(const struct printer *pr, const struct step *s)
{
	switch ((enum step_kind)s->kind) {
	case STEP_EMBED:
		put_call(pr, s);
		buf_printf(pr->out, "ids, %s);\n", name_of(pr, s->dst));
		break;
	case STEP_POS:
		put_positions(pr, s);
		break;
	case STEP_QUANT:
		put_quant(pr, s);
		break;
	case STEP_LINEAR:
	case STEP_LINEAR_BACK:
		put_linear(pr, s);
		break;
	case STEP_NORM:
		put_call(pr, s);
		put_source(pr, s);
		put_results(pr, s);
		break;
	case STEP_CONV:
		put_call(pr, s);
		buf_printf(pr->out, "%s, %s, %s);\n", name_of(pr, s->src),
			s->k == NO_BUFFER ? "0" : name_of(pr, s->k), name_of(pr, s->dst));
		break;
	case STEP_ATTENTION:
		put_attention(pr, s);
		break;
	case STEP_POOL:
		buf_printf(pr->out, "\t%s(n, %u, %s, %s);\n", step_kernel(pr->p, s),
			(unsigned)pr->p->buffer[s->src].width, name_of(pr, s->src),
			name_of(pr, s->dst));
		break;
	case STEP_KEEP:
	case STEP_ACT:
	case N_STEP_KINDS:
		break;
	}
}

void emit_integer_logits(
	const struct printer *pr, const char *field, int buffer, const char *rows)
{
	const struct buffer *b;

	if (buffer == NO_BUFFER) {
		buf_printf(pr->out, "\tout->%s = 0;\n", field);
		return;
	}
	b = &pr->p->buffer[buffer];
	buf_printf(pr->out,
		"\tint_logits(%s%s%u, %s, arena.f + %llu);\n\tout->%s = arena.f + "
		"%llu;\n",
		rows, *rows ? " * " : "", (unsigned)b->width, b->name,
		(unsigned long long)b->offset / 4, field,
		(unsigned long long)b->offset / 4);
}
