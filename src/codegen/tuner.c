/* codegen_tuner: a program that times the products of a kernel set on the device itself.
 * It holds no model; what it times is asked of it (devices/PROTOCOL.md, "Tuning"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/codegen/cache.h"
#include "src/codegen/emit.h"
#include "src/codegen/sources.h"
#include "src/codegen/toolchain.h"

static void make_key(const struct sources *all, const struct target *t,
	enum opt_level opt, struct hash *h)
{
	struct hash_state st;

	hash_init(&st);
	hash_field_str(&st, "tuner");
	hash_field_str(&st, all->set->isa);
	hash_field_str(&st, t->cc);
	hash_field_str(&st, t->cflags);
	hash_field_str(&st, opt_level_names[opt]);
	hash_field_str(&st, all->compiler);
	for (size_t i = 0; i < all->n; i++)
		hash_field(&st, &all->s[i].key, sizeof(struct hash));
	hash_final(&st, h);
}

static enum err link_image(const struct sources *all, const struct target *t,
	const char *work, struct err_ctx *ctx)
{
	struct args a;
	enum err e;

	args_init(&a);
	args_add_words(&a, t->cc);
	args_add_words(&a, t->cflags);
	args_add_words(&a, "-static -no-pie -s -Wl,--gc-sections -Wl,--build-id=none "
			   "-Wl,-u,isa_needs -o image");
	for (size_t i = 0; i < all->n; i++)
		args_add(&a, all->s[i].object);
	args_add(&a, "-lm");
	e = toolchain_run(&a, work, ctx);
	args_release(&a);
	return e;
}

static enum err make(struct sources *all, const struct target *t, enum opt_level opt,
	const char *cache, struct artefact *a, struct err_ctx *ctx)
{
	char work[CACHE_PATH_MAX];
	enum err e = cache_work_dir(cache, work, sizeof(work), ctx);

	if (e)
		return e;
	snprintf(a->compiler, sizeof(a->compiler), "%.120s; -%s %.120s", all->compiler,
		opt_level_names[opt], t->cflags);
	if ((e = sources_compile(all, t, cache, work, ctx)) ||
		(e = link_image(all, t, work, ctx)) ||
		(e = cache_publish(cache, work, a, ctx)))
		file_remove_tree(work, NULL);
	return e;
}

enum err codegen_tuner(const struct target *target, enum opt_level opt,
	const char *cache_dir, struct artefact *out, struct err_ctx *ctx)
{
	struct artefact a;
	struct sources *all;
	char *cache = NULL;
	enum err e;

	if (!strcmp(target->cc, "none"))
		return err_set(ctx, ERR_UNSUPPORTED,
			"nothing is compiled for this device, so nothing can be tuned");
	all = calloc(1, sizeof(*all));
	if (!all)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	memset(&a, 0, sizeof(a));
	e = sources_collect_tuner(all, target, opt, ctx);
	if (!e)
		e = file_mkdirs(cache_dir, ctx);
	if (!e) {
		cache = realpath(cache_dir, NULL); /* compilers run in other folders */
		make_key(all, target, opt, &a.build);
		if (cache_find(cache ? cache : cache_dir, &a.build, &a, NULL))
			e = make(all, target, opt, cache ? cache : cache_dir, &a, ctx);
	}
	if (!e)
		*out = a;
	free(cache);
	free(all);
	return e;
}

enum err codegen_products(const struct codegen_input *in, const struct target *target,
	struct product out[PRODUCTS_MAX], size_t *n, struct err_ctx *ctx)
{
	struct program *p;
	enum err e = codegen_program(&p, in, target, ctx);

	if (e)
		return e;
	*n = program_products(p, in->timed_tokens, out);
	program_free(p);
	return ERR_OK;
}
