/* model.c: tables, working memory, and what is around the calls of emit_steps.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/codegen/emit_model.h"
#include "src/infer/kernels.h"

const char *const emit_act_words[N_ACTS] = {"KERNEL_RELU", "KERNEL_GELU", "KERNEL_SILU"};
static const char *const schedule_words[N_SCHEDULES] = {
	"SCHEDULE_EVEN", "SCHEDULE_FULL", "SCHEDULE_ROWS", "SCHEDULE_LOW"};

static const char *bits_name(int bits)
{
	return bits == 32 ? "fp32" : bits == 8 ? "int8" : "int4";
}

static const struct packed_tensor *packed(
	const struct printer *pr, const struct tensor *t)
{
	return &pr->at[t - pr->p->layout.t];
}

void emit_tensor_name(const struct printer *pr, const struct tensor *t)
{
	if (t->layer >= 0)
		buf_printf(pr->out, "layer%d_", t->layer);
	buf_printf(pr->out, "%s", tensor_names[t->kind]);
}

void emit_floats(const struct printer *pr, const struct tensor *t)
{
	if (t)
		buf_printf(pr->out, "F32(%llu)", data_at(pr, t));
	else
		buf_puts(pr->out, "0");
}

/* ---- tables of weights */

static void put_linear_table(const struct printer *pr, const struct step *s)
{
	unsigned rows = program_rows(pr->p, s->weight);
	const struct tensor *t = s->weight;
	uint8_t schedule = program_schedule(
		pr->p, t, pr->in->timed_tokens, pr->in->tuned, pr->in->n_tuned);

	buf_puts(pr->out, "static const struct linear ");
	emit_tensor_name(pr, t);
	buf_printf(pr->out, " = {.in = %u, .out = %u, .w = BYTES(%llu), .scales = ",
		(unsigned)t->cols, rows, data_at(pr, t));
	if (t->bits == 32)
		buf_puts(pr->out, "0, ");
	else
		buf_printf(pr->out, "BF16(%llu), ",
			(unsigned long long)packed(pr, t)->scales);
	buf_puts(pr->out, ".bias = ");
	emit_floats(pr, s->bias);
	if (pr->p->in_panels[t - pr->p->layout.t])
		buf_puts(pr->out, ", .panels = 1");
	if (s->act)
		buf_printf(pr->out, ", .act = %s", emit_act_words[s->act - 1]);
	if (schedule)
		buf_printf(pr->out, ", .schedule = %s", schedule_words[schedule]);
	buf_printf(pr->out, "}; /* [%u, %u] %s */\n", rows, (unsigned)t->cols,
		bits_name(t->bits));
}

static void put_conv_table(const struct printer *pr, const struct step *s)
{
	const struct tensor *t = s->weight;

	buf_puts(pr->out, "static const struct conv ");
	emit_tensor_name(pr, t);
	buf_printf(pr->out, " = {%u, %u, %u, F32(%llu)};\n", (unsigned)t->rows,
		(unsigned)t->cols, t->col_zero, data_at(pr, t));
}

static void put_attention_table(const struct printer *pr, const struct step *s)
{
	const struct genome *g = pr->p->genome;
	const struct layer_genes *l = &g->layer[s->layer];

	buf_printf(pr->out,
		"static const struct attention layer%d_attention = {%u, %u, %u, %d, ",
		s->layer, l->n_heads, l->n_kv_heads, l->d_head, pr->p->causal);
	buf_printf(pr->out, "%u, ", g->rel_radius);
	emit_floats(pr, s->weight);
	buf_printf(pr->out, ", %.9ef};\n", 1 / sqrt((double)l->d_head));
}

/* A tensor's table is printed by the first step that uses the tensor. The tied embedding
 * is read by the look-up and by the head alike. */
static int has_table(const struct program *p, const struct step *s)
{
	for (const struct step *o = p->step; o < s; o++)
		if (o->weight == s->weight && o->kind != STEP_ATTENTION)
			return 1;
	return 0;
}

void emit_scale_name(const struct printer *pr, const struct step *s)
{
	if (s->layer >= 0)
		buf_printf(pr->out, "layer%d_", s->layer);
	buf_printf(pr->out, "%s_scale", quant_point_names[s->src_point - 1]);
}

/* Products take a scale a token: a static one is written as often as there are tokens,
 * once for all products that read the point. */
static void put_scale_table(const struct printer *pr, const struct step *s)
{
	const struct program *p = pr->p;
	float scale = scale_read(pr, s);
	unsigned n = s->rows == ROWS_ALL ? p->chunk : 1;

	for (const struct step *o = p->step; o < s; o++)
		if (o->src_point == s->src_point && o->layer == s->layer &&
			o->q == NO_BUFFER)
			return;
	buf_puts(pr->out, "static const float ");
	emit_scale_name(pr, s);
	buf_printf(pr->out, "[%u] = {", n);
	for (unsigned i = 0; i < n; i++)
		buf_printf(pr->out, "%s%.9ef,", i % 5 ? " " : "\n\t", (double)scale);
	buf_puts(pr->out, "\n};\n");
}

static void put_tables(const struct printer *pr)
{
	if (pr->p->is_integer) {
		emit_integer_tables(pr);
		return;
	}
	for (size_t i = 0; i < pr->p->n_steps; i++) {
		const struct step *s = &pr->p->step[i];

		switch ((enum step_kind)s->kind) {
		case STEP_EMBED:
		case STEP_LINEAR:
		case STEP_LINEAR_BACK:
			if (!has_table(pr->p, s))
				put_linear_table(pr, s);
			if (s->src_point && s->q == NO_BUFFER)
				put_scale_table(pr, s);
			break;
		case STEP_CONV:
			if (!has_table(pr->p, s))
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

/* What the next step begins, in the notation of src/model/graph.h; NULL: nothing new. */
static const char *part_name(const struct program *p, size_t i)
{
	const struct step *s = &p->step[i];
	int kind = s->weight ? s->weight->kind : N_TENSOR_KINDS;

	if (i == 0)
		return "embedding";
	if (s->kind == STEP_POOL)
		return "pooled text, intent logits";
	if (s->kind == STEP_ATTENTION)
		return "scores, softmax, mix";
	switch (kind) {
	case T_WQ:
		return s->block ? "q, scores, softmax, mix; x += attention wo"
				: "q, k, v";
	case T_WK:
		return p->step[i + 2].block ? "k, v" : NULL;
	case T_WO:
		return "x += attention wo";
	case T_W1:
	case T_W1_IN:
		return "feed-forward";
	case T_TAG_W:
		return "tag logits";
	case T_NORMF_G:
		return "final norm";
	default:
		return kind == T_EMBED ? "next-token logits" : NULL;
	}
}

/* A step that the threads wait before, or leave to the first of them. */
static void put_shared_step(struct printer *pr, size_t i)
{
	const struct program *p = pr->p;
	const struct step *s = &p->step[i];
	int alone = pr->split && step_is_alone(p, s);

	if (pr->split && program_meets(p, i))
		buf_puts(pr->out, "\tif (workers > 1)\n\t\tteam_wait();\n");
	if (alone)
		buf_puts(pr->out, "\tif (worker == 0)\n\t");
	pr->split = pr->split && !alone;
	emit_step(pr, s);
	pr->split = pr->split || alone;
}

/* A run of steps for one block of rows after the other; returns the last of them. */
static size_t put_block(struct printer *pr, size_t i)
{
	const struct program *p = pr->p;
	struct buf *out = pr->out, text;
	uint8_t block = p->step[i].block;

	buf_init(&text);
	pr->out = &text;
	pr->split = pr->block = 1;
	for (; p->step[i].block == block; i++)
		emit_step(pr, &p->step[i]);
	pr->split = pr->block = 0;
	pr->out = out;
	buf_printf(out,
		"\tfor (uint32_t first = 0, rows; first < n; first += rows) {\n"
		"\t\trows = n - first < %u ? n - first : %u;\n",
		(unsigned)p->block_rows, (unsigned)p->block_rows);
	for (const char *c = buf_str(&text), *end; *c; c = end) {
		end = c + strcspn(c, "\n");
		end += *end == '\n';
		buf_printf(out, "\t%.*s", (int)(end - c), c);
	}
	buf_puts(out, "\t}\n");
	out->failed |= text.failed;
	buf_release(&text);
	return i - 1;
}

static void put_steps(struct printer *pr, size_t from, size_t to)
{
	const struct program *p = pr->p;

	for (size_t i = from; i < to; i++) {
		const struct step *s = &p->step[i];
		const char *part = part_name(p, i);

		if (s->layer >= 0 && (i == 0 || p->step[i - 1].layer != s->layer))
			buf_printf(pr->out, "\n\t/* ---- layer %d%s */\n", s->layer,
				p->genome->layer[s->layer].shared
					? ", with the weights of the one before"
					: "");
		if (part)
			buf_printf(pr->out, "\t/* %s */\n", part);
		if (!s->block)
			put_shared_step(pr, i);
		else
			i = put_block(pr, i);
	}
}

static void put_buffers(const struct printer *pr)
{
	const struct program *p = pr->p;

	buf_puts(pr->out,
		"\n/* Working memory: rows of what, bytes, steps that use it. */\n");
	for (size_t i = 0; i < p->n_buffers; i++) {
		const struct buffer *b = &p->buffer[i];

		buf_printf(pr->out,
			"static %s *const %s = %s%s + %llu; /* %u wide, %llu bytes",
			p->is_integer ? "int32_t" : "float", b->name,
			b->place == PLACE_STATE ? "state" : "arena",
			p->is_integer ? ".i" : "", (unsigned long long)b->offset / 4,
			(unsigned)b->width, (unsigned long long)b->bytes);
		if (b->place == PLACE_ARENA)
			buf_printf(pr->out, ", steps %u to %u", (unsigned)b->first,
				(unsigned)b->last);
		buf_puts(pr->out, " */\n");
	}
}

/* Integers that leave as floats have one memory for both. */
static void put_memory(
	const struct printer *pr, const char *name, uint64_t bytes, const char *end)
{
	unsigned long long n = bytes;

	if (pr->p->is_integer)
		buf_printf(pr->out,
			"static _Alignas(64) union {\n\tint32_t i[%llu / 4];\n\tfloat "
			"f[%llu / 4];\n} %s;%s\n",
			n, n, name, end);
	else
		buf_printf(pr->out, "static _Alignas(64) float %s[%llu / 4];%s\n", name,
			n, end);
}

static void put_top(const struct printer *pr, const struct codegen_input *in)
{
	char text[GENOME_TEXT_MAX];

	genome_format(in->genome, text);
	buf_puts(pr->out,
		"/* Generated by Hawser: a network as calls of the inference core.\n"
		" * What it computes is told in src/model/graph.h.\n *\n * ");
	for (const char *c = text; *c; c++) {
		buf_putc(pr->out, *c);
		if ((*c == ';' || *c == ',') && (c - text) % 64 > 56)
			buf_puts(pr->out, "\n *     ");
	}
	buf_puts(pr->out, "\n */\n#include \"model.h\"\n\n#include \"src/infer/");
	buf_puts(pr->out, pr->p->is_integer ? "integer/integer.h\"\n" : "kernels.h\"\n");
	if (pr->p->split_rows)
		buf_puts(pr->out, "#include \"src/infer/team.h\"\n");
	buf_printf(pr->out, "\n#define %s *)(const void *)(model_weights + (at)))\n",
		pr->p->is_integer ? "FIXED(at) ((const int32_t"
				  : "F32(at) ((const float");
	buf_puts(pr->out,
		"#define BF16(at) ((const uint16_t *)(const void *)(model_weights + "
		"(at)))\n"
		"#define BYTES(at) ((const void *)(model_weights + (at)))\n\n");
	put_memory(pr, "arena", pr->p->arena_bytes, "");
	if (pr->p->stateful)
		put_memory(pr, "state", pr->p->state_bytes,
			" /* keys, values, convolution inputs */\n"
			"static uint32_t n_past; /* tokens seen */");
}

static void put_check(const struct printer *pr)
{
	buf_printf(pr->out,
		"\tif (n < 1 || n > MODEL_SEQ_LEN%s)\n\t\treturn -1;\n"
		"\tfor (uint32_t i = 0; i < n; i++)\n"
		"\t\tif (ids[i] < 0 || ids[i] >= MODEL_VOCAB_SIZE)\n\t\t\treturn -1;\n",
		pr->p->stateful ? " - n_past" : "");
}

/* forward for all threads, or one: what follows calls forward(ids, n) either way. */
static void put_forward(struct printer *pr)
{
	const struct program *p = pr->p;

	if (!p->split_rows) {
		buf_puts(pr->out,
			"\nstatic void forward(const int32_t *ids, uint32_t n)\n{\n");
		put_steps(pr, 0, p->n_forward);
		buf_puts(pr->out, "}\n");
		return;
	}
	buf_puts(pr->out,
		"\n/* The rows of one of the workers. */\n"
		"static void forward_rows(const int32_t *ids, uint32_t n, uint32_t "
		"worker,\n\tuint32_t workers)\n{\n"
		"\tconst uint32_t first = team_first(n, worker, workers);\n"
		"\tconst uint32_t rows = team_first(n, worker + 1, workers) - "
		"first;\n\n");
	pr->split = 1;
	put_steps(pr, 0, p->n_forward);
	pr->split = 0;
	buf_printf(pr->out,
		"}\n\nconst uint32_t team_threads = %u;\n\n"
		"struct pass {\n\tconst int32_t *ids;\n\tuint32_t n;\n};\n\n"
		"static void part(const void *self, uint32_t worker)\n{\n"
		"\tconst struct pass *p = self;\n\n"
		"\tforward_rows(p->ids, p->n, worker, team_threads);\n}\n\n"
		"static void forward(const int32_t *ids, uint32_t n)\n{\n"
		"\tif (n >= %u) /* worth it */\n"
		"\t\tteam_run(part, &(const struct pass){ids, n});\n"
		"\telse\n\t\tforward_rows(ids, n, 0, 1);\n}\n",
		(unsigned)p->threads, (unsigned)p->split_rows);
}

static void put_run(const struct printer *pr)
{
	const struct program *p = pr->p;

	buf_puts(pr->out,
		"\nint model_run(const int32_t *ids, uint32_t n, struct model_output "
		"*out)\n{\n");
	if (p->stateful)
		buf_puts(pr->out, "\tuint32_t m = 0;\n\n");
	put_check(pr);
	if (p->stateful)
		buf_printf(pr->out,
			"\tfor (uint32_t done = 0; done < n; done += m) {\n"
			"\t\tm = n - done < %u ? n - done : %u;\n"
			"\t\tforward(ids + done, m);\n\t\tn_past += "
			"m;\n\t}\n\theads(m);\n",
			(unsigned)p->chunk, (unsigned)p->chunk);
	else
		buf_puts(pr->out, "\tforward(ids, n);\n\theads(n);\n");
	if (p->is_integer) {
		emit_integer_logits(pr, "intent", p->intent, "");
		emit_integer_logits(pr, "tags", p->tags, "n");
		emit_integer_logits(pr, "lm", p->lm, "");
		buf_puts(pr->out, "\treturn 0;\n}\n");
		return;
	}
	buf_printf(pr->out, "\tout->intent = %s;\n",
		p->intent == NO_BUFFER ? "0" : name_of(pr, p->intent));
	buf_printf(pr->out, "\tout->tags = %s;\n",
		p->tags == NO_BUFFER ? "0" : name_of(pr, p->tags));
	buf_printf(pr->out, "\tout->lm = %s;\n\treturn 0;\n}\n",
		p->lm == NO_BUFFER ? "0" : name_of(pr, p->lm));
}

static void put_reset(const struct printer *pr)
{
	const struct program *p = pr->p;

	buf_puts(pr->out, "\nvoid model_reset(void)\n{\n");
	if (p->stateful)
		buf_puts(pr->out, "\tn_past = 0;\n");
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->step[i];

		if (s->kind == STEP_CONV && s->k != NO_BUFFER)
			buf_printf(pr->out,
				"\tfor (uint32_t i = 0; i < %llu; i++)\n\t\t%s[i] = 0;\n",
				(unsigned long long)p->buffer[s->k].bytes / 4,
				name_of(pr, s->k));
	}
	buf_puts(pr->out, "}\n");
}

/* Heads that read one row only do not need n. */
static int heads_use_n(const struct program *p)
{
	for (size_t i = p->n_forward; i < p->n_steps; i++)
		if (p->step[i].rows != ROWS_ONE)
			return 1;
	return 0;
}

static void put_info(const struct printer *pr, const struct codegen_input *in)
{
	char text[GENOME_TEXT_MAX];

	genome_format(in->genome, text);
	buf_printf(pr->out,
		"\nconst struct model_info model_info = {\n\t.vocab_size = "
		"MODEL_VOCAB_SIZE,\n"
		"\t.seq_len = MODEL_SEQ_LEN,\n\t.n_intents = MODEL_N_INTENTS,\n"
		"\t.n_tags = MODEL_N_TAGS,\n\t.is_decoder = %d,\n\t.arena_bytes = "
		"MODEL_ARENA_BYTES,\n\t.state_bytes = MODEL_STATE_BYTES,\n"
		"\t.weight_bytes = MODEL_WEIGHT_BYTES,\n\t.timed_tokens = "
		"%u,\n\t.candidate = ",
		pr->p->stateful, (unsigned)in->timed_tokens);
	emit_string(text, strlen(text), pr->out);
	buf_puts(pr->out, ",\n};\n");
}

static void put_text(const struct printer *pr, const struct codegen_input *in)
{
	if (!in->vocab) {
		buf_puts(pr->out,
			"\nconst struct model_text model_text = {0, 0, 0, 0, 0};\n");
		return;
	}
	buf_printf(pr->out,
		"\nconst struct model_text model_text = {model_vocab, MODEL_VOCAB_BYTES, "
		"%s, %s, %s};\n",
		pr->p->intent == NO_BUFFER ? "0" : "model_intents",
		pr->p->tags == NO_BUFFER ? "0" : "model_tags",
		pr->p->intent == NO_BUFFER ? "0" : "&model_rules");
}

void emit_model(const struct codegen_input *in, const struct program *p, struct buf *out)
{
	struct packed_tensor *at = calloc(p->layout.n_tensors, sizeof(*at));
	struct printer pr = {p, at, in, in->scales, out, 0, 0};

	if (!at) {
		out->failed = 1;
		return;
	}
	pack_layout(p, at);
	put_top(&pr, in);
	put_buffers(&pr);
	if (p->stateful && in->genome->abs_pos && !p->is_integer)
		buf_printf(out, "#define D_EMBED %u\n", in->genome->d_embed);
	buf_puts(out, "\n/* Weights: columns, rows, where they lie, scales, bias. */\n");
	put_tables(&pr);
	put_forward(&pr);
	buf_puts(out, "\nstatic void heads(uint32_t n)\n{\n");
	if (!heads_use_n(p))
		buf_puts(out, "\t(void)n;\n");
	put_steps(&pr, p->n_forward, p->n_steps);
	buf_puts(out, "}\n");
	put_run(&pr);
	put_reset(&pr);
	put_info(&pr, in);
	put_text(&pr, in);
	free(at);
}
