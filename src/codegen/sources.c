#include "src/codegen/sources.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/file.h"
#include "src/codegen/toolchain.h"

#define SOURCE_LIMIT (1u << 20)

/* Headers that objects may depend on: all of them are part of every key, since a scan of
 * includes saves little here. */
static const char *const header_folders[] = {"src/infer", "src/infer/ref",
	"src/infer/opt", "src/infer/integer", "devices/proto", "devices/boards/linux", "devices/agent/mcu",
	NULL};

static int is_absolute(const char *path)
{
	return path[0] == '/';
}

static enum err full_path(const struct sources *all, const char *path, char *out,
	size_t cap, struct err_ctx *ctx)
{
	int n = is_absolute(path) ? snprintf(out, cap, "%s", path)
				  : snprintf(out, cap, "%s/%s", all->home, path);

	if (n < 0 || (size_t)n >= cap)
		return err_set(ctx, ERR_INVALID, "path '%s' is too long", path);
	return ERR_OK;
}

static enum err read_source(
	const struct sources *all, const char *path, struct buf *out, struct err_ctx *ctx)
{
	char full[CACHE_PATH_MAX];
	enum err e = full_path(all, path, full, sizeof(full), ctx);

	return e ? e : file_read(full, SOURCE_LIMIT, out, ctx);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int has_ending(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);

	return n > m && !strcmp(name + n - m, ending);
}

typedef enum err visit_fn(void *self, const char *path, struct err_ctx *ctx);

/* Calls `visit` for each file of `folder` with that ending, in byte order of names. A
 * folder that is not there has none. */
static enum err each_file(const struct sources *all, const char *folder,
	const char *ending, visit_fn *visit, void *self, struct err_ctx *ctx)
{
	char full[CACHE_PATH_MAX], path[CACHE_PATH_MAX];
	struct dirent **list;
	enum err e = full_path(all, folder, full, sizeof(full), ctx);
	int n;

	if (e)
		return e;
	n = scandir(full, &list, NULL, by_name);
	if (n < 0)
		return ERR_OK;
	for (int i = 0; i < n; i++) {
		if (!e && has_ending(list[i]->d_name, ending)) {
			e = file_join(path, sizeof(path), folder, list[i]->d_name, ctx);
			e = e ? e : visit(self, path, ctx);
		}
		free(list[i]);
	}
	free(list);
	return e;
}

/* ---- collecting */

struct collector {
	struct sources *all;
	const struct target *target;
	const char *opt; /* "-O2" */
	struct hash headers;
	struct hash_state st; /* of the headers, while they are read */
	const char *harness_flags; /* more of them */
	int uses_proto;
};

static enum err hash_header(void *self, const char *path, struct err_ctx *ctx)
{
	struct collector *c = self;
	struct buf text;
	enum err e;

	buf_init(&text);
	e = read_source(c->all, path, &text, ctx);
	if (!e) {
		hash_field_str(&c->st, strrchr(path, '/') + 1);
		hash_field(&c->st, buf_str(&text), text.len);
	}
	buf_release(&text);
	return e;
}

static enum err hash_headers(
	struct collector *c, const char *harness, struct err_ctx *ctx)
{
	char folder[300];
	enum err e = ERR_OK;

	hash_init(&c->st);
	for (size_t i = 0; header_folders[i] && !e; i++)
		e = each_file(c->all, header_folders[i], ".h", hash_header, c, ctx);
	for (const struct kernel_set *s = c->all->set; s && *s->isa && !e;
		s = kernel_set_base(s)) {
		snprintf(folder, sizeof(folder), "src/infer/opt/%s", s->isa);
		e = each_file(c->all, folder, ".h", hash_header, c, ctx);
	}
	if (!e)
		e = each_file(c->all, harness, ".h", hash_header, c, ctx);
	hash_final(&c->st, &c->headers);
	return e;
}

static enum err add_source(struct collector *c, const char *path, enum source_part part,
	const char *more_flags, struct err_ctx *ctx)
{
	struct source *s = &c->all->s[c->all->n];
	struct hash_state st;
	struct buf text;
	enum err e;
	int n;

	if (c->all->n == SOURCES_MAX)
		return err_set(
			ctx, ERR_INVALID, "more than %d source files", SOURCES_MAX);
	n = snprintf(s->flags, sizeof(s->flags), "%s %s %s %s", toolchain_cflags,
		c->target->cflags, part == PART_CORE ? c->opt : "-O2 -D_GNU_SOURCE",
		more_flags);
	if (n < 0 || (size_t)n >= sizeof(s->flags))
		return err_set(ctx, ERR_INVALID, "the compiler flags are too long");
	n = snprintf(s->path, sizeof(s->path), "%s", path);
	if (n < 0 || (size_t)n >= sizeof(s->path))
		return err_set(ctx, ERR_INVALID, "path '%s' is too long", path);
	s->part = (uint8_t)part;
	buf_init(&text);
	e = read_source(c->all, path, &text, ctx);
	if (e) {
		buf_release(&text);
		return e;
	}
	hash_init(&st);
	hash_field_str(&st, "object");
	hash_field_str(&st, strrchr(path, '/') + 1);
	hash_field(&st, buf_str(&text), text.len);
	hash_field(&st, &c->headers, sizeof(c->headers));
	hash_field_str(&st, c->target->cc);
	hash_field_str(&st, c->all->compiler);
	hash_field_str(&st, s->flags);
	hash_final(&st, &s->key);
	if (part == PART_HARNESS && strstr(buf_str(&text), "devices/proto/"))
		c->uses_proto = 1;
	buf_release(&text);
	c->all->n++;
	return ERR_OK;
}

static enum err add_harness(void *self, const char *path, struct err_ctx *ctx)
{
	struct collector *c = self;

	return add_source(c, path, PART_HARNESS, c->harness_flags, ctx);
}

static enum err note_proto(void *self, const char *path, struct err_ctx *ctx)
{
	struct collector *c = self;
	struct buf text;
	enum err e;

	buf_init(&text);
	e = read_source(c->all, path, &text, ctx);
	c->uses_proto |= strstr(buf_str(&text), "devices/proto/") != NULL;
	buf_release(&text);
	return e;
}

/* The broken kernel of a test stands in for the kernel of the same file name. */
static int is_stand_in(const char *broken, const char *kernel)
{
	const char *base = broken ? strrchr(broken, '/') : NULL;
	size_t n = strlen(kernel);

	base = base ? base + 1 : broken;
	return base && !strncmp(base, kernel, n) && !strcmp(base + n, ".c");
}

static enum err add_kernels(struct collector *c, const struct codegen_input *in,
	const struct program *p, struct err_ctx *ctx)
{
	const char *kernels[PROGRAM_MAX_KERNELS];
	int stood_in = 0;
	enum err e;

	program_kernels(p, kernels);
	for (size_t i = 0; kernels[i]; i++) {
		char path[CACHE_PATH_MAX], *real;
		if (!is_stand_in(in->broken_kernel, kernels[i])) {
			e = kernel_source(
				c->all->set, kernels[i], path, sizeof(path), ctx);
			if (!e)
				e = add_source(
					c, path, PART_CORE, c->all->set->cflags, ctx);
		} else {
			stood_in = 1;
			real = realpath(in->broken_kernel, NULL);
			e = real ? add_source(c, real, PART_CORE, "", ctx)
				 : err_set(ctx, ERR_NOTFOUND, "no kernel file '%s'",
					   in->broken_kernel);
			free(real);
		}
		if (e)
			return e;
	}
	if (in->broken_kernel && !stood_in)
		return err_set(ctx, ERR_INVALID,
			"'%s' is named after no kernel that this model calls",
			in->broken_kernel);
	return ERR_OK;
}

/* "linux" is devices/boards/linux; a name with a '/' is a folder of the caller's. */
static enum err harness_folder(
	const char *harness, char *out, size_t cap, struct err_ctx *ctx)
{
	char *real;
	int n;

	if (!*harness || strstr(harness, ".."))
		return err_set(ctx, ERR_INVALID, "bad name of a harness '%s'", harness);
	if (!strchr(harness, '/')) {
		n = snprintf(out, cap, "devices/boards/%s", harness);
	} else {
		real = realpath(harness, NULL);
		n = snprintf(out, cap, "%s", real ? real : harness);
		free(real);
	}
	if (n < 0 || (size_t)n >= cap)
		return err_set(
			ctx, ERR_INVALID, "path of harness '%s' is too long", harness);
	return ERR_OK;
}

/* What the compiler was allowed to use, with the kernels' flags. */
static enum err add_needs(struct collector *c, struct err_ctx *ctx)
{
	return add_source(
		c, "devices/boards/isa/needs.c", PART_HARNESS, c->all->set->cflags, ctx);
}

/* What the harness of microcontrollers takes from that of Linux. */
static enum err add_shared_harness(struct collector *c, struct err_ctx *ctx)
{
	static const char *const files[] = {"devices/boards/linux/eval.c",
		"devices/boards/linux/golden.c", "devices/boards/linux/stream.c",
		"devices/boards/linux/timed.c"};
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !e; i++)
		e = add_source(c, files[i], PART_HARNESS, "", ctx);
	return e;
}

enum err sources_collect(struct sources *all, const struct codegen_input *in,
	const struct program *p, const struct target *target, struct err_ctx *ctx)
{
	char harness[CACHE_PATH_MAX], opt[8];
	struct collector c = {
		.all = all, .target = target, .opt = opt, .harness_flags = ""};
	size_t before;
	enum err e;

	all->set = p->set;
	snprintf(opt, sizeof(opt), "-%s", opt_level_names[in->genome->opt]);
	if ((e = file_home(all->home, sizeof(all->home), ctx)) ||
		(e = codegen_probe_compiler(
			 target->cc, all->compiler, sizeof(all->compiler), ctx)) ||
		(e = harness_folder(target->harness, harness, sizeof(harness), ctx)) ||
		(e = hash_headers(&c, harness, ctx)) || (e = add_kernels(&c, in, p, ctx)))
		return e;
	if (in->vocab &&
		((e = add_source(&c, "src/infer/tokenise.c", PART_CORE, "", ctx)) ||
			(e = add_source(&c, "src/infer/labels.c", PART_CORE, "", ctx))))
		return e;
	if (p->threads > 1 &&
		(e = add_source(&c, "src/infer/team/linux.c", PART_CORE, "", ctx)))
		return e;
	if ((e = add_needs(&c, ctx)))
		return e;
	before = all->n;
	if (!strcmp(target->harness, "mcu")) {
		c.harness_flags = "-DCRC32_SMALL"; /* its tables would be in RAM */
		if ((e = add_shared_harness(&c, ctx)))
			return e;
	}
	if ((e = each_file(all, harness, ".c", add_harness, &c, ctx)) ||
		(e = each_file(all, harness, ".h", note_proto, &c, ctx)))
		return e;
	if (all->n == before)
		return err_set(ctx, ERR_NOTFOUND, "no harness '%s': no C file in '%s'",
			target->harness, harness);
	if (c.uses_proto)
		e = each_file(all, "devices/proto", ".c", add_harness, &c, ctx);
	return e;
}

static enum err add_products(struct collector *c, struct err_ctx *ctx)
{
	static const char *const kernels[] = {"linear_f32", "linear_i8", "linear_i4"};
	char path[CACHE_PATH_MAX];
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]) && !e; i++) {
		e = kernel_source(c->all->set, kernels[i], path, sizeof(path), ctx);
		if (!e)
			e = add_source(c, path, PART_CORE, c->all->set->cflags, ctx);
	}
	return e;
}

enum err sources_collect_tuner(struct sources *all, const struct target *target,
	enum opt_level opt_level, struct err_ctx *ctx)
{
	char opt[8];
	struct collector c = {
		.all = all, .target = target, .opt = opt, .harness_flags = ""};
	enum err e;

	snprintf(opt, sizeof(opt), "-%s", opt_level_names[opt_level]);
	if ((e = kernel_set_choose(
		     target->isa, target->cc, target->cflags, &all->set, ctx)) ||
		(e = file_home(all->home, sizeof(all->home), ctx)) ||
		(e = codegen_probe_compiler(
			 target->cc, all->compiler, sizeof(all->compiler), ctx)) ||
		(e = hash_headers(&c, "devices/boards/linux", ctx)) ||
		(e = add_products(&c, ctx)) || (e = add_needs(&c, ctx)) ||
		(e = add_source(
			 &c, "devices/boards/linux/stream.c", PART_HARNESS, "", ctx)))
		return e;
	return each_file(all, "devices/boards/tune", ".c", add_harness, &c, ctx);
}

/* ---- compiling */

static enum err compile(const struct sources *all, struct source *s,
	const struct target *target, const char *work, struct err_ctx *ctx)
{
	char made[CACHE_PATH_MAX];
	struct args a;
	enum err e = file_join(made, sizeof(made), work, "shared.o", ctx);

	if (e)
		return e;
	args_init(&a);
	args_add_words(&a, target->cc);
	args_add_words(&a, s->flags);
	args_add(&a, "-I.");
	args_add(&a, "-c");
	args_add(&a, s->path);
	args_add(&a, "-o");
	args_add(&a, made);
	e = toolchain_run(&a, all->home, ctx);
	args_release(&a);
	if (!e && rename(made, s->object))
		e = err_set(ctx, errno == ENOSPC ? ERR_FULL : ERR_IO,
			"build cache: cannot move an object to '%s': %s", s->object,
			strerror(errno));
	return e;
}

enum err sources_compile(struct sources *all, const struct target *target,
	const char *cache, const char *work, struct err_ctx *ctx)
{
	for (size_t i = 0; i < all->n; i++) {
		struct source *s = &all->s[i];
		enum err e = cache_object_path(
			cache, &s->key, s->object, sizeof(s->object), ctx);

		if (!e && !file_exists(s->object))
			e = compile(all, s, target, work, ctx);
		if (e)
			return e;
	}
	return ERR_OK;
}
