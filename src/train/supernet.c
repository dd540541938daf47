/* The weight-sharing supernet: its layout, its files, its sub-networks. */
#include <stdio.h>
#include <stdlib.h>

#include "src/base/file.h"
#include "src/train/checkpoint.h"
#include "src/train/run.h"
#include "src/train/supernet_train.h"

#define MAX_EXTREMES 16

static enum err build(struct supernet *s, struct corpus *c, const struct sampler *sampler,
	const struct train_options *o, struct err_ctx *ctx)
{
	struct genome *all = calloc(MAX_EXTREMES + 2, sizeof(*all));
	struct hash_state st;
	size_t n = 2;

	s->layout = malloc(sizeof(*s->layout));
	if (!s->layout || !all) {
		free(all);
		return err_set(ctx, ERR_NOMEM, "out of memory for a supernet's layout");
	}
	sampler->largest(sampler->self, &all[0]);
	sampler->smallest(sampler->self, &all[1]);
	n += sampler->extremes(sampler->self, all + 2, MAX_EXTREMES);
	s->task = dataset_task(&c->data);
	layout_init_super(s->layout, all, n, &s->task);
	free(all);
	hash_init(&st);
	hash_field_str(&st, "supernet 1");
	hash_field(&st, c->hash.b, HASH_BYTES);
	hash_field(&st, sampler->hash.b, HASH_BYTES);
	train_options_hash(o, &st);
	hash_final(&st, &s->hash);
	s->w = malloc(s->layout->n_floats * sizeof(*s->w));
	if (!s->w)
		return err_set(ctx, ERR_NOMEM,
			"out of memory for a supernet of %zu weights",
			s->layout->n_floats);
	return ERR_OK;
}

static enum err load_or_train(struct supernet *s, struct corpus *c,
	const struct sampler *sampler, const struct train_options *o,
	const char *cache_dir, struct err_ctx *ctx)
{
	char hex[HASH_HEX + 1], name[128], done[4096], checkpoint[4096];
	struct err_ctx why = {""};
	enum err err;

	hash_to_hex(&s->hash, hex);
	hex[16] = '\0';
	err = file_mkdirs(cache_dir, ctx);
	snprintf(name, sizeof(name), "supernet-%s.weights", hex);
	if (!err)
		err = file_join(done, sizeof(done), cache_dir, name, ctx);
	snprintf(name, sizeof(name), "supernet-%s.checkpoint", hex);
	if (!err)
		err = file_join(checkpoint, sizeof(checkpoint), cache_dir, name, ctx);
	if (err)
		return err;
	if (file_exists(done)) {
		err = finished_load(done, &s->hash, s->w, s->layout->n_floats, &why);
		if (err != ERR_CORRUPT)
			return err ? err_set(ctx, err, "%s", why.msg) : ERR_OK;
		progress_say(o->progress, "%s; training it again", why.msg);
	}
	err = supernet_train(s, c, sampler, o, checkpoint, ctx);
	if (!err)
		err = finished_save(done, &s->hash, s->w, s->layout->n_floats, ctx);
	if (!err)
		err = file_remove_tree(checkpoint, ctx);
	return err;
}

enum err supernet_open(struct supernet **out, struct corpus *c,
	const struct sampler *sampler, const struct train_options *o,
	const char *cache_dir, struct err_ctx *ctx)
{
	struct supernet *s;
	enum err err = train_options_check(o, ctx);

	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(ctx, ERR_NOMEM, "out of memory for a supernet");
	err = build(s, c, sampler, o, ctx);
	if (!err)
		err = load_or_train(s, c, sampler, o, cache_dir, ctx);
	if (err)
		supernet_close(s);
	else
		*out = s;
	return err;
}

void supernet_close(struct supernet *s)
{
	if (!s)
		return;
	free(s->layout);
	free(s->w);
	free(s);
}

const struct hash *supernet_hash(const struct supernet *s)
{
	return &s->hash;
}

enum err supernet_extract(const struct supernet *s, const struct genome *g,
	float *weights, struct err_ctx *ctx)
{
	struct layout *sub = malloc(sizeof(*sub));
	uint32_t *map = NULL;
	enum err err = ERR_OK;

	if (sub) {
		layout_init(sub, g, &s->task);
		map = malloc(sub->n_floats * sizeof(*map));
	}
	if (!sub || !map)
		err = err_set(ctx, ERR_NOMEM, "out of memory for a sub-network");
	if (!err)
		err = weights_map(sub, s->layout, map, ctx);
	for (size_t i = 0; !err && i < sub->n_floats; i++)
		weights[i] = s->w[map[i]];
	free(map);
	free(sub);
	return err;
}
