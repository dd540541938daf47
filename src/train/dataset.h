/* Data sets: labelled utterances or plain text, in three splits, and their encoding into
 * tokens.
 *
 * Training sees `train`; the search sees `valid`; `test` is looked at once, for
 * finalists. Where a source has no validation split, one is drawn from train by seed and
 * said so in `note`.
 */
#ifndef HAWSER_TRAIN_DATASET_H
#define HAWSER_TRAIN_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/hash.h"
#include "src/infer/labels.h"
#include "src/infer/tokenise.h"
#include "src/model/task.h"

enum split { SPLIT_TRAIN, SPLIT_VALID, SPLIT_TEST, N_SPLITS };
extern const char *const split_names[N_SPLITS];

struct utterance {
	char *text;	 /* words separated by single spaces, UTF-8, as the tokeniser wants it */
	uint32_t n_words;
	int16_t intent;	 /* index into intents; -1 for plain text */
	int16_t *tags;	 /* [n_words] index into tags; NULL without slots */
};

struct dataset {
	char name[128];
	char note[512];
	enum task_kind kind;
	struct hash hash; /* of everything below */
	size_t n[N_SPLITS];
	struct utterance *u[N_SPLITS];
	size_t n_intents, n_tags;
	char **intents;
	char **tags; /* tags[0] is "O"; then "B-x", "I-x" by name */
};

/* "builtin:home", "builtin:home?seed=7&n=4000", or a path: the format is recognised
 * (folder with seq.in, Snips JSON folder, CLINC150 data_full.json, .tsv, .txt, a folder
 * written by dataset_save) or forced by `format` ("home" "saved" "seqio" "snips2017" "clinc150"
 * "clinc150-oos" "tsv" "text"; NULL: recognise). Errors name file and line. See
 * src/train/data/README.md for each format. */
enum err dataset_open(struct dataset *d, const char *source, const char *format,
	struct err_ctx *ctx);
void dataset_release(struct dataset *d);
/* Writes Hawser's own imported form: a folder of seqio files and meta.yaml, which dataset_open
 * knows. ERR_EXISTS when the folder holds anything but such a set. */
enum err dataset_save(const struct dataset *d, const char *dir, struct err_ctx *ctx);
/* Permutes the labels (intents over utterances, tags over words) of train: a control that
 * must fall to chance. The hash changes with them. */
void dataset_shuffle_labels(struct dataset *d, uint64_t seed);
struct task_shape dataset_task(const struct dataset *d);

/* The rules of its labels: the BIO grammar of the tags by their names, and which of them
 * the training split has beside which intent. Released by the caller. */
enum err label_rules_make(
	struct label_rules *r, const struct dataset *d, struct err_ctx *ctx);
void label_rules_release(struct label_rules *r); /* zeroed ones are allowed */
/* Room to decode texts of up to n_words. */
enum err label_room_make(struct label_room *room, const struct label_rules *r,
	size_t n_words, struct err_ctx *ctx);
void label_room_release(struct label_room *room);

/* Trains a tokeniser with `vocab_size` tokens on the training text only. A tokeniser of
 * a smaller vocabulary is a prefix of a larger one: token id t means the same in both, so
 * a supernet's embedding table serves all of a space's vocabularies. A small text may not hold
 * enough pairs that occur twice: then the table has fewer tokens than asked for. */
enum err tokeniser_train(const struct dataset *d, uint32_t vocab_size,
	struct tokeniser_table **out, struct err_ctx *ctx);
void tokeniser_free(struct tokeniser_table *t); /* NULL is allowed */
/* Appends the stored form that tokenise_view reads. */
void tokeniser_pack(const struct tokeniser_table *t, struct buf *out);

/* A split as token ids, for one vocabulary size and length (a vocabulary larger than the
 * table's gives the table's ids). No special tokens are put around a text.
 * Plain text is one stream: windows of seq_len follow each other without gaps, and ids[start[n]]
 * exists too, so ids[k + 1] is the target of every ids[k] of a window. */
struct encoded {
	size_t n;	 /* sequences: utterances, or windows of text */
	uint32_t *start; /* [n + 1] into ids and tags */
	int32_t *ids;
	int16_t *tags;	 /* per token: the word's tag at its first token, -1 elsewhere */
	int16_t *intent; /* [n]; -1 for plain text */
	size_t n_truncated; /* sequences cut at seq_len */
	/* Whole words per sequence, for span scores: [n + 1] into word_tags; words that were cut off
	 * are there, so a truncated sequence is scored against all of its spans. No words for
	 * plain text. */
	uint32_t *word_start;
	int16_t *word_tags;
	uint32_t *word_token; /* token index within its sequence of a word's first
				 token; UINT32_MAX when cut off */
};
enum err dataset_encode(const struct dataset *d, enum split split,
	const struct tokeniser_table *t, uint32_t vocab_size, uint32_t seq_len,
	struct encoded *out, struct err_ctx *ctx);
/* n sequences, evenly spread over `all`, or all of them where it has fewer. Of plain text the
 * windows no longer follow each other, so the last token of each has no target. */
enum err encoded_sample(
	const struct encoded *all, size_t n, struct encoded *out, struct err_ctx *ctx);
void encoded_release(struct encoded *e);

#endif
