/* model.c: what the network's steps call. */
#include "src/codegen/emit_model.h"
#include "src/infer/kernels.h"

/* How many rows a step works on. */
static const char *all_rows(const struct printer *pr)
{
	return pr->split ? "rows" : "n";
}

static const char *rows_text(const struct printer *pr, const struct step *s)
{
	return s->rows == ROWS_ALL ? all_rows(pr) : "1";
}

/* Behind a pointer to elements: the row where a thread, or what is new, begins. */
static void put_first_row(const struct printer *pr, const struct buffer *b)
{
	int past = b->place == PLACE_STATE;

	if (b->in_block)
		return;
	if (past && pr->split)
		buf_printf(pr->out, " + (n_past + first) * %u", (unsigned)b->width);
	else if (past || pr->split)
		buf_printf(pr->out, " + %s * %u", past ? "n_past" : "first",
			(unsigned)b->width);
}

/* Integers that took the place of floats: a thread's begin where its floats began; those
 * that blocks read were made all at once. */
static int is_in_place(const struct printer *pr, const struct buffer *b)
{
	return pr->split && !pr->block && b->bytes >= 4ull * pr->p->chunk * b->width;
}

/* A source's pointer: the last row where the step asks for it. */
static void put_source(const struct printer *pr, const struct step *s, const char *type)
{
	const struct buffer *b = &pr->p->buffer[s->src];
	int in_place = *type && is_in_place(pr, b);

	buf_printf(pr->out, "%s%s%s", type, in_place ? "(" : "", b->name);
	if (s->rows == ROWS_LAST)
		buf_printf(pr->out, " + (n - 1) * %u", (unsigned)b->width);
	else if (pr->split)
		put_first_row(pr, b);
	if (in_place)
		buf_putc(pr->out, ')');
}

static void put_destination(const struct printer *pr, int buffer)
{
	const struct buffer *b = &pr->p->buffer[buffer];

	buf_puts(pr->out, b->name);
	put_first_row(pr, b);
}

/* Where a quantising step leaves its rows. */
static void put_integers(const struct printer *pr, const struct step *s)
{
	int in_place = is_in_place(pr, &pr->p->buffer[s->q]);

	buf_printf(pr->out, ", (int8_t *)%s", in_place ? "(" : "");
	put_destination(pr, s->q);
	buf_puts(pr->out, in_place ? ")" : "");
	if (s->scale != NO_BUFFER) {
		buf_puts(pr->out, ", ");
		put_destination(pr, s->scale);
	}
}

/* Of a step that quantises with a static scale: a comma and the scale's inverse. */
static void put_inverse(const struct printer *pr, const struct step *s)
{
	enum quant_point point = (enum quant_point)(s->q_point - 1);

	if (s->q_point)
		buf_printf(pr->out, ", %.9ef",
			(double)(1 / act_scale(pr->scales, s->q_layer, point)));
}

/* A product whose results are integers. */
static void put_linear_quant(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, "\t%s(&", step_kernel(pr->p, s));
	emit_tensor_name(pr, s->weight);
	buf_printf(pr->out, ", %s", rows_text(pr, s));
	put_source(pr, s, ", (const int8_t *)");
	buf_printf(pr->out, ", %.9ef", (double)scale_read(pr, s));
	put_inverse(pr, s);
	put_integers(pr, s);
	buf_puts(pr->out, ");\n");
}

static void put_linear(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, "\t%s(&", step_kernel(pr->p, s));
	emit_tensor_name(pr, s->weight);
	if (s->kind == STEP_LINEAR)
		buf_printf(pr->out, ", %s", rows_text(pr, s));
	buf_puts(pr->out, ", ");
	put_source(
		pr, s, s->scale == NO_BUFFER && !s->src_point ? "" : "(const int8_t *)");
	if (s->src_point) {
		buf_puts(pr->out, ", ");
		emit_scale_name(pr, s);
	} else if (s->scale != NO_BUFFER) {
		buf_puts(pr->out, ", ");
		put_destination(pr, s->scale);
	}
	if (s->kind == STEP_LINEAR)
		buf_puts(pr->out, s->add == NO_BUFFER ? ", 0" : ", ");
	if (s->kind == STEP_LINEAR && s->add != NO_BUFFER)
		put_destination(pr, s->add);
	buf_puts(pr->out, ", ");
	put_destination(pr, s->dst);
	buf_puts(pr->out, ");\n");
}

static void put_norm(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, "\t%s(%s, %u, ", step_kernel(pr->p, s), rows_text(pr, s),
		(unsigned)s->weight->rows);
	put_source(pr, s, "");
	buf_puts(pr->out, ", ");
	emit_floats(pr, s->weight);
	if (s->bias)
		buf_printf(pr->out, ", F32(%llu)", data_at(pr, s->bias));
	buf_puts(pr->out, ", ");
	if (s->dst == NO_BUFFER)
		buf_puts(pr->out, "0");
	else
		put_destination(pr, s->dst);
	put_inverse(pr, s);
	if (s->q != NO_BUFFER)
		put_integers(pr, s);
	buf_puts(pr->out, ");\n");
}

static void put_conv(const struct printer *pr, const struct step *s)
{
	buf_puts(pr->out, "\tconv_depthwise(&");
	emit_tensor_name(pr, s->weight);
	buf_printf(pr->out, ", n, %s, %s, %s);\n", name_of(pr, s->src),
		s->k == NO_BUFFER ? "0" : name_of(pr, s->k), name_of(pr, s->dst));
}

static void put_keep(const struct printer *pr, const struct step *s)
{
	const struct layer_genes *l = &pr->p->genome->layer[s->layer];

	if (s->scale == NO_BUFFER) {
		buf_printf(pr->out, "\t%s(%s * %u, ", step_kernel(pr->p, s), all_rows(pr),
			(unsigned)pr->p->buffer[s->src].width);
		put_source(pr, s, "");
		buf_puts(pr->out, ", (uint16_t *)");
		put_destination(pr, s->dst);
		buf_puts(pr->out, ");\n");
		return;
	}
	buf_printf(pr->out, "\t%s(%s * %u, %u, ", step_kernel(pr->p, s), all_rows(pr),
		l->n_kv_heads, l->d_head);
	put_source(pr, s, "");
	buf_puts(pr->out, ", (int8_t *)");
	put_destination(pr, s->dst);
	buf_puts(pr->out, ", ");
	put_destination(pr, s->scale);
	buf_puts(pr->out, ");\n");
}

/* "\tattention(&layer0_attention, n, n_past," and the queries. A thread's queries see, as
 * keys of the past, what comes before them; without causality, as many as they are not. */
static void put_attention_head(const struct printer *pr, const struct step *s)
{
	const char *past = pr->p->stateful ? "n_past" : "0";

	if (pr->split)
		past = !pr->p->causal	 ? "n - rows"
		       : pr->p->stateful ? "n_past + first"
					 : "first";
	buf_printf(pr->out, "\t%s(&layer%d_attention, %s, ", step_kernel(pr->p, s),
		s->layer, all_rows(pr));
	if (!pr->p->genome->attn_int8)
		buf_printf(pr->out, "%s,", past);
	buf_puts(pr->out, "\n\t\t&(const struct attention_data){.q = ");
	put_source(pr, s, "");
}

static void put_attention_tail(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, ",\n\t\t\t.row = %s", name_of(pr, s->row));
	if (pr->split && !pr->block)
		buf_printf(pr->out, " + worker * %llu",
			(unsigned long long)pr->p->buffer[s->row].bytes / 4 /
				pr->p->threads);
	buf_puts(pr->out, ", .out = ");
	put_destination(pr, s->dst);
	buf_puts(pr->out, "});\n");
}

/* On keys and values that are kept in less than fp32. */
static void put_kept_attention(const struct printer *pr, const struct step *s)
{
	put_attention_head(pr, s);
	buf_printf(pr->out, ", .kept_k = %s, .kept_v = %s", name_of(pr, s->k),
		name_of(pr, s->v));
	if (s->k_scale != NO_BUFFER)
		buf_printf(pr->out, ",\n\t\t\t.k_scale = %s, .v_scale = %s",
			name_of(pr, s->k_scale), name_of(pr, s->v_scale));
	put_attention_tail(pr, s);
}

static void put_attention(const struct printer *pr, const struct step *s)
{
	const struct layer_genes *l = &pr->p->genome->layer[s->layer];
	unsigned v = 0, k = 0;

	if (pr->p->genome->kv != 32) {
		put_kept_attention(pr, s);
		return;
	}
	if (s->k == s->src) {
		k = (unsigned)l->n_heads * l->d_head;
		v = k + (unsigned)l->n_kv_heads * l->d_head;
	}
	put_attention_head(pr, s);
	buf_printf(pr->out, ", .k = %s", name_of(pr, s->k));
	if (k)
		buf_printf(pr->out, " + %u", k);
	buf_printf(pr->out, ", .v = %s", name_of(pr, s->v));
	if (v)
		buf_printf(pr->out, " + %u, .stride = %u", v,
			(unsigned)pr->p->buffer[s->src].width);
	put_attention_tail(pr, s);
}

static void put_quant(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, "\t%s(%s, %u", step_kernel(pr->p, s), rows_text(pr, s),
		(unsigned)pr->p->buffer[s->src].width);
	if (s->act)
		buf_printf(pr->out, ", %s", emit_act_words[s->act - 1]);
	put_inverse(pr, s);
	put_source(pr, s, ", ");
	put_integers(pr, s);
	buf_puts(pr->out, ");\n");
}

static void put_embed(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, "\t%s(&embed, %s, ids%s, ", step_kernel(pr->p, s),
		all_rows(pr), pr->split ? " + first" : "");
	put_destination(pr, s->dst);
	buf_puts(pr->out, ");\n");
}

static void put_positions(const struct printer *pr, const struct step *s)
{
	buf_printf(pr->out, "\tadd(%s * %u, F32(%llu)", all_rows(pr),
		(unsigned)s->weight->cols, data_at(pr, s->weight));
	if (pr->split)
		buf_printf(pr->out, " + %s * %u",
			pr->p->stateful ? "(n_past + first)" : "first",
			(unsigned)s->weight->cols);
	else if (pr->p->stateful)
		buf_puts(pr->out, " + n_past * D_EMBED");
	buf_puts(pr->out, ", ");
	put_destination(pr, s->dst);
	buf_puts(pr->out, ");\n");
}

void emit_step(const struct printer *pr, const struct step *s)
{
	if (pr->p->is_integer) {
		emit_integer_step(pr, s);
		return;
	}
	switch ((enum step_kind)s->kind) {
	case STEP_EMBED:
		put_embed(pr, s);
		break;
	case STEP_POS:
		put_positions(pr, s);
		break;
	case STEP_QUANT:
		put_quant(pr, s);
		break;
	case STEP_LINEAR:
	case STEP_LINEAR_BACK:
		if (s->q == NO_BUFFER)
			put_linear(pr, s);
		else
			put_linear_quant(pr, s);
		break;
	case STEP_NORM:
		put_norm(pr, s);
		break;
	case STEP_CONV:
		put_conv(pr, s);
		break;
	case STEP_KEEP:
		put_keep(pr, s);
		break;
	case STEP_ATTENTION:
		put_attention(pr, s);
		break;
	case STEP_ACT:
		buf_printf(pr->out, "\t%s(%s * %u, ", step_kernel(pr->p, s), all_rows(pr),
			(unsigned)pr->p->buffer[s->dst].width);
		put_destination(pr, s->dst);
		buf_puts(pr->out, ");\n");
		break;
	case STEP_POOL:
		buf_printf(pr->out, "\t%s(n, %u, %s, %s);\n", step_kernel(pr->p, s),
			(unsigned)pr->p->buffer[s->src].width, name_of(pr, s->src),
			name_of(pr, s->dst));
		break;
	case N_STEP_KINDS:
		break;
	}
}
