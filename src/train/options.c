#include <math.h>
#include <stddef.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/train/run.h"

void train_options_default(struct train_options *o, enum task_kind kind)
{
	memset(o, 0, sizeof(*o));
	o->epochs = kind == TASK_LM ? 6 : 30;
	o->batch = 32;
	o->lr = 4e-3;
	o->weight_decay = 0.01;
	o->clip = 1;
	o->dropout = kind == TASK_LM ? 0 : 0.1;
	o->word_dropout = kind == TASK_LM ? 0 : 0.1;
	o->subword_dropout = kind == TASK_LM ? 0 : 0.2;
	o->slot_weight = 2;
	o->label_smoothing = 0;
	o->distil_share = 0.5;
	o->qat_share = 0.1;
	o->threads = 2;
	o->seed = 1;
}

enum option_type { OPTION_DOUBLE, OPTION_U32, OPTION_U64 };

static const struct option {
	const char *key;
	enum option_type type;
	size_t offset;
	double lo, hi;
	int hashed; /* changes the result */
} options[] = {
	{"epochs", OPTION_DOUBLE, offsetof(struct train_options, epochs), 0, 1e6, 1},
	{"batch", OPTION_U32, offsetof(struct train_options, batch), 1, 65536, 1},
	{"lr", OPTION_DOUBLE, offsetof(struct train_options, lr), 0, 10, 1},
	{"weight_decay", OPTION_DOUBLE, offsetof(struct train_options, weight_decay), 0,
		1, 1},
	{"clip", OPTION_DOUBLE, offsetof(struct train_options, clip), 0, 1e6, 1},
	{"dropout", OPTION_DOUBLE, offsetof(struct train_options, dropout), 0, 0.9, 1},
	{"word_dropout", OPTION_DOUBLE, offsetof(struct train_options, word_dropout), 0,
		0.9, 1},
	{"subword_dropout", OPTION_DOUBLE,
		offsetof(struct train_options, subword_dropout), 0, 0.9, 1},
	{"slot_weight", OPTION_DOUBLE, offsetof(struct train_options, slot_weight), 0,
		1e3, 1},
	{"label_smoothing", OPTION_DOUBLE,
		offsetof(struct train_options, label_smoothing), 0, 0.9, 1},
	{"distil_share", OPTION_DOUBLE, offsetof(struct train_options, distil_share), 0,
		1, 1},
	{"qat_share", OPTION_DOUBLE, offsetof(struct train_options, qat_share), 0, 1, 1},
	{"threads", OPTION_U32, offsetof(struct train_options, threads), 1, 64, 0},
	{"seed", OPTION_U64, offsetof(struct train_options, seed), 0, 9007199254740992.0,
		1},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static double get(const struct train_options *o, const struct option *p)
{
	const char *at = (const char *)o + p->offset;

	switch (p->type) {
	case OPTION_U32:
		return *(const uint32_t *)(const void *)at;
	case OPTION_U64:
		return (double)*(const uint64_t *)(const void *)at;
	default:
		return *(const double *)(const void *)at;
	}
}

static void put(struct train_options *o, const struct option *p, double value)
{
	char *at = (char *)o + p->offset;

	switch (p->type) {
	case OPTION_U32:
		*(uint32_t *)(void *)at = (uint32_t)value;
		break;
	case OPTION_U64:
		*(uint64_t *)(void *)at = (uint64_t)value;
		break;
	default:
		*(double *)(void *)at = value;
	}
}

static enum err unknown(const char *key, struct err_ctx *ctx)
{
	struct buf b;
	enum err err;

	buf_init(&b);
	for (size_t i = 0; i < N_OPTIONS; i++)
		buf_printf(&b, "%s%s", i ? " " : "", options[i].key);
	err = err_set(ctx, ERR_INVALID, "unknown training option '%s'; known: %s", key,
		buf_str(&b));
	buf_release(&b);
	return err;
}

static enum err check(const struct option *p, double value, struct err_ctx *ctx)
{
	if (!(value >= p->lo && value <= p->hi))
		return err_set(ctx, ERR_INVALID,
			"training option '%s' is %g, allowed: %g to %g", p->key, value,
			p->lo, p->hi);
	if (p->type != OPTION_DOUBLE && value != floor(value))
		return err_set(ctx, ERR_INVALID,
			"training option '%s' is %g, must be a whole number", p->key,
			value);
	return ERR_OK;
}

enum err train_options_set(
	struct train_options *o, const char *key, double value, struct err_ctx *ctx)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		enum err err;

		if (strcmp(options[i].key, key))
			continue;
		err = check(&options[i], value, ctx);
		if (!err)
			put(o, &options[i], value);
		return err;
	}
	return unknown(key, ctx);
}

enum err train_options_check(const struct train_options *o, struct err_ctx *ctx)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < N_OPTIONS && !err; i++)
		if (options[i].type != OPTION_U64)
			err = check(&options[i], get(o, &options[i]), ctx);
	if (!err && o->epochs <= 0)
		err = err_set(
			ctx, ERR_INVALID, "training option 'epochs' must be above 0");
	return err;
}

void train_options_hash(const struct train_options *o, struct hash_state *h)
{
	hash_field_str(h, "train options 1");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		double v = get(o, &options[i]);

		if (!options[i].hashed || options[i].type == OPTION_U64)
			continue;
		hash_field_str(h, options[i].key);
		hash_field(h, &v, sizeof(v));
	}
	hash_field(h, &o->seed, sizeof(o->seed));
}
