#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/base/rng.h"
#include "src/model/calibrate.h"
#include "src/model/graph.h"
#include "src/model/objective.h"
#include "src/model/quant.h"
#include "src/model/reference.h"
#include "src/model/weights.h"

#define SMALL                                                                            \
	"enc;v=20;t=8;d=8;e=8;eb=32;act=relu;norm=ln;place=pre;pool=mean;abs=0;"         \
	"rel=2;conv=3;opt=O2;kern=ref;L="

#define DECODER                                                                          \
	"dec;v=20;t=8;d=8;e=8;eb=32;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"   \
	"conv=3;opt=O2;kern=ref;"

static const struct task_shape joint = {TASK_INTENT_SLOTS, 3, 5};

static struct genome parse(const char *text)
{
	struct err_ctx ctx;
	struct genome g;

	if (genome_parse(&g, text, &ctx))
		fail_msg("%s: %s", text, ctx.msg);
	return g;
}

/* ---- genome */

static void genome_text_round_trips_when_valid(void **state)
{
	static const char *const texts[] = {
		"enc;v=20;t=8;d=8;e=8;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		"conv=3;opt=O2;kern=opt;attn=8;L=h2k1x4f16r0b8",
		SMALL "h2k2x4f16r0b32",
		SMALL "h2k1x4f16r0b8,h2k1x4f16r0b8s,h1k1x2f9r3b4",
		"dec;v=51200;t=2048;d=2048;e=512;eb=4;act=gelu;norm=rms;place=post;pool=mean;"
		"abs=1;rel=0;conv=0;opt=Os;kern=opt;L=h32k8x64f8192r0b4",
		"dec;v=512;t=20;d=24;e=24;eb=8;act=gelu;norm=rms;place=post;pool=mean;"
		"abs=1;rel=0;conv=0;opt=O2;kern=opt;kv=8;L=h3k1x8f32r0b4",
		"dec;v=512;t=20;d=24;e=24;eb=8;act=gelu;norm=rms;place=post;pool=mean;"
		"abs=1;rel=0;conv=0;opt=O2;kern=opt;kv=8;as=static;L=h3k1x8f32r0b4",
		"enc;v=20;t=8;d=8;e=8;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		"conv=3;opt=O2;kern=opt;attn=8;as=static;L=h2k1x4f16r0b8",
		"enc;v=20;t=8;d=8;e=8;eb=4;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		"conv=3;opt=O2;kern=opt;as=integer;L=h2k1x4f16r0b8,h2k1x4f16r0b4",
	};
	char out[GENOME_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct genome g = parse(texts[i]), again;

		genome_format(&g, out);
		assert_string_equal(out, texts[i]);
		again = parse(out);
		assert_true(genome_equal(&g, &again));
	}
}

static void genome_parse_refuses_when_malformed_or_out_of_range(void **state)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
		{"", "expected a known word"},
		{"enc", "expected ;v="},
		{"cnn;v=20", "expected a known word"},
		{SMALL, "expected h"},
		{SMALL "h2k2x4f16r0b32,", "expected h"},
		{SMALL "h2k2x4f16r0b32x", "expected the end"},
		{SMALL "h2k2x4f16r0b7", "gene 'bits' is 7"},
		{SMALL "h0k0x4f16r0b8", "gene 'n_heads' is 0"},
		{SMALL "h3k2x4f16r0b8", "does not divide"},
		{SMALL "h2k2x4f16r0b8s", "gene 'shared' is 1"},
		{SMALL "h2k2x4f16r0b8,h2k2x4f17r0b8s", "another shape"},
		{SMALL "h99999999k2x4f16r0b8", "a smaller number"},
		{DECODER "kv=4;L=h2k2x4f16r0b32", "gene 'kv' is 4"},
		{DECODER "kv=;L=h2k2x4f16r0b32", "expected a number"},
		{DECODER "as=;L=h2k2x4f16r0b32", "expected a known word"},
		{DECODER "as=integer;L=h2k2x4f16r0b8",
			"'embed_bits' is 32: use 8 or 4"},
		{"enc;v=20;t=8;d=8;e=8;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		 "conv=3;opt=O2;kern=ref;as=integer;L=h2k2x4f16r0b8,h2k2x4f16r0b32",
			"'bits' of layer 1 is 32: use 8 or 4"},
		{"dec;v=20;t=8;d=8;e=8;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		 "conv=3;opt=O2;kern=ref;kv=16;as=integer;L=h2k2x4f16r0b8",
			"'kv' is 16"},
		{DECODER "as=8;L=h2k2x4f16r0b32", "expected a known word"},
		{"enc;v=20;t=8;d=8;e=8;eb=32;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		 "conv=3;opt=O2;kern=ref;kv=8;L=h2k2x4f16r0b32",
			"only decoders keep keys"},
		{"enc;v=20;t=8;d=8;e=9;eb=32;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		 "conv=3;opt=O2;kern=ref;L=h2k2x4f16r0b32",
			"gene 'd_embed' is 9"},
		{"enc;v=20;t=8;d=8;e=8;eb=32;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		 "conv=2;opt=O2;kern=ref;L=h2k2x4f16r0b32",
			"odd widths"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct genome g;
		struct err_ctx ctx = {""};

		assert_true(genome_parse(&g, cases[i].text, &ctx) != ERR_OK);
		if (!strstr(ctx.msg, cases[i].expect))
			fail_msg("'%s' says '%s', not '%s'", cases[i].text, ctx.msg,
				cases[i].expect);
	}
}

static void genome_parse_survives_when_text_is_mutated(void **state)
{
	const char *text = SMALL "h2k1x4f16r0b8,h2k1x4f16r0b8s";
	char copy[GENOME_TEXT_MAX], out[GENOME_TEXT_MAX];
	struct rng rng;

	(void)state;
	rng_init(&rng, 7);
	for (int round = 0; round < 20000; round++) {
		size_t len = strlen(text);
		struct genome g;

		strcpy(copy, text);
		for (uint64_t k = 1 + rng_below(&rng, 3); k > 0; k--)
			copy[rng_below(&rng, len)] = (char)(1 + rng_below(&rng, 127));
		if (rng_below(&rng, 4) == 0)
			copy[rng_below(&rng, len)] = '\0';
		if (genome_parse(&g, copy, NULL))
			continue;
		genome_format(&g, out);
		parse(out); /* whatever is accepted is a valid genome */
	}
}

/* ---- tensors */

static void layout_holds_shared_layers_once_when_shared(void **state)
{
	struct genome own = parse(SMALL "h2k2x4f16r0b8,h2k2x4f16r0b8");
	struct genome shared = parse(SMALL "h2k2x4f16r0b8,h2k2x4f16r0b8s");
	struct layout a, b;

	(void)state;
	layout_init(&a, &own, &joint);
	layout_init(&b, &shared, &joint);
	assert_true(b.n_floats < a.n_floats);
	assert_ptr_equal(
		layout_find(&b, &shared, T_WQ, 1), layout_find(&b, &shared, T_WQ, 0));
	assert_ptr_not_equal(
		layout_find(&a, &own, T_WQ, 1), layout_find(&a, &own, T_WQ, 0));
	assert_null(layout_find(&a, &own, T_POS, -1));
}

static void weights_map_takes_prefixes_when_narrower(void **state)
{
	struct genome big = parse(SMALL "h4k4x4f16r0b8,h4k4x4f16r0b8");
	struct genome small = parse(
		"enc;v=10;t=8;d=4;e=4;eb=32;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=1;"
		"conv=3;opt=O2;kern=ref;L=h2k2x2f6r0b8");
	struct layout super, sub;
	const struct tensor *t, *w;
	uint32_t *map;

	(void)state;
	layout_init_super(&super, &big, 1, &joint);
	layout_init(&sub, &small, &joint);
	map = malloc(sub.n_floats * sizeof(*map));
	assert_int_equal(weights_map(&sub, &super, map, NULL), ERR_OK);
	/* head 1, inner row 1 of wq: row 3 here, row 1 * 4 + 1 there */
	t = layout_find(&sub, &small, T_WQ, 0);
	w = layout_find(&super, &big, T_WQ, 0);
	assert_int_equal(map[t->offset + 3 * 4 + 2], w->offset + 5 * 8 + 2);
	/* distance 0 of rel stays distance 0 */
	t = layout_find(&sub, &small, T_REL, 0);
	w = layout_find(&super, &big, T_REL, 0);
	assert_int_equal(map[t->offset + 1 * 3 + 1], w->offset + 1 * 5 + 2);
	/* no float is used twice */
	for (size_t i = 1; i < sub.n_floats; i++)
		for (size_t j = 0; j < i && sub.n_floats < 1000; j++)
			assert_int_not_equal(map[i], map[j]);
	/* the other way round does not fit */
	free(map);
	map = malloc(super.n_floats * sizeof(*map));
	assert_int_equal(weights_map(&super, &sub, map, NULL), ERR_INVALID);
	free(map);
}

/* ---- quantisation */

static void quant_row_is_near_and_fits_when_random(void **state)
{
	static const int bits[] = {8, 4};
	struct rng rng;
	float w[70], copy[70];
	int8_t q[70];
	uint16_t scale[3];

	(void)state;
	rng_init(&rng, 1);
	for (int round = 0; round < 200; round++) {
		int b = bits[round % 2];
		uint32_t n = 1 + (uint32_t)rng_below(&rng, 70);
		uint32_t group = b == 4 ? QUANT_GROUP : n;

		for (uint32_t i = 0; i < n; i++)
			w[i] = (float)rng_normal(&rng) * powf(10, (float)(round % 9) - 4);
		memcpy(copy, w, sizeof(w));
		quant_row(w, n, b, q, scale);
		quant_fake(copy, 1, n, b);
		for (uint32_t i = 0; i < n; i++) {
			float s = bf16_to_float(scale[i / group]);

			assert_true(abs(q[i]) <= (b == 8 ? 127 : 7));
			assert_true(fabsf(w[i] - (float)q[i] * s) <= 0.5001f * s);
			assert_true((float)q[i] * s == copy[i]);
		}
	}
}

static void quant_row_is_zero_when_zero(void **state)
{
	float w[40] = {0};
	int8_t q[40];
	uint16_t scale[2] = {9, 9};

	(void)state;
	quant_row(w, 40, 4, q, scale);
	assert_int_equal(scale[0], 0);
	assert_int_equal(scale[1], 0);
	assert_int_equal(q[39], 0);
	assert_int_equal(quant_bytes(3, 33, 4), 3 * (17 + 4));
	assert_int_equal(quant_bytes(3, 33, 8), 3 * 35);
	assert_int_equal(quant_bytes(3, 33, 32), 3 * 33 * 4);
}

static void quant_row_rounds_like_roundf_when_between_two_integers(void **state)
{
	float w[129];
	int8_t q[129];
	uint16_t scale;

	(void)state;
	for (int side = -1; side <= 1; side++) {
		for (int i = 0; i < 128; i++) {
			float half = (float)i - 63.5f;

			w[i] = side ? nextafterf(half, (float)side * INFINITY) : half;
		}
		w[128] = 127; /* so that the scale is 1 */
		quant_row(w, 129, 8, q, &scale);
		assert_true(bf16_to_float(scale) == 1);
		for (int i = 0; i < 129; i++)
			assert_int_equal(q[i], (int)roundf(w[i]));
	}
	w[0] = NAN; /* training may meet one: the largest step, and no trap */
	quant_row(w, 129, 8, q, &scale);
	assert_int_equal(abs(q[0]), 127);
}

/* ---- graph */

static void graph_cost_counts_by_hand_when_tiny(void **state)
{
	struct genome g = parse(
		"enc;v=10;t=8;d=4;e=4;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=0;"
		"conv=0;opt=O2;kern=ref;L=h1k1x4f8r0b32");
	struct task_shape classify = {TASK_CLASSIFY, 3, 0};
	struct graph_cost c;

	(void)state;
	graph_cost(&g, &classify, 5, &c);
	/* q k v o: 4 x 5 x 16; ffn: 2 x 5 x 32; attention: 2 x 25 x 4; intent: 12 */
	assert_true(c.macs == 320 + 320 + 200 + 12);
	assert_true(c.macs_bits[0] == 640 && c.macs_bits[1] == 12 && c.macs_bits[2] == 0);
	assert_true(c.n_softmax == 25);
	assert_true(c.n_norm == 3 * 5 * 4);
	/* embed 40, layer: 16 + 80 + 72 + 4, normf 8, head 15 */
	assert_true(c.n_params == 40 + 4 * 16 + 4 * 4 + 16 + 2 * 32 + 12 + 8 + 15);
}

static void graph_cost_grows_when_genes_grow(void **state)
{
	struct genome a = parse(SMALL "h2k2x4f16r0b8"), b = parse(SMALL "h2k2x4f32r0b8");
	struct genome low = parse(SMALL "h2k2x4f64r2b8"),
		      full = parse(SMALL "h2k2x4f64r0b8");
	struct graph_cost ca, cb, cl, cf;

	(void)state;
	graph_cost(&a, &joint, 8, &ca);
	graph_cost(&b, &joint, 8, &cb);
	graph_cost(&low, &joint, 8, &cl);
	graph_cost(&full, &joint, 8, &cf);
	assert_true(cb.macs > ca.macs && cb.model_bytes > ca.model_bytes);
	assert_true(cl.macs < cf.macs && cl.n_params < cf.n_params);
}

/* ---- reference */

static void reference_decoder_ignores_the_future_when_causal(void **state)
{
	struct genome g = parse(
		"dec;v=12;t=8;d=8;e=4;eb=32;act=silu;norm=rms;place=pre;pool=mean;abs=1;rel=2;"
		"conv=3;opt=O2;kern=ref;L=h2k1x4f16r0b32,h2k1x4f16r3b32");
	struct task_shape lm = {TASK_LM, 0, 0};
	struct random_weights random = {3};
	struct tensor_source source = tensor_source_random(&random);
	int32_t ids[8] = {1, 5, 3, 7, 2, 9, 4, 11};
	double two[12], prefix[12], changed[12];
	struct reference_output out = {NULL, NULL, prefix};

	(void)state;
	assert_int_equal(reference_run(&g, &lm, &source, ids, 5, &out, NULL), ERR_OK);
	ids[6] = 0;
	out.lm = two;
	assert_int_equal(reference_run(&g, &lm, &source, ids, 5, &out, NULL), ERR_OK);
	ids[0] = 8;
	out.lm = changed;
	assert_int_equal(reference_run(&g, &lm, &source, ids, 5, &out, NULL), ERR_OK);
	assert_memory_equal(prefix, two, sizeof(two));
	assert_memory_not_equal(prefix, changed, sizeof(two));
}

/* Without the gene a text means fp32, and 32 is not written. */
static void genome_keeps_fp32_unless_it_says_less(void **state)
{
	struct genome g = parse(DECODER "L=h2k2x4f16r0b32"), h;
	char out[GENOME_TEXT_MAX];

	(void)state;
	assert_int_equal(g.kv, 32);
	h = parse(DECODER "kv=32;L=h2k2x4f16r0b32");
	assert_true(genome_equal(&g, &h));
	genome_format(&h, out);
	assert_string_equal(out, DECODER "L=h2k2x4f16r0b32");
	h.kv = 16;
	assert_false(genome_equal(&g, &h));
}

static void quant_kv_keeps_what_its_bits_hold(void **state)
{
	double half[5] = {1, 1 + 1.0 / 2048, 1e9, -1e-9, 0}, byte[3] = {-2, 1, 0.009};
	double zero[2] = {0, 0}, full[1] = {1.0 / 3};

	(void)state;
	quant_kv(half, 5, 16);
	assert_true(half[0] == 1 && half[1] == 1 && half[2] == 65504 && half[3] == 0);
	quant_kv(byte, 3, 8);
	assert_true(byte[0] == -2 && fabs(byte[1] - 64 * 2 / 127.0) < 1e-12);
	assert_true(fabs(byte[2] - 2 / 127.0) < 1e-12);
	quant_kv(zero, 2, 8);
	assert_true(zero[0] == 0 && zero[1] == 0);
	quant_kv(full, 1, 32);
	assert_true(full[0] == 1.0 / 3);
}

/* Less precision: another answer, but near. */
static void reference_keeps_less_when_kv_says_so(void **state)
{
	static const char *const kv[] = {"", "kv=16;", "kv=8;"};
	const int32_t ids[6] = {3, 1, 4, 1, 5, 9};
	struct random_weights random = {5};
	struct tensor_source source = tensor_source_random(&random);
	struct task_shape lm = {TASK_LM, 0, 0};
	double out[3][20], apart[3] = {0};
	struct err_ctx ctx;

	(void)state;
	for (int i = 0; i < 3; i++) {
		char text[GENOME_TEXT_MAX];
		struct genome g;

		snprintf(text, sizeof(text), DECODER "%sL=h2k1x4f16r0b32", kv[i]);
		g = parse(text);
		assert_int_equal(reference_run(&g, &lm, &source, ids, 6,
					 &(struct reference_output){.lm = out[i]}, &ctx),
			ERR_OK);
		for (int j = 0; j < 20; j++)
			apart[i] = fmax(apart[i], fabs(out[i][j] - out[0][j]));
	}
	assert_true(apart[1] > 0 && apart[1] < 0.002);
	assert_true(apart[2] > apart[1] && apart[2] < 0.05);
}

/* Scales of 1/127 of 1, and a few values far outside. */
static void calibration_clips_what_lies_far_out(void **state)
{
	static struct magnitudes even, peaked, none;
	double x[1000];
	float s;

	(void)state;
	for (int i = 0; i < 1000; i++)
		x[i] = (i - 500) / 500.0;
	magnitudes_add(&even, x, 1000);
	s = magnitudes_scale(&even);
	assert_true(s > 0.99f / 127 && s <= 1.0f / 127);
	for (int i = 0; i < 200; i++)
		magnitudes_add(&peaked, x, 1000);
	x[0] = 1.6; /* once in 200,000: not worth a coarser step */
	magnitudes_add(&peaked, x, 1);
	s = magnitudes_scale(&peaked);
	assert_true(s > 0.9f / 127 && s < 1.2f / 127);
	x[0] = 0;
	magnitudes_add(&none, x, 1);
	assert_true(magnitudes_scale(&none) == 1.0f / 127);
}

static void calibrate_gives_each_point_a_scale(void **state)
{
	struct genome g = parse(
		"enc;v=20;t=8;d=8;e=4;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
		"conv=3;opt=O2;kern=ref;as=static;L=h2k1x4f16r0b32,h2k1x4f16r3b8,"
		"h2k1x4f16r0b4");
	const int32_t ids[6] = {3, 1, 4, 1, 5, 9};
	const uint32_t len[2] = {4, 2};
	struct calibration_inputs in = {ids, len, 2};
	struct random_weights random = {5};
	struct tensor_source source = tensor_source_random(&random);
	struct reference_input input = {ids, 4, NULL, NULL};
	double intent[2][3], tags[2][5 * 8];
	struct act_scales s;
	struct err_ctx ctx;

	(void)state;
	assert_int_equal(calibrate(&g, &joint, &source, &in, &s, &ctx), ERR_OK);
	assert_int_equal(act_scales_check(&g, &joint, &s, &ctx), ERR_OK);
	for (int i = -1; i < g.n_layers; i++)
		for (int p = 0; p < N_QUANT_POINTS; p++) {
			int thin = p == QP_FFN_THIN || p == QP_HIDDEN_THIN;
			int there = i < 0 ? p < QP_LM
					  : i > 0 && p >= QP_ATTN_IN && (i == 1 || !thin);

			assert_int_equal(
				act_scale(&s, i, (enum quant_point)p) > 0, there);
		}
	for (int k = 0; k < 2; k++) {
		struct reference_output out = {intent[k], tags[k], NULL};

		input.scales = k ? &s : NULL;
		assert_int_equal(
			reference_run_on(&g, &joint, &source, &input, &out, &ctx),
			ERR_OK);
	}
	for (int i = 0; i < 3; i++) {
		assert_true(intent[0][i] != intent[1][i]);
		assert_true(fabs(intent[0][i] - intent[1][i]) < 0.1);
	}
	s.of[2][QP_HIDDEN_THIN] = 0;
	assert_int_equal(act_scales_check(&g, &joint, &s, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "hidden_thin"));
	in.n = 0;
	assert_int_equal(calibrate(&g, &joint, &source, &in, &s, &ctx), ERR_INVALID);
}

/* A scale that is too small saturates at 127 of it. */
static void reference_saturates_when_a_scale_is_small(void **state)
{
	struct genome g = parse(
		"enc;v=20;t=8;d=8;e=8;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=0;"
		"conv=0;opt=O2;kern=ref;as=static;L=h2k1x4f16r0b32");
	struct random_weights random = {5};
	struct tensor_source source = tensor_source_random(&random);
	static struct act_scales s;
	const int32_t ids[2] = {3, 7};
	struct reference_input input = {ids, 2, &s, NULL};
	double intent[3], twice[3], tags[5 * 2];
	struct reference_output out = {intent, tags, NULL};
	struct err_ctx ctx;

	(void)state;
	s.of[0][QP_TAGS] = 1;
	s.of[0][QP_POOLED] = 1e-6f;
	assert_int_equal(
		reference_run_on(&g, &joint, &source, &input, &out, &ctx), ERR_OK);
	s.of[0][QP_POOLED] = 2e-6f;
	out.intent = twice;
	assert_int_equal(
		reference_run_on(&g, &joint, &source, &input, &out, &ctx), ERR_OK);
	for (int i = 0; i < 3; i++) {
		assert_true(fabs(intent[i]) < 127e-6 * 8 && intent[i] != 0);
		assert_true(fabs(twice[i] - 2 * intent[i]) < 1e-9);
	}
}

static void reference_refuses_when_input_is_out_of_range(void **state)
{
	struct genome g = parse(SMALL "h2k2x4f16r0b32");
	struct random_weights random = {3};
	struct tensor_source source = tensor_source_random(&random);
	int32_t ids[9] = {0, 20};
	double intent[3], tags[5 * 8];
	struct reference_output out = {intent, tags, NULL};
	struct err_ctx ctx;

	(void)state;
	assert_int_equal(
		reference_run(&g, &joint, &source, ids, 2, &out, &ctx), ERR_INVALID);
	assert_int_equal(
		reference_run(&g, &joint, &source, ids, 9, &out, &ctx), ERR_INVALID);
	assert_int_equal(
		reference_run(&g, &joint, &source, ids, 0, &out, &ctx), ERR_INVALID);
	assert_int_equal(reference_run(&g, &joint, &source, ids, 1, &out, &ctx), ERR_OK);
}

/* ---- objectives */

static void objective_parse_checks_metric_and_device(void **state)
{
	static const struct {
		const char *text;
		int ok;
	} cases[] = {
		{"slot_f1", 1},
		{"latency_us@local", 1},
		{"latency_us", 0},
		{"latency_us@", 0},
		{"slot_f1@local", 0},
		{"speed", 0},
		{"", 0},
	};
	struct objective o;
	char out[2 * METRIC_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			objective_parse(&o, cases[i].text, NULL) == ERR_OK, cases[i].ok);
		if (!cases[i].ok)
			continue;
		objective_format(&o, out, sizeof(out));
		assert_string_equal(out, cases[i].text);
	}
}

static void limit_parse_and_hold_when_written_as_documented(void **state)
{
	static const struct {
		const char *text;
		double value;
		int ok, holds;
	} cases[] = {
		{"latency_us@local<200", 199, 1, 1},
		{"latency_us@local<200", 200, 1, 0},
		{"flash_bytes@local <= 280000", 280000, 1, 1},
		{"slot_f1>=89.5", 89.4, 1, 0},
		{"slot_f1>=89.5", NAN, 1, 0},
		{"slot_f1", 0, 0, 0},
		{"slot_f1<", 0, 0, 0},
		{"slot_f1<nan", 0, 0, 0},
		{"slot_f1<9x", 0, 0, 0},
		{"<9", 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limit l;

		assert_int_equal(
			limit_parse(&l, cases[i].text, NULL) == ERR_OK, cases[i].ok);
		if (cases[i].ok)
			assert_int_equal(limit_holds(&l, cases[i].value), cases[i].holds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(genome_text_round_trips_when_valid),
		cmocka_unit_test(genome_parse_refuses_when_malformed_or_out_of_range),
		cmocka_unit_test(genome_parse_survives_when_text_is_mutated),
		cmocka_unit_test(layout_holds_shared_layers_once_when_shared),
		cmocka_unit_test(weights_map_takes_prefixes_when_narrower),
		cmocka_unit_test(quant_row_is_near_and_fits_when_random),
		cmocka_unit_test(quant_row_is_zero_when_zero),
		cmocka_unit_test(quant_row_rounds_like_roundf_when_between_two_integers),
		cmocka_unit_test(graph_cost_counts_by_hand_when_tiny),
		cmocka_unit_test(graph_cost_grows_when_genes_grow),
		cmocka_unit_test(reference_decoder_ignores_the_future_when_causal),
		cmocka_unit_test(genome_keeps_fp32_unless_it_says_less),
		cmocka_unit_test(quant_kv_keeps_what_its_bits_hold),
		cmocka_unit_test(reference_keeps_less_when_kv_says_so),
		cmocka_unit_test(calibration_clips_what_lies_far_out),
		cmocka_unit_test(calibrate_gives_each_point_a_scale),
		cmocka_unit_test(reference_saturates_when_a_scale_is_small),
		cmocka_unit_test(reference_refuses_when_input_is_out_of_range),
		cmocka_unit_test(objective_parse_checks_metric_and_device),
		cmocka_unit_test(limit_parse_and_hold_when_written_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
