/* `hawser train`: one network alone, the linear baseline, or a check of the supernet. */
#include "src/cli/cli.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/space/space.h"
#include "src/base/file.h"
#include "src/cli/ranking.h"
#include "src/eval/parallel.h"
#include "src/model/graph.h"
#include "src/train/train.h"

#define DEFAULT_VOCAB 1000
#define DEFAULT_NETWORKS 12
#define RANKING_EPOCHS 12
#define SUPERNET_EPOCHS 20

static const char *data, *format, *genome_text, *preset, *out_path, *json, *baseline,
	*check, *space_name_text, *networks_text, *shuffle, *epochs_text, *seed_text,
	*threads_text, *settings[CLI_MAX_REPEAT + 1];

static const struct cli_option options[] = {
	{"data", "SRC", "data set, as in 'hawser data show'", 0, &data},
	{"format", "F", "its format (default: recognised)", 0, &format},
	{"genome", "TEXT", "the network, as canonical text", 0, &genome_text},
	{"preset", "NAME", "the network, by name ('hawser space presets' lists them)", 0,
		&preset},
	{"epochs", "N", "passes over the training split", 0, &epochs_text},
	{"seed", "S", "seed of weights, order and dropout (default 1)", 0, &seed_text},
	{"threads", "N", "worker threads; the result does not depend on it", 0,
		&threads_text},
	{"set", "KEY=VALUE", "a training option (lr=0.002, batch=64 ...)", 1, settings},
	{"shuffle-labels", NULL, "permute the training labels: must fall to chance", 0,
		&shuffle},
	{"out", "FILE", "write the weights", 0, &out_path},
	{"baseline", NULL, "the baseline instead of a network: linear, or 4-grams for text", 0, &baseline},
	{"check-ranking", NULL, "compare inherited with stand-alone quality", 0, &check},
	{"space", "NAME", "check-ranking: the search space", 0, &space_name_text},
	{"networks", "N", "check-ranking: how many networks (default 12)", 0,
		&networks_text},
	{"json", NULL, "JSON instead of text", 0, &json},
	{NULL, NULL, NULL, 0, NULL},
};

/* ---- options */
static enum err apply(
	struct train_options *o, const char *key, const char *text, struct err_ctx *ctx)
{
	double value;
	enum err err = cli_double(text, key, -1e300, 1e300, &value, ctx);

	err = err ? err : train_options_set(o, key, value, ctx);
	return err == ERR_INVALID ? ERR_USAGE : err;
}

static enum err read_options(struct train_options *o, struct err_ctx *ctx)
{
	enum err err = ERR_OK;

	for (size_t i = 0; settings[i] && !err; i++) {
		const char *eq = strchr(settings[i], '=');
		char key[64];

		if (!eq || (size_t)(eq - settings[i]) >= sizeof(key))
			return err_set(ctx, ERR_USAGE, "--set '%s' is not KEY=VALUE",
				settings[i]);
		memcpy(key, settings[i], (size_t)(eq - settings[i]));
		key[eq - settings[i]] = '\0';
		err = apply(o, key, eq + 1, ctx);
	}
	if (!err && epochs_text)
		err = apply(o, "epochs", epochs_text, ctx);
	if (!err && seed_text)
		err = apply(o, "seed", seed_text, ctx);
	if (!err && threads_text)
		err = apply(o, "threads", threads_text, ctx);
	o->cancel = &cli_cancel;
	return err;
}

static enum err read_genome(struct genome *g, struct err_ctx *ctx)
{
	if (!genome_text == !preset)
		return err_set(ctx, ERR_USAGE,
			"train needs one of --genome, --preset, --baseline and "
			"--check-ranking");
	return preset ? preset_find(preset, g, ctx) : genome_parse(g, genome_text, ctx);
}

/* A head without its task, or a decoder asked for labels. */
static enum err fit_task(
	const struct genome *g, const struct task_shape *task, struct err_ctx *ctx)
{
	if ((task->kind == TASK_LM) != (g->arch == ARCH_DECODER))
		return err_set(ctx, ERR_USAGE,
			"task '%s' of the data set needs a network of arch '%s'",
			task_kind_names[task->kind],
			arch_names[task->kind == TASK_LM ? ARCH_DECODER : ARCH_ENCODER]);
	return ERR_OK;
}

/* ---- output */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *quality_json(const struct quality *q, enum task_kind kind)
{
	json_t *o = json_object();

	json_object_set_new(o, "n", json_integer((json_int_t)q->n));
	if (kind == TASK_LM) {
		json_object_set_new(o, "n_tokens", json_integer((json_int_t)q->n_tokens));
		json_object_set_new(o, "perplexity", number(q->perplexity));
	} else {
		json_object_set_new(o, "intent_acc", number(q->intent_acc));
		json_object_set_new(o, "intent_ci",
			json_pack("[o, o]", number(q->intent_ci.lo),
				number(q->intent_ci.hi)));
	}
	if (kind == TASK_INTENT_SLOTS) {
		json_object_set_new(o, "n_spans", json_integer((json_int_t)q->n_spans));
		json_object_set_new(o, "slot_f1", number(q->slot_f1));
		json_object_set_new(o, "f1_ci",
			json_pack("[o, o]", number(q->f1_ci.lo), number(q->f1_ci.hi)));
		json_object_set_new(o, "sentence_acc", number(q->sentence_acc));
	}
	json_object_set_new(o, "cross_entropy", number(q->cross_entropy));
	return o;
}

static void quality_line(const char *what, const struct quality *q, enum task_kind kind)
{
	printf("%-18s", what);
	if (kind == TASK_LM) {
		printf("  %.3f nats  perplexity %.2f  (%zu tokens)\n", q->cross_entropy,
			q->perplexity, q->n_tokens);
		return;
	}
	printf("  intents %5.1f %% [%.1f, %.1f]", q->intent_acc, q->intent_ci.lo,
		q->intent_ci.hi);
	if (kind == TASK_INTENT_SLOTS)
		printf("  slot F1 %5.1f [%.1f, %.1f]  sentences %5.1f %%", q->slot_f1,
			q->f1_ci.lo, q->f1_ci.hi, q->sentence_acc);
	if (isfinite(q->cross_entropy))
		printf("  %.3f nats", q->cross_entropy);
	printf("  (n %zu)\n", q->n);
}

static enum err print_json(json_t *root, struct err_ctx *ctx)
{
	char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(12));

	json_decref(root);
	if (!text)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	puts(text);
	free(text);
	return ERR_OK;
}

/* ---- the three jobs */
struct scores {
	struct quality q[2][N_SPLITS]; /* [0] fp32, [1] as the genome's bits say */
};

static enum err show_trained(const struct genome *g, const struct corpus *c,
	const struct scores *s, struct err_ctx *ctx)
{
	struct task_shape task = dataset_task(&c->data);
	char text[GENOME_TEXT_MAX], what[64], hex[HASH_HEX + 1];
	struct graph_cost cost;
	struct hash h;
	json_t *root, *by_split;

	graph_cost(g, &task, g->seq_len, &cost);
	genome_format(g, text);
	genome_hash(g, &h);
	hash_to_hex(&h, hex);
	if (json) {
		root = json_pack("{s:s, s:s, s:s, s:f, s:f}", "genome", text, "candidate",
			hex, "data", c->data.name, "params", cost.n_params, "model_bytes",
			cost.model_bytes);
		for (int split = SPLIT_VALID; split < N_SPLITS; split++) {
			by_split = json_object();
			for (int q = 0; q < 2; q++)
				json_object_set_new(by_split, q ? "quantised" : "fp32",
					quality_json(&s->q[q][split], task.kind));
			json_object_set_new(root, split_names[split], by_split);
		}
		return print_json(root, ctx);
	}
	printf("network  %.12s  %.0f weights, %.1f kB stored\n%s\n", hex, cost.n_params,
		cost.model_bytes / 1000, text);
	for (int split = SPLIT_VALID; split < N_SPLITS; split++)
		for (int q = 0; q < 2; q++) {
			snprintf(what, sizeof(what), "%s %s", split_names[split],
				q ? "quantised" : "fp32");
			quality_line(what, &s->q[q][split], task.kind);
		}
	return ERR_OK;
}

static enum err train_and_score(struct corpus *c, const struct genome *g,
	const struct train_options *o, float *w, struct err_ctx *ctx)
{
	struct task_shape task = dataset_task(&c->data);
	struct scores s;
	enum err err = train_alone(c, g, NULL, o, w, ctx);

	for (int split = SPLIT_VALID; split < N_SPLITS; split++)
		for (int q = 0; q < 2 && !err; q++)
			err = quality_evaluate(
				c, g, w, (enum split)split, !q, &s.q[q][split], ctx);
	if (!err && out_path)
		err = weights_save(out_path, g, &task, &c->hash, w, ctx);
	return err ? err : show_trained(g, c, &s, ctx);
}

static enum err train_one(struct corpus *c, const struct genome *g, struct err_ctx *ctx)
{
	struct task_shape task = dataset_task(&c->data);
	struct train_options o;
	struct layout *l;
	float *w = NULL;
	enum err err;

	train_options_default(&o, task.kind);
	err = read_options(&o, ctx);
	if (!err)
		err = fit_task(g, &task, ctx);
	if (err)
		return err;
	l = malloc(sizeof(*l));
	if (l) {
		layout_init(l, g, &task);
		w = malloc(l->n_floats * sizeof(*w));
	}
	free(l);
	if (!w)
		return err_set(ctx, ERR_NOMEM, "out of memory for the weights");
	o.progress = cli_progress();
	err = train_and_score(c, g, &o, w, ctx);
	progress_free(o.progress);
	free(w);
	return err;
}

static enum err run_baseline(struct corpus *c, struct err_ctx *ctx)
{
	struct quality q[2];
	struct train_options o;
	enum err err;

	train_options_default(&o, c->data.kind);
	err = read_options(&o, ctx);
	if (!err)
		err = baseline_train(c, o.seed, &q[0], &q[1], ctx);
	if (err)
		return err;
	if (json)
		return print_json(json_pack("{s:s, s:s, s:o, s:o}", "method",
					  baseline_name(c->data.kind), "data",
					  c->data.name,
					  "valid", quality_json(&q[0], c->data.kind),
					  "test", quality_json(&q[1], c->data.kind)),
			ctx);
	printf("baseline: %s\n", baseline_name(c->data.kind));
	quality_line("valid", &q[0], c->data.kind);
	quality_line("test", &q[1], c->data.kind);
	return ERR_OK;
}

static enum err show_ranking(const struct ranking *r, struct err_ctx *ctx)
{
	json_t *root, *list;
	char text[GENOME_TEXT_MAX];

	if (json) {
		list = json_array();
		for (size_t i = 0; i < r->n; i++) {
			genome_format(&r->r[i].g, text);
			json_array_append_new(
				list, json_pack("{s:s, s:f, s:o, s:[o, o]}", "genome",
					      text, "macs", r->r[i].macs, "inherited",
					      number(r->r[i].inherited), "alone",
					      number(r->r[i].alone[0]),
					      number(r->r[i].alone[1])));
		}
		root = json_pack("{s:o, s:o, s:o, s:I, s:I, s:o}", "tau", number(r->tau),
			"tau_seed_to_seed", number(r->tau_seeds), "tau_macs",
			number(r->tau_macs), "pairs_apart", (json_int_t)r->n_pairs,
			"pairs_right", (json_int_t)r->n_right, "networks", list);
		return print_json(root, ctx);
	}
	printf("     kMAC  inherited   alone   alone'  (validation; 12 tokens)\n");
	for (size_t i = 0; i < r->n; i++) {
		genome_format(&r->r[i].g, text);
		printf("%9.1f  %9.2f  %6.2f  %7.2f  %s\n", r->r[i].macs / 1000,
			r->r[i].inherited, r->r[i].alone[0], r->r[i].alone[1], text);
	}
	printf("Kendall tau over %zu networks:\n", r->n);
	printf("  inherited against alone (mean of two seeds)  %6.2f\n", r->tau);
	printf("  one seed against the other: the ceiling      %6.2f\n", r->tau_seeds);
	printf("  MACs alone: the baseline                     %6.2f\n", r->tau_macs);
	if (r->n_pairs)
		printf("  pairs more than 1.5 apart, ordered right     %zu of %zu\n",
			r->n_right, r->n_pairs);
	return ERR_OK;
}

static enum err run_ranking(
	struct corpus *c, const struct space *space, struct err_ctx *ctx)
{
	struct ranking_options o;
	long n = DEFAULT_NETWORKS;
	char results[1024], cache[1100];
	struct ranking r;
	enum err err = ERR_OK;

	memset(&o, 0, sizeof(o));
	if (networks_text)
		err = cli_int(networks_text, "--networks", 3, 1000, &n, ctx);
	train_options_default(&o.supernet, c->data.kind);
	train_options_default(&o.alone, c->data.kind);
	if (c->data.kind != TASK_LM) {
		o.supernet.epochs = SUPERNET_EPOCHS;
		o.alone.epochs = RANKING_EPOCHS;
	}
	if (!err)
		err = read_options(&o.alone, ctx);
	o.supernet.seed = o.alone.seed;
	o.supernet.cancel = &cli_cancel;
	if (!err)
		err = cli_results(results, sizeof(results), ctx);
	if (!err)
		err = file_join(cache, sizeof(cache), results, "supernets", ctx);
	if (err)
		return err;
	o.cache_dir = cache;
	o.n_networks = (size_t)n;
	o.threads = parallel_processors();
	o.progress = o.supernet.progress = cli_progress();
	err = ranking_check(&r, c, space, &o, ctx);
	progress_free(o.progress);
	if (err)
		return err;
	err = show_ranking(&r, ctx);
	ranking_release(&r);
	return err;
}

/* ---- */
static enum err open_corpus(struct corpus *c, uint32_t vocab_size, struct err_ctx *ctx)
{
	struct dataset d;
	enum err err = dataset_open(&d, data, format, ctx);

	if (err)
		return err;
	if (shuffle)
		dataset_shuffle_labels(&d, 1);
	return corpus_from_dataset(c, &d, vocab_size, ctx);
}

static enum err dispatch(struct err_ctx *ctx)
{
	struct space *space = NULL;
	uint32_t vocab_size = DEFAULT_VOCAB;
	struct corpus c;
	struct genome g;
	enum err err = ERR_OK;

	if (check && !space_name_text)
		return err_set(ctx, ERR_USAGE, "--check-ranking needs --space NAME");
	if (check)
		err = space_open(&space, space_name_text, ctx);
	else if (!baseline)
		err = read_genome(&g, ctx);
	if (err)
		return err;
	if (!baseline)
		vocab_size = check ? space_max_vocab(space) : g.vocab_size;
	err = open_corpus(&c, vocab_size, ctx);
	if (!err) {
		if (check)
			err = run_ranking(&c, space, ctx);
		else
			err = baseline ? run_baseline(&c, ctx) : train_one(&c, &g, ctx);
		corpus_release(&c);
	}
	space_close(space);
	return err;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	int n;
	enum err err = cli_parse(&cmd_train, options, argc, argv, 0, 0, &n, ctx);

	if (err)
		return err;
	if (!data)
		return err_set(ctx, ERR_USAGE, "train needs --data SRC");
	return dispatch(ctx);
}

const struct command cmd_train = {
	.name = "train",
	.summary = "train one network alone, or check what training is worth",
	.synopsis = "--data SRC --genome TEXT|--preset NAME [--epochs N] [--seed S] "
		    "[--set KEY=VALUE] [--shuffle-labels] [--out FILE] [--json]\n"
		    "--data SRC --baseline [--json]\n"
		    "--data SRC --check-ranking --space NAME [--networks N] [--json]",
	.details = "Prints quality on validation and test, in fp32 and with the weights "
		   "quantised as\n"
		   "the network's genes say. Intervals are 95 %.\n"
		   "--check-ranking trains a supernet (cached) and a stratified sample "
		   "of networks\n"
		   "alone, with two seeds each, and prints Kendall's tau of inherited "
		   "against\n"
		   "stand-alone quality, with its seed-to-seed ceiling and the ranking "
		   "by MACs.\n"
		   "--epochs, --seed and --set then hold for the networks trained alone.",
	.examples = "hawser train --data builtin:home --preset tinybert-4 --epochs 1\n"
		    "hawser train --data ../shared/data/snips --baseline\n"
		    "hawser train --data builtin:home --check-ranking --space home-small",
	.run = run,
};
