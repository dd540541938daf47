#include "devices/boards/linux/harness.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

static int32_t ids[HARNESS_MAX_TOKENS];

static uint16_t argmax(const float *v, uint32_t n)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < n; i++)
		if (v[i] > v[best])
			best = i;
	return (uint16_t)best;
}

/* -log softmax(logits)[token]; in double, shifted by the largest. */
static double neg_log_likelihood(const float *logits, uint32_t n, int32_t token)
{
	double top = (double)logits[argmax(logits, n)], sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += exp((double)logits[i] - top);
	return top + log(sum) - (double)logits[token];
}

static void eval_head(uint32_t flags, uint32_t n_inputs)
{
	struct put p = stream_room(20);

	put_u32(&p, EVAL_OUT_MAGIC);
	put_u32(&p, flags);
	put_u32(&p, n_inputs);
	put_u32(&p, model_info.n_intents);
	put_u32(&p, model_info.n_tags);
}

static void eval_labels(const struct model_output *o, uint32_t n, uint32_t flags)
{
	uint32_t n_tags = model_info.n_tags;
	struct put p = stream_room(6);

	put_u32(&p, n);
	put_u16(&p, o->intent ? argmax(o->intent, model_info.n_intents) : EVAL_NONE);
	for (uint32_t i = 0; i < n && n_tags; i++) {
		p = stream_room(2);
		put_u16(&p, argmax(o->tags + i * n_tags, n_tags));
	}
	if (!(flags & EVAL_LOGITS))
		return;
	if (model_info.n_intents)
		stream_f32(o->intent, model_info.n_intents);
	if (n_tags)
		stream_f32(o->tags, (size_t)n * n_tags);
}

static int eval_lm(uint32_t n)
{
	double nll = 0;
	struct put p;

	model_reset();
	for (uint32_t i = 0; i + 1 < n; i++) {
		struct model_output o = {0};

		if (model_run(ids + i, 1, &o) != 0 || !o.lm)
			return -1;
		nll += neg_log_likelihood(o.lm, model_info.vocab_size, ids[i + 1]);
	}
	p = stream_room(12);
	put_f64(&p, nll);
	put_u32(&p, n - 1);
	return 0;
}

/* One input of n tokens in `ids`. */
static int eval_one(uint32_t n, uint32_t flags)
{
	int labels = model_info.n_intents || model_info.n_tags;
	struct model_output o = {0};

	if ((labels && run_fresh(ids, n, &o) != 0) ||
		(model_info.n_intents && !o.intent) || (model_info.n_tags && !o.tags))
		return -1;
	eval_labels(&o, n, flags);
	return flags & EVAL_LM ? eval_lm(n) : 0;
}

/* Exactly n bytes of standard input. */
static int read_all(uint8_t *out, size_t n)
{
	static uint8_t buf[HARNESS_IN_BYTES];
	static size_t at, len;

	while (n) {
		size_t k = len - at < n ? len - at : n;

		memcpy(out, buf + at, k);
		at += k;
		out += k;
		n -= k;
		if (n) {
			ssize_t got = read(STDIN_FILENO, buf, sizeof(buf));

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return -1;
			at = 0;
			len = (size_t)got;
		}
	}
	return 0;
}

static int read_u32(uint32_t *v)
{
	uint8_t b[4];
	struct get g;

	if (read_all(b, sizeof(b)) != 0)
		return -1;
	get_init(&g, b, sizeof(b));
	*v = get_u32(&g);
	return 0;
}

static int read_ids(uint32_t n, uint32_t flags)
{
	size_t width = flags & EVAL_WIDE ? 4 : 2;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t b[4];
		struct get g;
		uint64_t id;

		if (read_all(b, width) != 0)
			return -1;
		get_init(&g, b, width);
		id = get_uint(&g, width);
		if (id >= model_info.vocab_size)
			return -1;
		ids[i] = (int32_t)id;
	}
	return 0;
}

int run_eval(void)
{
	uint32_t magic, flags, n_inputs, n;

	if (read_u32(&magic) || read_u32(&flags) || read_u32(&n_inputs) ||
		magic != EVAL_IN_MAGIC || flags & ~EVAL_FLAGS)
		return stream_fail(HARNESS_EXIT_INPUT,
			"the input does not start with its magic and flags");
	if (flags & EVAL_LM && !model_info.is_decoder)
		return stream_fail(
			HARNESS_EXIT_INPUT, "log likelihoods were asked of an encoder");
	eval_head(flags, n_inputs);
	for (uint32_t i = 0; i < n_inputs; i++) {
		if (read_u32(&n) || n == 0 || n > model_info.seq_len ||
			n > HARNESS_MAX_TOKENS)
			return stream_fail(
				HARNESS_EXIT_INPUT, "an input's length is out of range");
		if (read_ids(n, flags) != 0)
			return stream_fail(HARNESS_EXIT_INPUT,
				"a token id is missing or out of range");
		if (eval_one(n, flags) != 0)
			return stream_fail(
				HARNESS_EXIT_MODEL, "the model refused an input");
	}
	stream_end();
	return 0;
}

int run_golden(void)
{
	struct record_golden r;

	if (golden_check(&r) != 0)
		return stream_fail(
			HARNESS_EXIT_MODEL, "the model refused a golden input");
	golden_write(&r);
	eval_head(EVAL_LOGITS, model_n_golden);
	for (uint32_t i = 0; i < model_n_golden; i++) {
		struct model_output o = {0};

		if (run_fresh(model_golden[i].ids, model_golden[i].n, &o) != 0)
			return stream_fail(
				HARNESS_EXIT_MODEL, "the model refused a golden input");
		eval_labels(&o, model_golden[i].n, EVAL_LOGITS);
	}
	stream_end();
	return 0;
}
