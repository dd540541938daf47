/* codegen_build: key, cache, compile, link, sizes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/codegen/cache.h"
#include "src/codegen/elf.h"
#include "src/codegen/emit.h"
#include "src/codegen/sources.h"
#include "src/codegen/toolchain.h"

/* A compiler's default code model reaches 2 GiB; weights and memory must fit together. */
#define IMAGE_LIMIT 2000000000ull

struct job {
	const struct codegen_input *in;
	const struct target *target;
	const char *cache;
	struct program *program;
	struct generated gen;
	struct sources *sources; /* NULL when nothing is compiled */
	char work[CACHE_PATH_MAX];
	struct artefact a;
	struct err_ctx *ctx;
};

static int is_compiled(const struct target *t)
{
	return strcmp(t->cc, "none") != 0;
}

/* Linked to be loaded where it runs, by an agent without an operating system. */
static int is_flat(const struct target *t)
{
	return strcmp(t->harness, "mcu") == 0;
}

static enum err check_input(
	const struct codegen_input *in, const struct target *t, struct err_ctx *ctx)
{
	static const struct hash zero;

	if (!in->weights.read || hash_equal(&in->weights_hash, &zero))
		return err_set(ctx, ERR_INVALID,
			"weights without a source or without a hash: builds could not be "
			"told apart");
	if (!t->cc || !*t->cc || !t->cflags || !t->isa || !t->harness)
		return err_set(
			ctx, ERR_INVALID, "the target names no compiler or no harness");
	return ERR_OK;
}

/* Everything that decides about the bytes of the image. */
static void make_key(struct job *j)
{
	const struct codegen_input *in = j->in;
	size_t n_ids = 0;
	const struct buf *const texts[] = {&j->gen.model_c, &j->gen.model_h,
		&j->gen.vocab_c, &j->gen.weights_s, &j->gen.card};
	struct hash_state st;
	uint32_t version = EMIT_VERSION;

	for (size_t i = 0; i < in->n_golden; i++)
		n_ids += in->golden_len[i];
	hash_init(&st);
	hash_field_str(&st, "build");
	hash_field(&st, &version, sizeof(version));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		hash_field(&st, buf_str(texts[i]), texts[i]->len);
	hash_field(&st, &in->weights_hash, sizeof(in->weights_hash));
	hash_field(&st, in->golden_len, in->n_golden * sizeof(*in->golden_len));
	hash_field(&st, in->golden_ids, n_ids * sizeof(*in->golden_ids));
	hash_field_str(&st, j->target->cc);
	hash_field_str(&st, j->target->cflags);
	hash_field_str(&st, opt_level_names[in->genome->opt]);
	hash_field_str(&st, toolchain_cflags);
	hash_field_str(&st, j->sources ? j->sources->compiler : "");
	for (size_t i = 0; j->sources && i < j->sources->n; i++)
		hash_field(&st, &j->sources->s[i].key, sizeof(struct hash));
	hash_final(&st, &j->a.build);
}

static enum err compile_model(struct job *j)
{
	struct args a;
	enum err e;

	args_init(&a);
	args_add_words(&a, j->target->cc);
	args_add_words(&a, toolchain_cflags);
	args_add_words(&a, j->target->cflags);
	args_printf(&a, "-%s", opt_level_names[j->in->genome->opt]);
	args_add(&a, "-I.");
	args_printf(&a, "-I%s", j->sources->home);
	args_add_words(&a, "-c model.c golden.c weights.S");
	if (j->in->vocab)
		args_add(&a, "vocab.c");
	e = toolchain_run(&a, j->work, j->ctx);
	args_release(&a);
	return e;
}

static void add_objects(struct args *a, const struct job *j, int part)
{
	for (size_t i = 0; i < j->sources->n; i++)
		if (part < 0 || j->sources->s[i].part == part)
			args_add(a, j->sources->s[i].object);
}

/* The program beside gcc that makes plain bytes of what it linked: arm-none-eabi-objcopy. */
static enum err flatten(struct job *j)
{
	const char *cc = j->target->cc;
	size_t len = strlen(cc);
	struct args a;
	enum err e;

	if (len < 3 || strcmp(cc + len - 3, "gcc") != 0)
		return err_set(j->ctx, ERR_INVALID,
			"'%s' is not a gcc: builds for boards without an operating system "
			"need one, as 'cc' in the device profile",
			cc);
	args_init(&a);
	args_printf(&a, "%.*sobjcopy", (int)(len - 3), cc);
	args_add_words(&a, "-O binary image.elf image");
	e = toolchain_run(&a, j->work, j->ctx);
	args_release(&a);
	return e;
}

static enum err link_image(struct job *j)
{
	struct args a;
	enum err e;

	args_init(&a);
	args_add_words(&a, j->target->cc);
	args_add_words(&a, j->target->cflags);
	args_add_words(&a, "-static -no-pie -Wl,--gc-sections -Wl,--build-id=none "
			   "-Wl,-u,model_card -Wl,-u,isa_needs "
			   "model.o golden.o weights.o -o");
	args_add(&a, is_flat(j->target) ? "image.elf" : "image");
	if (is_flat(j->target)) {
		args_add_words(&a, "-nostartfiles -T");
		args_printf(&a, "%s/devices/boards/mcu/payload.ld", j->sources->home);
	} else {
		args_add(&a, "-s");
	}
	if (j->in->vocab)
		args_add_words(&a, "-Wl,-u,model_text vocab.o");
	add_objects(&a, j, -1);
	if (j->program->threads > 1)
		args_add(&a, "-lpthread");
	args_add(&a, "-lm");
	e = toolchain_run(&a, j->work, j->ctx);
	args_release(&a);
	if (e == ERR_NO_FIT)
		return err_set(j->ctx, e,
			"does not fit: with code, golden data and stack it is larger than "
			"the board's window of %llu bytes",
			(unsigned long long)j->in->memories.window);
	return e || !is_flat(j->target) ? e : flatten(j);
}

/* What a firmware would hold of the model: everything that model_run, and with a
 * vocabulary the tokeniser and the labels, can reach. Golden data, card, harness and C library are not
 * counted. */
static enum err link_model(struct job *j)
{
	struct args a;
	enum err e;

	args_init(&a);
	args_add_words(&a, j->target->cc);
	args_add_words(&a, j->target->cflags);
	args_add_words(&a,
		"-r -no-pie -nostdlib -Wl,--gc-sections -Wl,-u,model_run "
		"-Wl,-u,model_reset -Wl,-u,model_info -o model_only.o model.o");
	if (j->in->vocab)
		args_add_words(&a, "-Wl,-u,model_text -Wl,-u,tokenise_text "
				   "-Wl,-u,tokenise_normalise -Wl,-u,tokenise_view "
				   "-Wl,-u,labels_best vocab.o");
	add_objects(&a, j, PART_CORE);
	e = toolchain_run(&a, j->work, j->ctx);
	args_release(&a);
	return e;
}

static enum err measure_sizes(struct job *j)
{
	char path[CACHE_PATH_MAX];
	struct elf_sizes model, weights;
	enum err e = file_join(path, sizeof(path), j->work, "model_only.o", j->ctx);

	if (!e)
		e = elf_read_sizes(path, &model, j->ctx);
	if (!e)
		e = file_join(path, sizeof(path), j->work, "weights.o", j->ctx);
	if (!e)
		e = elf_read_sizes(path, &weights, j->ctx);
	if (e)
		return e;
	j->a.text_bytes = model.text;
	j->a.vocab_bytes = model.vocab;
	j->a.data_bytes = model.data;
	j->a.bss_bytes = model.bss;
	j->a.weight_bytes = weights.weights;
	return ERR_OK;
}

/* Keeps what a person may want to read; the image holds the rest. */
static void drop_intermediate(const struct job *j)
{
	static const char *const files[] = {"model.o", "golden.o", "weights.o", "vocab.o",
		"model_only.o", "weights.bin", "image.elf"};
	char path[CACHE_PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!file_join(path, sizeof(path), j->work, files[i], NULL))
			unlink(path);
}

static enum err make_compiled(struct job *j)
{
	enum err e;

	if ((e = sources_compile(j->sources, j->target, j->cache, j->work, j->ctx)) ||
		(e = emit_folder(j->in, j->program, &j->gen, j->work, j->ctx)) ||
		(e = compile_model(j)) || (e = link_image(j)) || (e = link_model(j)) ||
		(e = measure_sizes(j)))
		return e;
	drop_intermediate(j);
	return ERR_OK;
}

/* No compiler: the image is the card, and sizes are the plan's. */
static enum err make_card(struct job *j)
{
	char path[CACHE_PATH_MAX];
	const char *text = buf_str(&j->gen.card);
	enum err e = file_join(path, sizeof(path), j->work, "image", j->ctx);

	if (!e)
		e = file_write_atomic(path, text, j->gen.card.len, 0644, j->ctx);
	j->a.weight_bytes = j->gen.weight_bytes;
	j->a.vocab_bytes = j->in->vocab ? j->in->vocab_len : 0;
	j->a.bss_bytes = j->program->arena_bytes + j->program->state_bytes;
	return e;
}

static enum err make(struct job *j)
{
	enum err e = cache_work_dir(j->cache, j->work, sizeof(j->work), j->ctx);

	if (e)
		return e;
	e = is_compiled(j->target) ? make_compiled(j) : make_card(j);
	if (!e) {
		j->a.arena_bytes = j->program->arena_bytes;
		j->a.state_bytes = j->program->state_bytes;
		j->a.flash_bytes = j->a.text_bytes + j->a.weight_bytes +
				   j->a.vocab_bytes + j->a.data_bytes;
		snprintf(j->a.compiler, sizeof(j->a.compiler), "%.120s; -%s %.120s",
			j->sources ? j->sources->compiler : "none",
			opt_level_names[j->in->genome->opt], j->target->cflags);
		e = cache_publish(j->cache, j->work, &j->a, j->ctx);
	}
	if (e)
		file_remove_tree(j->work, NULL);
	return e;
}

/* By the plan alone: code and harness come on top and are checked when it is linked. */
static enum err check_fit(const struct job *j)
{
	const struct memories *m = &j->in->memories;
	unsigned long long weights = j->gen.weight_bytes;
	unsigned long long working = j->program->arena_bytes + j->program->state_bytes;

	if (m->flash && weights > m->flash)
		return err_set(j->ctx, ERR_NO_FIT,
			"does not fit its flash: %llu bytes of weights, the device has %llu", weights,
			(unsigned long long)m->flash);
	if (m->ram && working > m->ram)
		return err_set(j->ctx, ERR_NO_FIT,
			"does not fit its RAM: %llu bytes of working memory, it has %llu", working,
			(unsigned long long)m->ram);
	if (m->window && weights + working > m->window)
		return err_set(j->ctx, ERR_NO_FIT,
			"does not fit: %llu bytes of weights and %llu of working memory, the board's "
			"window for both has %llu",
			weights, working, (unsigned long long)m->window);
	return ERR_OK;
}

static enum err prepare(struct job *j)
{
	enum err e = emit_texts(j->in, j->program, &j->gen, j->ctx);
	unsigned long long bytes =
		j->gen.weight_bytes + j->program->arena_bytes + j->program->state_bytes;

	e = e ? e : check_fit(j);
	if (e || !is_compiled(j->target))
		return e;
	if (bytes > IMAGE_LIMIT)
		return err_set(j->ctx, ERR_INVALID,
			"weights and working memory of %llu bytes, one image holds %llu: "
			"use fewer weight bits or a shorter sequence",
			bytes, IMAGE_LIMIT);
	j->sources = calloc(1, sizeof(*j->sources));
	if (!j->sources)
		return err_set(j->ctx, ERR_NOMEM, "out of memory");
	return sources_collect(j->sources, j->in, j->program, j->target, j->ctx);
}

enum err codegen_build(const struct codegen_input *in, const struct target *target,
	const char *cache_dir, struct artefact *out, int *hit, struct err_ctx *ctx)
{
	struct codegen_input own;
	struct act_scales scales;
	struct job j = {.in = &own, .target = target, .ctx = ctx};
	char *cache = NULL;
	int found = 0;
	enum err e = check_input(in, target, ctx);

	if (e || (e = codegen_calibrated(in, &own, &scales, ctx)) ||
		(e = codegen_program(&j.program, &own, target, ctx)))
		return e;
	e = prepare(&j);
	if (!e)
		e = file_mkdirs(cache_dir, ctx);
	if (!e) {
		/* compilers run in other folders */
		cache = realpath(cache_dir, NULL);
		j.cache = cache ? cache : cache_dir;
		make_key(&j);
		found = cache_find(j.cache, &j.a.build, &j.a, NULL) == ERR_OK;
		if (!found)
			e = make(&j);
	}
	if (!e) {
		*out = j.a;
		if (hit)
			*hit = found;
	}
	free(cache);
	free(j.sources);
	generated_release(&j.gen);
	program_free(j.program);
	return e;
}
