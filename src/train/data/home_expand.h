/* Turns a template of builtin:home into words, each with the slot it belongs to. */
#ifndef HAWSER_TRAIN_DATA_HOME_EXPAND_H
#define HAWSER_TRAIN_DATA_HOME_EXPAND_H

#include "src/base/rng.h"
#include "src/train/data/home.h"

#define HOME_MAX_WORDS 96
#define HOME_MAX_SPANS 12
#define HOME_MAX_BYTES 1024

struct home_word {
	char text[32];
	int span; /* index into spans, -1: outside */
};

struct home_span {
	char slot[32];
	size_t from, to; /* bytes of the raw text, while it is made */
};

struct sentence {
	struct home_word words[HOME_MAX_WORDS];
	size_t n_words;
	struct home_span spans[HOME_MAX_SPANS];
	size_t n_spans;
};

/* The split that may use a value of a class. */
enum split home_value_split(const char *class_name, const char *value, size_t len);
/* 0 when a class gave no value of this split in many draws: try again. */
int home_expand(
	const char *text, enum split split, struct rng *rng, struct sentence *out);
/* Puts the words of `text` before word `at`, outside of slots; 0 when they do not fit. */
int home_insert(struct sentence *s, size_t at, const char *text);
/* home_noise.c: openers, politeness, closers, fillers; 0 when they do not fit. */
int home_add_wrappers(
	struct rng *rng, enum split split, int is_request, struct sentence *s);
/* Typing slips in words of four letters and more. */
void home_add_slips(struct rng *rng, struct sentence *s);

#endif
