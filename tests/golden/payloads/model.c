/* A stand-in for a generated model: small, and its answers are easy to know. Flags:
 * MODEL_DECODER, MODEL_WRONG (one golden value is off), MODEL_NAN, MODEL_SPIN (work per
 * token), MODEL_REFUSES.
 */
#include "src/infer/model_api.h"

#ifndef MODEL_SPIN
#define MODEL_SPIN 200
#endif

#define VOCAB 11
#define SEQ 32
#define INTENTS 3
#define TAGS 4

#ifdef MODEL_DECODER
const struct model_info model_info = {VOCAB, SEQ, 0, 0, 1, 64, 8, 16, 8, "test decoder"};
#else
const struct model_info model_info = {VOCAB, SEQ, INTENTS, TAGS, 0, 64, 0, 16, 8, "test"};
#endif

static float intent[INTENTS], tags[SEQ * TAGS], lm[VOCAB];
static uint32_t past;
static int32_t last;
static volatile uint32_t work;

void model_reset(void)
{
	past = 0;
}

int model_run(const int32_t *ids, uint32_t n, struct model_output *out)
{
	if (n == 0 || past + n > SEQ)
		return -1;
#ifdef MODEL_REFUSES
	return -1;
#endif
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < MODEL_SPIN; k++)
			work = work * 5 + k;
		for (uint32_t t = 0; t < TAGS; t++)
			tags[i * TAGS + t] = (uint32_t)ids[i] % TAGS == t ? 2.0f : 0.25f;
	}
	last = ids[n - 1];
	for (uint32_t k = 0; k < INTENTS; k++)
		intent[k] = (uint32_t)ids[0] % INTENTS == k ? 1.5f : -0.5f;
	for (uint32_t v = 0; v < VOCAB; v++)
		lm[v] = (uint32_t)(last + 1) % VOCAB == v ? 3.0f : 0.0f;
#ifdef MODEL_NAN
	intent[1] = (intent[0] - intent[0]) / (intent[0] - intent[0]);
#endif
#ifdef MODEL_DECODER
	past += n;
	out->lm = lm;
#else
	out->intent = intent;
	out->tags = tags;
#endif
	return 0;
}

static const int32_t golden_ids[] = {4, 5, 9};
static const float golden_intent[] = {-0.5f, 1.5f, -0.5f};
static const float golden_tags[] = {2, .25f, .25f, .25f, .25f, 2, .25f, .25f, .25f, 2, .25f,
#ifdef MODEL_WRONG
	0.5f
#else
	.25f
#endif
};
static const float golden_lm[VOCAB] = {[10] = 3};

const float model_golden_tolerance = 1e-3f;
const uint32_t model_n_golden = 1;
#ifdef MODEL_DECODER
const struct model_golden model_golden[] = {{golden_ids, 3, 0, 0, golden_lm}};
#else
const struct model_golden model_golden[] = {{golden_ids, 3, golden_intent, golden_tags, 0}};
#endif
