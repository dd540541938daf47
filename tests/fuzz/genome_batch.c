#include "tests/fuzz/genome_batch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/codegen/emit.h"
#include "src/codegen/toolchain.h"
#include "tests/bench/rates.h"
#include "tests/fuzz/genome_runner/table.h"

static const char *sanitise(const struct batch_set *s)
{
	return s->sanitised ? "-fsanitize=address,undefined -fno-sanitize-recover=all"
			    : "";
}

static void compiler(
	struct args *a, const struct batch_sets *all, const struct batch_set *s)
{
	args_init(a);
	args_add_words(a, "gcc");
	args_add_words(a, toolchain_cflags);
	args_add_words(a, sanitise(s));
	args_add(a, "-I.");
	args_printf(a, "-I%s", all->home);
}

static enum err run_compiler(struct args *a, const char *cwd, struct err_ctx *ctx)
{
	enum err e = toolchain_run(a, cwd, ctx);

	args_release(a);
	return e;
}

/* ---- kernels */

static enum err add_kernel(struct batch_sets *all, struct batch_set *s, const char *name,
	const struct stand_in *in, struct args *a, struct err_ctx *ctx)
{
	const char *base = in->path && in->set == s->set ? strrchr(in->path, '/') : NULL;
	size_t len = strlen(name);
	char path[BATCH_PATH];
	enum err e;

	if (s->n_objects == BATCH_MAX_KERNELS)
		return err_set(ctx, ERR_INVALID, "too many kernels");
	snprintf(s->objects[s->n_objects++], sizeof(s->objects[0]), "%.60s.o", name);
	if (base && !strncmp(base + 1, name, len) && !strcmp(base + 1 + len, ".c")) {
		args_add(a, in->path);
		return ERR_OK;
	}
	e = kernel_source(s->set, name, path, sizeof(path), ctx);
	if (!e)
		args_printf(a, "%s/%s", all->home, path);
	return e;
}

/* All that the portable set has, and what this one has besides. */
static enum err add_kernels(struct batch_sets *all, struct batch_set *s,
	const struct stand_in *in, struct args *a, struct err_ctx *ctx)
{
	char folder[BATCH_PATH + 32], name[64];
	struct dirent **list;
	enum err e = ERR_OK;
	int n;

	snprintf(folder, sizeof(folder), "%s/src/infer/ref", all->home);
	n = scandir(folder, &list, NULL, alphasort);
	if (n < 0)
		return err_set(ctx, ERR_IO, "no folder '%s'", folder);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(list[i]->d_name);

		if (!e && len > 2 && !strcmp(list[i]->d_name + len - 2, ".c")) {
			snprintf(name, sizeof(name), "%.*s", (int)(len - 2),
				list[i]->d_name);
			e = add_kernel(all, s, name, in, a, ctx);
		}
		free(list[i]);
	}
	free(list);
	for (size_t i = 0; s->set->kernels[i] && !e; i++) {
		snprintf(name, sizeof(name), "%s.o", s->set->kernels[i]);
		for (size_t k = 0; k < s->n_objects; k++)
			if (!strcmp(s->objects[k], name))
				*name = 0;
		if (*name)
			e = add_kernel(all, s, s->set->kernels[i], in, a, ctx);
	}
	return e;
}

static enum err compile_kernels(struct batch_sets *all, struct batch_set *s,
	const struct stand_in *in, struct err_ctx *ctx)
{
	struct args a;
	enum err e;

	if ((e = file_mkdirs(s->dir, ctx)))
		return e;
	compiler(&a, all, s);
	args_add_words(&a, "-O2 -c");
	args_add_words(&a, s->set->cflags);
	if ((e = add_kernels(all, s, in, &a, ctx))) {
		args_release(&a);
		return e;
	}
	args_printf(&a, "%s/tests/fuzz/genome_runner/main.c", all->home);
	snprintf(s->objects[s->n_objects++], sizeof(s->objects[0]), "main.o");
	return run_compiler(&a, s->dir, ctx);
}

/* The sets whose instructions this machine has, compiled below `dir`. */

enum err batch_sets_init(struct batch_sets *all, const char *dir, int sanitise_all,
	const struct stand_in *in, struct err_ctx *ctx)
{
	static const struct stand_in none = {NULL, NULL};
	const struct kernel_set *set;
	enum err e;

	memset(all, 0, sizeof(*all));
	if ((e = file_home(all->home, sizeof(all->home), ctx)))
		return e;
	for (size_t i = 0; (set = kernel_set_at(i)) && all->n < BATCH_MAX_SETS; i++) {
		struct batch_set *s = &all->set[all->n];

		if (!cpu_runs_set(set) || (in && i && in->set != set))
			continue;
		s->set = set;
		s->sanitised = sanitise_all || i == 0;
		snprintf(s->dir, sizeof(s->dir), "%.3000s/kernels-%zu", dir, all->n++);
		if ((e = compile_kernels(all, s, in ? in : &none, ctx)))
			return e;
	}
	return ERR_OK;
}

/* ---- models */

static enum err put_file(
	const char *dir, const char *name, const struct buf *text, struct err_ctx *ctx)
{
	char path[BATCH_PATH];
	enum err e = file_join(path, sizeof(path), dir, name, ctx);
	FILE *f = e ? NULL : fopen(path, "wbe");
	int bad;

	if (!f)
		return e ? e : err_set(ctx, ERR_IO, "cannot create '%s'", path);
	bad = fwrite(buf_str(text), 1, text->len, f) != text->len;
	if (fclose(f) || bad || text->failed)
		return err_set(ctx, ERR_IO, "cannot write '%s'", path);
	return ERR_OK;
}

/* The folder that codegen_emit would fill, as far as it is compiled here. */
static enum err write_model(
	struct drawn *d, const struct program *p, const char *dir, struct err_ctx *ctx)
{
	struct act_scales scales;
	struct codegen_input in;
	struct generated gen;
	char path[BATCH_PATH];
	struct buf golden;
	enum err e = codegen_calibrated(&d->in, &in, &scales, ctx);

	if (e)
		return e;
	e = emit_texts(&in, p, &gen, ctx);
	buf_init(&golden);
	if (!e && !(e = file_mkdirs(dir, ctx)) &&
		!(e = emit_golden(&in, p, buf_str(&gen.card), &golden, ctx)) &&
		!(e = put_file(dir, "model.c", &gen.model_c, ctx)) &&
		!(e = put_file(dir, "model.h", &gen.model_h, ctx)) &&
		!(e = put_file(dir, "golden.c", &golden, ctx)) &&
		!(e = file_join(path, sizeof(path), dir, "weights.bin", ctx)))
		e = pack_write(p, &d->in.weights, path, NULL, ctx);
	buf_release(&golden);
	generated_release(&gen);
	return e;
}

/* One file a model, that includes what was generated under other names. */
static enum err write_wrapper(size_t i, const char *dir, struct err_ctx *ctx)
{
	static const char *const names[] = {"model_run", "model_reset", "model_info",
		"model_text", "model_weights", "model_golden", "model_n_golden",
		"model_golden_tolerance", "model_card", NULL};
	char file[32];
	struct buf text;
	enum err e;

	buf_init(&text);
	for (size_t k = 0; names[k]; k++)
		buf_printf(&text, "#define %s g%zu_%s\n", names[k], i, names[k]);
	buf_printf(
		&text, "#include \"g%zu/model.c\"\n#include \"g%zu/golden.c\"\n", i, i);
	snprintf(file, sizeof(file), "g%zu.c", i);
	e = put_file(dir, file, &text, ctx);
	buf_release(&text);
	return e;
}

static enum err write_table(const struct batch *b, const char *dir, struct err_ctx *ctx)
{
	struct buf table, weights;
	enum err e;

	buf_init(&table);
	buf_init(&weights);
	buf_puts(&table, "#include \"tests/fuzz/genome_runner/table.h\"\n");
	buf_puts(&weights, "\t.section .rodata, \"a\", %progbits\n");
	for (size_t i = 0; i < b->n; i++) {
		buf_printf(&table,
			"extern const struct model_info g%zu_model_info;\n"
			"extern const struct model_golden g%zu_model_golden[];\n"
			"extern const uint32_t g%zu_model_n_golden;\n"
			"extern const float g%zu_model_golden_tolerance;\n"
			"extern const uint8_t g%zu_weights_end[];\n"
			"int g%zu_model_run(const int32_t *, uint32_t, struct "
			"model_output *);\nvoid g%zu_model_reset(void);\n",
			i, i, i, i, i, i, i);
		buf_printf(&weights,
			"\t.globl g%zu_model_weights, g%zu_weights_end\n\t.balign 64\n"
			"g%zu_model_weights:\n\t.incbin \"g%zu/weights.bin\"\n"
			"g%zu_weights_end:\n\t.skip %d\n",
			i, i, i, i, i, MODEL_REDZONE);
	}
	buf_puts(&weights, "\t.section .note.GNU-stack, \"\", %progbits\n");
	buf_puts(&table, "const struct model models[] = {\n");
	for (size_t i = 0; i < b->n; i++)
		buf_printf(&table,
			"\t{%u, &g%zu_model_info, g%zu_model_golden, "
			"&g%zu_model_n_golden, &g%zu_model_golden_tolerance, "
			"g%zu_weights_end, g%zu_model_run, g%zu_model_reset},\n",
			(unsigned)b->drawn[i].index, i, i, i, i, i, i, i);
	buf_printf(&table, "};\nconst uint32_t n_models = %zu;\n", b->n);
	e = put_file(dir, "table.c", &table, ctx);
	if (!e)
		e = put_file(dir, "weights.S", &weights, ctx);
	buf_release(&table);
	buf_release(&weights);
	return e;
}

static enum err write_all(struct batch *b, const struct kernel_set *set, const char *dir,
	struct err_ctx *ctx)
{
	char sub[BATCH_PATH];
	enum err e = file_mkdirs(dir, ctx);

	for (size_t i = 0; i < b->n && !e; i++) {
		struct drawn *d = &b->drawn[i];
		struct program *p = NULL;

		snprintf(sub, sizeof(sub), "%.4000s/g%zu", dir, i);
		e = program_new_for(&p, &d->genome, &d->in.task, set, ctx);
		if (!e)
			e = write_model(d, p, sub, ctx);
		if (!e)
			e = write_wrapper(i, dir, ctx);
		program_free(p);
	}
	return e ? e : write_table(b, dir, ctx);
}

/* A call of the compiler for each level. */
static enum err compile(const struct batch *b, const struct batch_set *s, const char *dir,
	struct err_ctx *ctx)
{
	enum err e = ERR_OK;

	for (int level = 0; level < N_OPT_LEVELS && !e; level++) {
		size_t n = 0;
		struct args a;

		compiler(&a, b->sets, s);
		args_printf(&a, "-%s", opt_level_names[level]);
		args_add(&a, "-c");
		for (size_t i = 0; i < b->n; i++)
			if (b->drawn[i].genome.opt == level && ++n)
				args_printf(&a, "g%zu.c", i);
		if (level == 0 && ++n)
			args_add_words(&a, "table.c weights.S");
		if (n)
			e = run_compiler(&a, dir, ctx);
		else
			args_release(&a);
	}
	return e;
}

static enum err link_runner(const struct batch *b, const struct batch_set *s,
	const char *dir, struct err_ctx *ctx)
{
	struct args a;

	args_init(&a);
	args_add_words(&a, "gcc -no-pie -o run table.o weights.o");
	args_add_words(&a, sanitise(s));
	for (size_t i = 0; i < b->n; i++)
		args_printf(&a, "g%zu.o", i);
	for (size_t i = 0; i < s->n_objects; i++)
		args_printf(&a, "%s/%s", s->dir, s->objects[i]);
	return run_compiler(&a, dir, ctx);
}

/* ---- answers */

void batch_fault(struct batch *b, size_t i, size_t k, const char *what, double value,
	double allowed)
{
	const char *isa = b->sets->set[k].set->isa;

	draw_describe(&b->drawn[i], &b->faults);
	buf_printf(&b->faults, "\n     kernels '%s': %s", *isa ? isa : "ref", what);
	if (value > 0)
		buf_printf(&b->faults, " %.3g, allowed is %.3g", value, allowed);
	buf_puts(&b->faults, "\n");
}

/* The line that tells what a sanitiser found. */
static void reason(const char *text, const struct err_ctx *ctx, char *out, size_t cap)
{
	const char *at = strstr(text, "runtime error");

	at = at ? at : strstr(text, "ERROR: ");
	while (at && at > text && at[-1] != '\n')
		at--;
	at = at ? at : ctx->msg;
	snprintf(out, cap, "%.*s", (int)strcspn(at, "\n"), at);
}

/* "INDEX ERROR TOLERANCE RELATIVE" a model; returns how many lines were whole. */
static size_t parse(struct batch *b, size_t k, const char *text)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		unsigned index;
		int used = 0;

		if (sscanf(text, "%u %f %f %*f%n", &index, &b->golden[k][i],
			    &b->tolerance[i], &used) != 3 ||
			index != b->drawn[i].index || text[used] != '\n')
			break;
		text += used + 1;
	}
	return i;
}

static void judge_golden(struct batch *b, size_t k, size_t i)
{
	static const char *const faults[] = {"", "takes bad arguments",
		"refuses its golden input", "has other heads than its golden answer",
		"an earlier input changes the answer"};
	float error = b->golden[k][i];

	if (error < 0)
		batch_fault(b, i, k, faults[error < -4 ? 0 : (int)-error], 0, 0);
	else if (!(error <= b->tolerance[i]))
		batch_fault(b, i, k, "golden answer off by", (double)error,
			(double)b->tolerance[i]);
}

static enum err execute(struct batch *b, size_t k, const char *dir, struct err_ctx *ctx)
{
	char run[BATCH_PATH + 8], logits[BATCH_PATH + 8], why[400];
	const char *argv[] = {run, logits, NULL};
	struct buf out, err;
	size_t n;
	enum err e;

	buf_init(&out);
	buf_init(&err);
	snprintf(run, sizeof(run), "%.4000s/run", dir);
	snprintf(logits, sizeof(logits), "%.4000s/logits", dir);
	e = process_run_command(argv, dir, 600, &out, &err, ctx);
	n = parse(b, k, buf_str(&out));
	for (size_t i = 0; i < n; i++)
		judge_golden(b, k, i);
	if ((!e || e == ERR_TOOL) && n < b->n) {
		reason(buf_str(&err), ctx, why, sizeof(why));
		batch_fault(b, n, k, e ? why : "ends without an answer", 0, 0);
		e = ERR_OK;
	}
	buf_release(&out);
	buf_release(&err);
	return e;
}

static size_t count_logits(const struct drawn *d)
{
	size_t n = 0;

	for (int i = 0; i < DRAW_N_GOLDEN; i++)
		n += (size_t)d->in.task.n_intents +
		     (size_t)d->in.task.n_tags * d->len[i] +
		     (d->in.task.kind == TASK_LM ? d->genome.vocab_size : 0);
	return n;
}

/* How far a set's logits are from the portable one's, relative to 1 and the largest. */
static void compare(
	struct batch *b, size_t k, const struct buf *mine, const struct buf *portable)
{
	size_t at = 0;

	for (size_t i = 0; i < b->n; i++) {
		size_t bytes = count_logits(&b->drawn[i]) * sizeof(float);
		float largest = 0, worst = 0;

		if (at + bytes > mine->len || at + bytes > portable->len) {
			batch_fault(b, i, k, "leaves no logits to compare", 0, 0);
			return;
		}
		for (size_t j = 0; j < bytes; j += sizeof(float)) {
			float x, y;

			memcpy(&x, mine->data + at + j, sizeof(x));
			memcpy(&y, portable->data + at + j, sizeof(y));
			largest = y > largest ? y : -y > largest ? -y : largest;
			x = x > y ? x - y : y - x;
			worst = x <= worst ? worst : x == x ? x : 1e30f;
		}
		b->difference[k][i] = worst / (1 + largest);
		at += bytes;
	}
}

/* Everything for every set. `dir` is made and removed. */
enum err batch_run(struct batch *b, struct err_ctx *ctx)
{
	struct buf logits[BATCH_MAX_SETS];
	enum err e = ERR_OK;

	for (size_t k = 0; k < b->sets->n; k++)
		buf_init(&logits[k]);
	for (size_t k = 0; k < b->sets->n && !e; k++) {
		const struct batch_set *s = &b->sets->set[k];
		char dir[BATCH_PATH + 16], path[BATCH_PATH + 32];

		snprintf(dir, sizeof(dir), "%.4000s/s%zu", b->dir, k);
		snprintf(path, sizeof(path), "%.4000s/logits", dir);
		if (!(e = write_all(b, s->set, dir, ctx)) &&
			!(e = compile(b, s, dir, ctx)) &&
			!(e = link_runner(b, s, dir, ctx)) &&
			!(e = execute(b, k, dir, ctx)))
			e = file_read(path, 0, &logits[k], ctx);
		if (!e && k)
			compare(b, k, &logits[k], &logits[0]);
	}
	for (size_t k = 0; k < b->sets->n; k++)
		buf_release(&logits[k]);
	file_remove_tree(b->dir, NULL);
	return e;
}
