#include "src/cli/data_show.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "src/base/utf8.h"

#define MAX_ROWS 40 /* of a label table; --json has them all */
#define SAMPLE_BYTES 400

static double ratio(size_t a, size_t b)
{
	return b ? (double)a / (double)b : 0;
}

static void print_splits(const struct dataset *d, const struct data_facts *f)
{
	printf("\n%-6s %11s %9s %9s %7s %8s %10s %9s\n", "split",
		d->kind == TASK_LM ? "windows" : "utterances", "words", "spans", "tokens",
		"longest", "new words", "unknown");
	for (int s = 0; s < N_SPLITS; s++) {
		const struct data_split_facts *x = &f->split[s];

		printf("%-6s %11zu %9zu %9zu %7zu %8zu %9.1f%% %8.3f%%\n", split_names[s],
			x->n, x->n_words, x->n_spans, x->n_tokens, x->max_tokens,
			100 * ratio(x->n_unseen, x->n_words),
			100 * ratio(x->n_unknown, x->n_tokens));
	}
	printf("\nvocabulary %u tokens: %u bytes, %u merges%s; train has %.2f tokens a "
	       "word",
		f->vocab_made, f->n_bytes, f->vocab_made - f->n_bytes - N_SPECIAL_TOKENS,
		f->vocab_made < f->vocab_asked ? " (the text gives no more)" : "",
		ratio(f->split[0].n_tokens, f->split[0].n_words));
	if (d->kind != TASK_LM)
		printf(", %.1f a sentence, %.0f%% of words are one token",
			ratio(f->split[0].n_tokens, f->split[0].n),
			100 * ratio(f->split[0].n_single, f->split[0].n_words));
	putchar('\n');
}

/* Rows of names with a count per split. `skip` is 1 for tags: only B- rows, without "B-".
 */
static void print_labels(
	const char *title, char *const *names, size_t n, const size_t *count, int tags)
{
	size_t shown = 0, left = 0;

	printf("\n%-28s %8s %8s %8s\n", title, "train", "valid", "test");
	for (size_t i = 0; i < n; i++) {
		if (tags && names[i][0] != 'B')
			continue;
		if (shown == MAX_ROWS) {
			left++;
			continue;
		}
		shown++;
		printf("%-28s %8zu %8zu %8zu\n", names[i] + (tags ? 2 : 0), count[i],
			count[n + i], count[2 * n + i]);
	}
	if (left)
		printf("... and %zu more (--json shows all)\n", left);
}

/* Bytes of a text that are shown: whole characters, and not a whole book. */
static size_t sample_bytes(const char *text)
{
	size_t n = strnlen(text, SAMPLE_BYTES);

	return utf8_valid_prefix(text, n);
}

static void print_sample(const struct dataset *d, const struct utterance *u)
{
	size_t n = sample_bytes(u->text);

	if (u->intent >= 0)
		printf("  %-20s ", d->intents[u->intent]);
	printf("%.*s%s\n", (int)n, u->text, u->text[n] ? " ..." : "");
	if (!u->tags)
		return;
	printf("  %-20s ", "");
	for (uint32_t w = 0; w < u->n_words; w++)
		printf("%s ", d->tags[u->tags[w]]);
	putchar('\n');
}

void data_show_text(const struct dataset *d, const struct data_facts *f, enum split split,
	size_t n_lines)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(&d->hash, hex);
	printf("%s: %s, %zu intents, %zu tags, hash %.*s\n", d->name,
		task_kind_names[d->kind], d->n_intents, d->n_tags, HASH_SHORT, hex);
	if (d->note[0])
		printf("note: %s\n", d->note);
	print_splits(d, f);
	if (d->n_intents)
		print_labels("intent", d->intents, d->n_intents, f->n_intent, 0);
	if (d->n_tags)
		print_labels("slot", d->tags, d->n_tags, f->n_slot, 1);
	if (n_lines)
		printf("\n%s:\n", split_names[split]);
	for (size_t i = 0; i < n_lines && i < d->n[split]; i++)
		print_sample(d, &d->u[split][i]);
}

/* ---- JSON */

static json_t *count_json(size_t x)
{
	return json_integer((json_int_t)x);
}

static json_t *split_json(const struct data_split_facts *x)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sequences",
		count_json(x->n), "words", count_json(x->n_words), "max_words",
		count_json(x->max_words), "spans", count_json(x->n_spans), "tokens",
		count_json(x->n_tokens), "max_tokens", count_json(x->max_tokens),
		"unknown_tokens", count_json(x->n_unknown), "single_token_words",
		count_json(x->n_single), "words_not_in_train", count_json(x->n_unseen));
}

static json_t *labels_json(char *const *names, size_t n, const size_t *count, int tags)
{
	json_t *rows = json_object();

	for (size_t i = 0; i < n; i++) {
		if (tags && names[i][0] != 'B')
			continue;
		json_object_set_new(rows, names[i] + (tags ? 2 : 0),
			json_pack("{s:o, s:o, s:o}", "train", count_json(count[i]),
				"valid", count_json(count[n + i]), "test",
				count_json(count[2 * n + i])));
	}
	return rows;
}

static json_t *samples_json(const struct dataset *d, enum split split, size_t n_lines)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < n_lines && i < d->n[split]; i++) {
		const struct utterance *u = &d->u[split][i];
		json_t *row = json_object();
		json_t *tags = u->tags ? json_array() : NULL;

		json_object_set_new(
			row, "text", json_stringn(u->text, sample_bytes(u->text)));
		if (u->intent >= 0)
			json_object_set_new(
				row, "intent", json_string(d->intents[u->intent]));
		for (uint32_t w = 0; tags && w < u->n_words; w++)
			json_array_append_new(tags, json_string(d->tags[u->tags[w]]));
		if (tags)
			json_object_set_new(row, "tags", tags);
		json_array_append_new(rows, row);
	}
	return rows;
}

enum err data_show_json(const struct dataset *d, const struct data_facts *f,
	enum split split, size_t n_lines, struct err_ctx *ctx)
{
	char hex[HASH_HEX + 1];
	json_t *root, *splits = json_object();
	int failed;

	hash_to_hex(&d->hash, hex);
	for (int s = 0; s < N_SPLITS; s++)
		json_object_set_new(splits, split_names[s], split_json(&f->split[s]));
	root = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:s, s:o}",
		"name", d->name, "kind", task_kind_names[d->kind], "hash", hex, "note",
		d->note, "vocab_asked", (int)f->vocab_asked, "vocab_size",
		(int)f->vocab_made, "base_bytes", (int)f->n_bytes, "splits", splits,
		"intents", labels_json(d->intents, d->n_intents, f->n_intent, 0), "slots",
		labels_json(d->tags, d->n_tags, f->n_slot, 1), "sample_split",
		split_names[split], "samples", samples_json(d, split, n_lines));
	if (!root)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	failed = json_dumpf(root, stdout, JSON_INDENT(2)) != 0;
	json_decref(root);
	putchar('\n');
	return failed ? err_set(ctx, ERR_IO, "cannot write to standard output") : ERR_OK;
}
