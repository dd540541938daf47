/* `hawser space`: look at a search space before searching it. */
#include "src/cli/cli.h"

#include <string.h>

#include "search/space/space.h"
#include "src/model/graph.h"

static const char *count_text, *seed_text, *intents_text, *tags_text;

static const struct cli_option options[] = {
	{"n", "N", "sample: how many genomes (default 10)", 0, &count_text},
	{"seed", "S", "sample: seed of the random numbers (default 1)", 0, &seed_text},
	{"intents", "N", "costs: classes of the task's intent head (default 10)", 0,
		&intents_text},
	{"tags", "N", "costs: classes of the task's tag head, 0: none (default 20)", 0,
		&tags_text},
	{NULL, NULL, NULL, 0, NULL},
};

static enum err task_of(
	const struct space *s, struct task_shape *task, struct err_ctx *ctx)
{
	long n_intents = 10, n_tags = 20;
	enum err e = ERR_OK;

	if (intents_text)
		e = cli_int(intents_text, "--intents", 1, 10000, &n_intents, ctx);
	if (!e && tags_text)
		e = cli_int(tags_text, "--tags", 0, 10000, &n_tags, ctx);
	if (e)
		return e;
	memset(task, 0, sizeof(*task));
	if (space_arch(s) == ARCH_DECODER) {
		task->kind = TASK_LM;
		return ERR_OK;
	}
	task->kind = n_tags ? TASK_INTENT_SLOTS : TASK_CLASSIFY;
	task->n_intents = (int)n_intents;
	task->n_tags = (int)n_tags;
	return ERR_OK;
}

static void print_costs(
	const char *what, const struct genome *g, const struct task_shape *task)
{
	struct graph_cost c;

	graph_cost(g, task, g->seq_len, &c);
	printf("  %-10s %14.0f %16.0f %14.0f\n", what, c.n_params, c.macs, c.model_bytes);
}

static enum err show(const struct space *s, struct err_ctx *ctx)
{
	struct task_shape task;
	struct genome g;
	const char *name;
	char text[GENOME_TEXT_MAX];
	struct buf genes;
	enum err e = task_of(s, &task, ctx);

	if (e)
		return e;
	buf_init(&genes);
	space_describe(s, &genes);
	e = buf_err(&genes, ctx);
	if (!e) {
		printf("space %s, %s, %.4g genomes before limits\n\n", space_name(s),
			space_arch(s) == ARCH_DECODER ? "causal decoders" : "encoders",
			space_size(s));
		printf("genes (*: chosen for every layer)\n%s\n", buf_str(&genes));
		printf("%-12s %14s %16s %14s\n", "costs", "parameters", "multiply-adds",
			"model bytes");
		space_smallest(s, &g);
		print_costs("smallest", &g, &task);
		space_largest(s, &g);
		print_costs("largest", &g, &task);
		printf("  (analytic, one full-length input, task %s)\n",
			task_kind_names[task.kind]);
		for (size_t i = 0; (name = space_preset(s, i, &g)) != NULL; i++) {
			genome_format(&g, text);
			printf("%s  %-12s %s\n", i ? "" : "\npresets\n", name, text);
		}
	}
	buf_release(&genes);
	return e;
}

static enum err sample(const struct space *s, struct err_ctx *ctx)
{
	long count = 10, seed = 1;
	char text[GENOME_TEXT_MAX];
	struct task_shape task;
	struct genome g;
	struct rng rng;
	enum err e = task_of(s, &task, ctx);

	if (!e && count_text)
		e = cli_int(count_text, "-n", 1, 1000000, &count, ctx);
	if (!e && seed_text)
		e = cli_int(seed_text, "--seed", 0, INT32_MAX, &seed, ctx);
	if (e)
		return e;
	rng_init(&rng, (uint64_t)seed);
	for (long i = 0; i < count && !cli_cancel && !ferror(stdout); i++) {
		space_sample(s, &task, &rng, &g);
		genome_format(&g, text);
		puts(text);
	}
	return ERR_OK;
}

static enum err list_presets(struct err_ctx *ctx)
{
	char text[GENOME_TEXT_MAX];
	struct graph_cost c;
	struct genome g;
	const char *name;
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; !e && (name = preset_name(i)) != NULL; i++) {
		struct task_shape task = {TASK_CLASSIFY, 1, 0};

		e = preset_find(name, &g, ctx);
		if (e)
			break;
		if (g.arch == ARCH_DECODER)
			task = (struct task_shape){TASK_LM, 0, 0};
		graph_cost(&g, &task, g.seq_len, &c);
		genome_format(&g, text);
		printf("%-20s %s, %d layers of %d, %.4g M parameters, %.4g MB\n", name,
			arch_names[g.arch], g.n_layers, g.d_model, c.n_params / 1e6,
			c.model_bytes / 1e6);
		printf("%-20s %s\n", "", text);
	}
	if (!e && i == 0)
		e = preset_find("", &g, ctx); /* says why there are none */
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	static const char *const verbs[] = {"show", "sample", "presets", NULL};
	struct space *s;
	int n, is_show;
	enum err e = cli_parse(&cmd_space, options, argc, argv, 1, 2, &n, ctx);

	if (e)
		return e;
	if (strcmp(argv[1], "presets") == 0 && n == 1)
		return list_presets(ctx);
	is_show = strcmp(argv[1], "show") == 0;
	if (!is_show && strcmp(argv[1], "sample") != 0 &&
		strcmp(argv[1], "presets") != 0) {
		e = cli_unknown("sub-command", argv[1], verbs, ctx);
		return err_prefix(ctx, e, "space");
	}
	if (strcmp(argv[1], "presets") == 0 || n != 2)
		return err_set(ctx, ERR_USAGE, "space %s: %s", argv[1],
			n == 2 ? "takes no argument" : "the name of a space is missing");
	e = space_open(&s, argv[2], ctx);
	if (e)
		return e;
	e = is_show ? show(s, ctx) : sample(s, ctx);
	space_close(s);
	return e;
}

const struct command cmd_space = {
	.name = "space",
	.summary = "show a search space, draw genomes from it, list the presets",
	.synopsis = "show SPACE [--intents N] [--tags N]\n"
		    "sample SPACE [-n N] [--seed S]\n"
		    "presets",
	.details = "SPACE is a name in search/spaces ('home-small') or a path that ends "
		   "in .yaml.\n"
		   "'show' checks it and prints every gene's choices, the number of "
		   "genomes, and\n"
		   "the analytic costs of its corners. 'sample' prints canonical genome "
		   "texts, one\n"
		   "a line: the same seed draws the same genomes.",
	.examples = "hawser space show home-small\n"
		    "hawser space sample my-space.yaml -n 5 --seed 7\n"
		    "hawser space presets",
	.run = run,
};
