/* codegen_build: key, cache, compile, link, sizes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/codegen/cache.h"
#include "src/codegen/elf.h"
#include "src/codegen/emit.h"
#include "src/codegen/flat.h"
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
	int placed;		 /* weights and vocabulary lie in the device's flash */
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
	if (j->placed) {
		hash_field(&st, &in->memories.place_base, sizeof(uint64_t));
		hash_field(&st, &in->memories.place, sizeof(uint64_t));
	}
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

/* The linker's script, and where in flash it puts what does not fit RAM. */
static void add_script(struct args *a, const struct job *j)
{
	const struct memories *m = &j->in->memories;

	args_add_words(a, "-nostartfiles -T");
	args_printf(a, "%s/devices/boards/mcu/payload%s.ld", j->sources->home,
		j->placed ? "_flash" : "");
	if (!j->placed)
		return;
	args_printf(a, "-L%s", j->sources->home); /* what it includes is found from there */
	args_printf(a, "-Wl,--defsym=FLASH=0x%llx", (unsigned long long)m->place_base);
	args_printf(a, "-Wl,--defsym=FLASH_BYTES=0x%llx", (unsigned long long)m->place);
}

/* Linked, it is too large for the device after all. */
static enum err too_large(const struct job *j)
{
	return err_set(j->ctx, ERR_NO_FIT,
		"does not fit: with code, golden data and stack it is larger than the "
		"board's window of %llu bytes%s",
		(unsigned long long)j->in->memories.window,
		j->placed ? ", or than its flash for weights" : "");
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
	if (is_flat(j->target))
		add_script(&a, j);
	else
		args_add(&a, "-s");
	if (j->in->vocab)
		args_add_words(&a, "-Wl,-u,model_text vocab.o");
	add_objects(&a, j, -1);
	if (j->program->threads > 1)
		args_add(&a, "-lpthread");
	args_add(&a, "-lm");
	e = toolchain_run(&a, j->work, j->ctx);
	args_release(&a);
	if (e == ERR_NO_FIT)
		return too_large(j);
	if (e || !is_flat(j->target))
		return e;
	return flat_make(j->target->cc, j->work, j->placed, &j->a, j->ctx);
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

/* All of it in the window, or its weights in flash; by the plan alone: code and harness come on
 * top and are checked when it is linked. */
static enum err choose_place(struct job *j, unsigned long long weights,
	unsigned long long vocab, unsigned long long working)
{
	const struct memories *m = &j->in->memories;
	unsigned long long window = m->window, place = m->place;

	if (!window || weights + vocab + working <= window)
		return ERR_OK;
	j->placed = weights + vocab <= place && working <= window;
	if (j->placed)
		return ERR_OK;
	if (!place)
		return err_set(j->ctx, ERR_NO_FIT,
			"does not fit: %llu bytes of weights and vocabulary and %llu of "
			"working memory, the board's window for both has %llu and its "
			"profile names no 'flash' for weights",
			weights + vocab, working, window);
	return err_set(j->ctx, ERR_NO_FIT,
		"does not fit: %llu bytes of weights and vocabulary, the board's RAM window "
		"has %llu for all and its flash for weights %llu; working memory of %llu",
		weights + vocab, window, place, working);
}

static enum err check_fit(struct job *j)
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
	return choose_place(j, weights, j->in->vocab ? j->in->vocab_len : 0, working);
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

static int find(struct job *j)
{
	make_key(j);
	return cache_find(j->cache, &j->a.build, &j->a, NULL) == ERR_OK;
}

/* What the plan lets into the window may be too large when it is linked: then its weights go
 * into flash as well. */
static enum err find_or_make(struct job *j, int *found)
{
	const struct memories *m = &j->in->memories;
	int may_move = m->place && !j->placed && is_flat(j->target);
	enum err e;

	*found = find(j);
	if (!*found && may_move) {
		j->placed = 1;
		*found = find(j);
		j->placed = 0;
		if (!*found)
			make_key(j);
	}
	if (*found)
		return ERR_OK;
	e = make(j);
	if (e != ERR_NO_FIT || !may_move)
		return e;
	j->placed = 1;
	make_key(j);
	return make(j);
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
		e = find_or_make(&j, &found);
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
