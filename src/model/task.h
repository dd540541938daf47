/* What a network has to answer: the task's kind and the sizes that its heads need. */
#ifndef HAWSER_MODEL_TASK_H
#define HAWSER_MODEL_TASK_H

enum task_kind {
	TASK_CLASSIFY,	   /* one label a text: head [n_intents, d_model], pooled text */
	TASK_INTENT_SLOTS, /* the same, and a BIO tag a token: head [n_tags, d_model] */
	TASK_LM,	   /* next token: tied to the embedding table; needs a decoder */
	N_TASK_KINDS
};

extern const char *const task_kind_names[N_TASK_KINDS]; /* classify intent-slots lm */

struct task_shape {
	enum task_kind kind;
	int n_intents; /* 0 for TASK_LM */
	int n_tags;    /* BIO tags, 'O' included and first; 0 unless TASK_INTENT_SLOTS */
};

#endif
