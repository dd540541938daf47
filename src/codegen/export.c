/* codegen_export: a folder that needs nothing but a C compiler. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "src/base/file.h"
#include "src/codegen/emit.h"
#include "src/codegen/kernel_sets.h"

#define SOURCE_LIMIT (1u << 20)
#define PATH_LIMIT 4096

/* Besides the kernels that the model calls. */
static const char *const sources[] = {
	"src/infer/model_api.h",
	"src/infer/kernels.h",
	"src/infer/fmath.h",
	"src/infer/labels.h",
	"src/infer/labels.c",
	"src/infer/tokenise.h",
	"src/infer/tokenise.c",
	"src/infer/ref/reduce.h",
	"src/infer/ref/scores.h",
	"devices/boards/text/text.h",
	"devices/boards/text/main.c",
	"devices/boards/text/classify.c",
	"devices/boards/text/generate.c",
};

static void flatten_includes(const char *text, struct buf *out)
{
	static const char start[] = "#include \"";

	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t from = 0;

		len += text[len] == '\n';
		if (!strncmp(text, start, sizeof(start) - 1)) {
			buf_puts(out, start);
			from = sizeof(start) - 1;
			for (size_t i = from; i < len; i++)
				if (text[i] == '/')
					from = i + 1;
		}
		buf_append(out, text + from, len - from);
		text += len;
	}
}

static enum err put_file(
	const char *dir, const char *name, const struct buf *text, struct err_ctx *ctx)
{
	char path[PATH_LIMIT];
	enum err e = buf_err(text, ctx);

	if (!e)
		e = file_join(path, sizeof(path), dir, name, ctx);
	return e ? e : file_write_atomic(path, buf_str(text), text->len, 0644, ctx);
}

/* Rewrites a file's includes on its way from `from` to `dir`. */
static enum err copy_flat(
	const char *from, const char *dir, const char *name, struct err_ctx *ctx)
{
	struct buf text, flat;
	enum err e;

	buf_init(&text);
	buf_init(&flat);
	e = file_read(from, SOURCE_LIMIT, &text, ctx);
	if (!e) {
		flatten_includes(buf_str(&text), &flat);
		e = put_file(dir, name, &flat, ctx);
	}
	buf_release(&text);
	buf_release(&flat);
	return e;
}

static enum err copy_source(
	const char *home, const char *source, const char *dir, struct err_ctx *ctx)
{
	char from[PATH_LIMIT];
	enum err e = file_join(from, sizeof(from), home, source, ctx);

	return e ? e : copy_flat(from, dir, strrchr(source, '/') + 1, ctx);
}

/* The headers of a folder below home. */
static enum err copy_headers(
	const char *home, const char *folder, const char *dir, struct err_ctx *ctx)
{
	char path[PATH_LIMIT];
	enum err e = file_join(path, sizeof(path), home, folder, ctx);
	struct dirent *d;
	DIR *list;

	if (e)
		return e;
	list = opendir(path);
	if (!list)
		return err_set(ctx, ERR_IO, "cannot open folder '%s'", path);
	while ((d = readdir(list)) && !e) {
		size_t n = strlen(d->d_name);

		if (n < 3 || strcmp(d->d_name + n - 2, ".h") != 0)
			continue;
		e = file_join(path, sizeof(path), folder, d->d_name, ctx);
		if (!e)
			e = copy_source(home, path, dir, ctx);
	}
	closedir(list);
	return e;
}

/* What the kernels of a set share, and those of its base. */
static enum err copy_shared(const char *home, const struct kernel_set *set,
	const char *dir, struct err_ctx *ctx)
{
	char folder[256];
	enum err e;

	if (!*set->isa)
		return ERR_OK;
	e = copy_headers(home, "src/infer/opt", dir, ctx);
	for (; set && !e; set = kernel_set_base(set)) {
		snprintf(folder, sizeof(folder), "src/infer/opt/%s", set->isa);
		e = copy_headers(home, folder, dir, ctx);
	}
	return e;
}

static enum err copy_core(const struct program *p, const struct kernel_set *set,
	const char *dir, struct err_ctx *ctx)
{
	const char *kernels[PROGRAM_MAX_KERNELS];
	char home[PATH_LIMIT], path[512];
	enum err e = file_home(home, sizeof(home), ctx);

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && !e; i++)
		e = copy_source(home, sources[i], dir, ctx);
	if (!e)
		e = copy_shared(home, set, dir, ctx);
	if (!e && p->is_integer)
		e = copy_headers(home, "src/infer/integer", dir, ctx);
	program_kernels(p, kernels);
	for (size_t i = 0; kernels[i] && !e; i++) {
		e = kernel_source(set, kernels[i], path, sizeof(path), ctx);
		if (!e)
			e = copy_source(home, path, dir, ctx);
	}
	return e;
}

/* The generated files were written with the project's include paths. */
static enum err flatten_generated(const char *dir, struct err_ctx *ctx)
{
	static const char *const names[] = {"model.c", "model.h", "golden.c", "vocab.c"};
	char path[PATH_LIMIT];
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !e; i++) {
		e = file_join(path, sizeof(path), dir, names[i], ctx);
		if (!e)
			e = copy_flat(path, dir, names[i], ctx);
	}
	return e;
}

static enum err put_readme(const struct codegen_input *in, const struct program *p,
	const struct generated *gen, const struct target *target,
	const struct kernel_set *set, const char *dir, struct err_ctx *ctx)
{
	const char *cc = strcmp(target->cc, "none") ? target->cc : "cc";
	const int labels = in->task.kind != TASK_LM;
	char candidate[GENOME_TEXT_MAX];
	struct buf b;
	enum err e;

	buf_init(&b);
	genome_format(in->genome, candidate);
	buf_puts(&b, "# A model made by Hawser\n\nCompile:\n\n");
	buf_printf(&b, "    %s -std=c11 %s%s-%s %s%s*.c *.S -o model\n\n", cc,
		target->cflags, *target->cflags ? " " : "",
		opt_level_names[in->genome->opt], set->cflags, *set->cflags ? " " : "");
	if (labels)
		buf_puts(&b,
			"Use: every line typed at it is answered with its intent, how "
			"likely that is,\nand one line for each slot that was found.\n\n"
			"    echo 'your text' | ./model\n\n");
	else
		buf_puts(&b,
			"Use: it goes on with every line typed at it; `-n` tokens (64), "
			"`-t` temperature\n(0: always the likeliest token), `-s` "
			"seed.\n\n"
			"    echo 'your text' | ./model -n 100 -t 0.8\n\n");
	buf_printf(&b,
		"| | |\n|---|---|\n| candidate | `%s` |\n| weights | %llu bytes |\n"
		"| vocabulary | %zu bytes |\n| working memory | %llu bytes, static |\n"
		"| kept between calls | %llu bytes, static |\n\n",
		candidate, (unsigned long long)gen->weight_bytes, in->vocab_len,
		(unsigned long long)p->arena_bytes, (unsigned long long)p->state_bytes);
	buf_puts(&b,
		"`model_api.h` is what your own program calls: `model_reset`, "
		"`model_run`. It "
		"needs\n`model.c`, `weights.S`, the kernels and, to read text, "
		"`tokenise.c` and `vocab.c`,\nto name intents and slots `labels.c`; no "
		"heap, no files, no library. `main.c`,\n`classify.c` and `generate.c` "
		"are the program around it. `golden.c` holds inputs and the\nanswers "
		"that a correct build gives to them.\n");
	e = put_file(dir, "README.md", &b, ctx);
	buf_release(&b);
	return e;
}

/* A folder with other things in it is not ours to fill: `*.c` would compile them too. */
static enum err check_empty(const char *dir, struct err_ctx *ctx)
{
	struct dirent *d;
	enum err e = ERR_OK;
	DIR *list = opendir(dir);

	if (!list)
		return err_set(ctx, ERR_IO, "cannot open folder '%s'", dir);
	while ((d = readdir(list)) && !e)
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			e = err_set(ctx, ERR_EXISTS,
				"folder '%s' is not empty: export into a new one", dir);
	closedir(list);
	return e;
}

static enum err export(const struct codegen_input *in, const struct target *target,
	const struct program *p, const struct generated *gen, const char *dir,
	struct err_ctx *ctx) {
	const struct kernel_set *set = p->set; enum err e;

	if ((e = file_mkdirs(dir, ctx)) || (e = check_empty(dir, ctx)) ||
		(e = emit_folder(in, p, gen, dir, ctx)) ||
		(e = flatten_generated(dir, ctx)) ||
		(e = copy_core(p, set, dir, ctx))) return e;
	return put_readme(in, p, gen, target, set, dir, ctx);
}

enum err codegen_export(const struct codegen_input *in, const struct target *target,
	const char *dir, struct err_ctx *ctx)
{
	struct act_scales scales;
	struct codegen_input own;
	struct generated gen;
	struct program *p;
	enum err e;

	if (!in->vocab)
		return err_set(ctx, ERR_INVALID,
			"a model without a vocabulary cannot be exported: nothing could "
			"be typed at it");
	if ((e = codegen_calibrated(in, &own, &scales, ctx)) ||
		(e = codegen_program(&p, &own, target, ctx)))
		return e;
	e = emit_texts(&own, p, &gen, ctx);
	if (!e)
		e = export(&own, target, p, &gen, dir, ctx);
	generated_release(&gen);
	program_free(p);
	return e;
}
