/* `hawser data`: bring data in, look at it, fetch it. */
#include "src/cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/cli/data_show.h"
#include "src/train/fetch.h"

#define DEFAULT_VOCAB 2000
#define DEFAULT_LINES 5

static const char *format, *vocab_text, *split_text, *lines_text, *json, *sha256,
	*max_bytes_text;

static const struct cli_option options[] = {
	{"format", "F", "import, show: the source's format (default: recognised)", 0,
		&format},
	{"vocab", "N", "show: size of the tokeniser's vocabulary (default 2000)", 0,
		&vocab_text},
	{"split", "S", "show: split of the sample lines: train, valid, test", 0,
		&split_text},
	{"lines", "N", "show: how many sample lines (default 5)", 0, &lines_text},
	{"json", NULL, "show: JSON instead of tables", 0, &json},
	{"sha256", "H", "fetch: what the file must hash to", 0, &sha256},
	{"max-bytes", "N", "fetch: refuse a larger file (default 2147483648)", 0,
		&max_bytes_text},
	{NULL, NULL, NULL, 0, NULL},
};

static enum err import(const char *source, const char *dir, struct err_ctx *ctx)
{
	struct dataset d;
	enum err e = dataset_open(&d, source, format, ctx);

	if (e)
		return e;
	e = dataset_save(&d, dir, ctx);
	if (!e) {
		printf("%s: %s, %zu train, %zu valid, %zu test, %zu intents, %zu tags\n",
			dir, task_kind_names[d.kind], d.n[SPLIT_TRAIN], d.n[SPLIT_VALID],
			d.n[SPLIT_TEST], d.n_intents, d.n_tags);
		if (d.note[0])
			printf("note: %s\n", d.note);
	}
	dataset_release(&d);
	return e;
}

static enum err read_split(enum split *out, struct err_ctx *ctx)
{
	*out = SPLIT_TRAIN;
	if (!split_text)
		return ERR_OK;
	for (int s = 0; s < N_SPLITS; s++) {
		if (strcmp(split_text, split_names[s]))
			continue;
		*out = (enum split)s;
		return ERR_OK;
	}
	return err_set(ctx, ERR_USAGE,
		"unknown split '%s'; there are train, valid and test", split_text);
}

static enum err show(const char *source, struct err_ctx *ctx)
{
	long vocab = DEFAULT_VOCAB, n_lines = DEFAULT_LINES;
	enum split split;
	struct data_facts f;
	struct dataset d;
	enum err e = read_split(&split, ctx);

	if (!e && vocab_text)
		e = cli_int(vocab_text, "--vocab", 4, 65536, &vocab, ctx);
	if (!e && lines_text)
		e = cli_int(lines_text, "--lines", 0, 1000000, &n_lines, ctx);
	if (!e)
		e = dataset_open(&d, source, format, ctx);
	if (e)
		return e;
	e = data_facts_take(&d, (uint32_t)vocab, &f, ctx);
	if (!e) {
		if (json)
			e = data_show_json(&d, &f, split, (size_t)n_lines, ctx);
		else
			data_show_text(&d, &f, split, (size_t)n_lines);
		data_facts_release(&f);
	}
	dataset_release(&d);
	return e;
}

static enum err fetch_file(const char *url, const char *path, struct err_ctx *ctx)
{
	struct fetch_options o = {.sha256 = sha256, .cancel = &cli_cancel};
	long max_bytes = 0;
	enum err e = ERR_OK;

	if (max_bytes_text)
		e = cli_int(max_bytes_text, "--max-bytes", 1, 1L << 50, &max_bytes, ctx);
	if (e)
		return e;
	o.max_bytes = (uint64_t)max_bytes;
	o.progress = cli_progress();
	e = fetch(url, path, &o, ctx);
	progress_free(o.progress);
	if (!e)
		printf("%s\n", path);
	return e;
}

static enum err run(int argc, char **argv, struct err_ctx *ctx)
{
	int n;
	enum err e = cli_parse(&cmd_data, options, argc, argv, 2, 3, &n, ctx);

	if (e)
		return e;
	if (!strcmp(argv[1], "show") && n == 2)
		return show(argv[2], ctx);
	if (!strcmp(argv[1], "import") && n == 3)
		return import(argv[2], argv[3], ctx);
	if (!strcmp(argv[1], "fetch") && n == 3)
		return fetch_file(argv[2], argv[3], ctx);
	return err_set(ctx, ERR_USAGE,
		"data: expected 'show SOURCE', 'import SOURCE DIR' or 'fetch URL FILE'");
}

const struct command cmd_data = {
	.name = "data",
	.summary = "import, show and fetch data sets",
	.synopsis =
		"show SOURCE [--format F] [--vocab N] [--split S] [--lines N] [--json]\n"
		"import SOURCE DIR [--format F]\n"
		"fetch URL FILE [--sha256 H] [--max-bytes N]",
	.details = "SOURCE is a path or builtin:home[?seed=S&n=N]. Formats:\n"
		   "  home          builtin:home, smart-home commands made by a grammar\n"
		   "  seqio         a folder with train/seq.in, train/seq.out and "
		   "train/label\n"
		   "  snips2017     a folder with train_<intent>.json and "
		   "validate_<intent>.json\n"
		   "  clinc150      CLINC150's data_full.json without out-of-scope "
		   "sentences\n"
		   "  clinc150-oos  the same with them, as intent 'oos'\n"
		   "  tsv           text<TAB>label: a file, or a folder with train.tsv\n"
		   "  text          plain text for a language model: a file, or a folder "
		   "with train.txt\n"
		   "  saved         what 'data import' writes\n"
		   "A split that a source does not have is drawn from its training text "
		   "by a fixed seed, and the note says so.\n"
		   "fetch goes on where an interrupted download ended; the file appears "
		   "only when it is whole and its SHA-256 is right.",
	.examples = "hawser data show builtin:home --split test\n"
		    "hawser data import intents.tsv data/intents\n"
		    "hawser data fetch https://example.org/set.tsv set.tsv --max-bytes "
		    "10000000",
	.run = run,
};
