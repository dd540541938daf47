/* Memory planning and lowering. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "src/base/rng.h"
#include "src/codegen/plan.h"
#include "src/codegen/program.h"
#include "src/model/graph.h"

static uint64_t rounded(uint64_t n)
{
	return (n + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

static int overlap(const struct plan_buffer *a, const struct plan_buffer *b)
{
	return a->first <= b->last && b->first <= a->last &&
	       a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* The largest sum of what lives at one step: no plan can be smaller. */
static uint64_t lower_bound(const struct plan_buffer *b, size_t n)
{
	uint64_t most = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t sum = 0;

		for (size_t j = 0; j < n; j++)
			if (b[j].first <= b[i].first && b[i].first <= b[j].last)
				sum += rounded(b[j].bytes);
		most = sum > most ? sum : most;
	}
	return most;
}

static void check_plan(struct plan_buffer *b, size_t n)
{
	uint64_t arena = 0, sum = 0, end = 0;

	assert_int_equal(plan_place(b, n, &arena, NULL), ERR_OK);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(b[i].offset % PLAN_ALIGN, 0);
		sum += rounded(b[i].bytes);
		if (b[i].offset + rounded(b[i].bytes) > end)
			end = b[i].offset + rounded(b[i].bytes);
		for (size_t j = 0; j < i; j++)
			assert_false(overlap(&b[i], &b[j]));
	}
	assert_true(arena == end);
	assert_true(arena <= sum);
	assert_true(arena >= lower_bound(b, n));
}

static void plan_never_overlaps_live_buffers_in_random_programs(void **state)
{
	struct plan_buffer b[60];
	struct rng rng;

	(void)state;
	rng_init(&rng, 3);
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + rng_below(&rng, 60);

		for (size_t i = 0; i < n; i++) {
			b[i].bytes = 1 + rng_below(&rng, 5000);
			b[i].first = (uint32_t)rng_below(&rng, 40);
			b[i].last = b[i].first + (uint32_t)rng_below(&rng, 10);
			b[i].offset = 12345;
		}
		check_plan(b, n);
	}
}

static void plan_reuses_memory_of_the_dead(void **state)
{
	struct plan_buffer chain[4] = {
		{1000, 0, 1, 0}, {1000, 1, 2, 0}, {1000, 2, 3, 0}, {1000, 3, 4, 0}};
	uint64_t arena;

	(void)state;
	assert_int_equal(plan_place(chain, 4, &arena, NULL), ERR_OK);
	assert_int_equal(arena, 2 * rounded(1000));
	assert_int_equal(plan_place(chain, 0, &arena, NULL), ERR_OK);
	assert_int_equal(arena, 0);
}

static const char *const texts[] = {
	"enc;v=40;t=12;d=16;e=16;eb=32;act=relu;norm=ln;place=post;pool=mean;abs=0;"
	"rel=0;conv=0;opt=O2;kern=ref;L=h2k2x8f20r0b32",
	"enc;v=40;t=9;d=13;e=6;eb=8;act=gelu;norm=rms;place=pre;pool=max;abs=1;"
	"rel=3;conv=3;opt=Os;kern=ref;L=h3k1x5f17r0b8,h3k1x5f17r0b8s,h1k1x7f9r4b4",
	"dec;v=45;t=70;d=16;e=8;eb=4;act=gelu;norm=ln;place=post;pool=mean;abs=1;rel=0;"
	"conv=5;opt=O2;kern=ref;L=h2k2x8f32r0b4,h4k2x4f16r0b32",
};

static struct task_shape task_of(size_t i)
{
	struct task_shape slots = {TASK_INTENT_SLOTS, 5, 7}, lm = {TASK_LM, 0, 0};

	return texts[i][0] == 'd' ? lm : slots;
}

/* Logical ops of the graph against fused steps: products, norms and so on correspond one
 * to one; the residual is part of a product. */
static void program_has_every_op_of_the_graph(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t op[N_OP_KINDS] = {0}, step[N_STEP_KINDS] = {0}, residuals = 0;
		struct task_shape task = task_of(i);
		struct program *p;
		struct genome g;
		struct graph gr;

		assert_int_equal(genome_parse(&g, texts[i], NULL), ERR_OK);
		graph_init(&gr, &g, &task);
		assert_int_equal(program_new(&p, &g, &task, NULL), ERR_OK);
		for (size_t j = 0; j < gr.n_ops; j++)
			op[gr.op[j].kind]++;
		for (size_t j = 0; j < p->n_steps; j++) {
			step[p->step[j].kind]++;
			residuals += p->step[j].add != NO_BUFFER;
		}
		assert_int_equal(
			op[OP_LINEAR], step[STEP_LINEAR] + step[STEP_LINEAR_BACK]);
		assert_int_equal(op[OP_NORM], step[STEP_NORM]);
		assert_int_equal(op[OP_CONV], step[STEP_CONV]);
		assert_int_equal(op[OP_ATTENTION], step[STEP_ATTENTION]);
		assert_int_equal(op[OP_ACT], step[STEP_ACT]);
		assert_int_equal(op[OP_ADD], residuals);
		assert_int_equal(op[OP_POOL], step[STEP_POOL]);
		assert_int_equal(op[OP_EMBED], step[STEP_EMBED]);
		assert_int_equal(g.abs_pos, step[STEP_POS]);
		program_free(p);
	}
}

static int touches(const struct step *s, int b)
{
	return s->src == b || s->dst == b || s->scale == b || s->add == b || s->k == b ||
	       s->v == b || s->row == b;
}

static void program_buffers_are_apart_while_they_live(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct task_shape task = task_of(i);
		struct program *p;
		struct genome g;

		assert_int_equal(genome_parse(&g, texts[i], NULL), ERR_OK);
		assert_int_equal(program_new(&p, &g, &task, NULL), ERR_OK);
		for (size_t a = 0; a < p->n_buffers; a++) {
			struct buffer *x = &p->buffer[a];

			assert_true(x->first <= x->last && x->last <= p->n_steps);
			for (uint32_t s = 0; s < p->n_steps; s++)
				assert_true(!touches(&p->step[s], (int)a) ||
					    (x->first <= s && s <= x->last));
			for (size_t b = 0; b < a; b++) {
				struct buffer *y = &p->buffer[b];
				int live = x->place == PLACE_STATE ||
					   (x->first <= y->last && y->first <= x->last);

				assert_true(x->place != y->place || !live ||
					    x->offset + x->bytes <= y->offset ||
					    y->offset + y->bytes <= x->offset);
				assert_string_not_equal(x->name, y->name);
			}
		}
		program_free(p);
	}
}

static void program_memory_does_not_hold_a_matrix_of_scores(void **state)
{
	const char *text =
		"enc;v=100;t=2048;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;"
		"abs=0;rel=8;conv=0;opt=O2;kern=ref;L=h8k8x2f16r0b8";
	struct task_shape task = {TASK_CLASSIFY, 3, 0};
	struct program *p;
	struct genome g;

	(void)state;
	assert_int_equal(genome_parse(&g, text, NULL), ERR_OK);
	assert_int_equal(program_new(&p, &g, &task, NULL), ERR_OK);
	assert_true(p->arena_bytes < 2048u * 16 * 4 * 6);
	program_free(p);
}

/* A decoder's arena does not grow with its context, its state does. */
static void program_of_a_decoder_runs_in_chunks(void **state)
{
	const char *text =
		"dec;v=100;t=%s;d=64;e=64;eb=8;act=relu;norm=ln;place=pre;pool=mean;"
		"abs=0;rel=8;conv=3;opt=O2;kern=ref;L=h4k2x16f128r0b8";
	struct task_shape task = {TASK_LM, 0, 0};
	struct program *p[2];
	struct genome g[2];
	char buf[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(buf, sizeof(buf), text, i ? "1024" : "256");
		assert_int_equal(genome_parse(&g[i], buf, NULL), ERR_OK);
		assert_int_equal(program_new(&p[i], &g[i], &task, NULL), ERR_OK);
	}
	assert_true(p[1]->arena_bytes - p[0]->arena_bytes <= (1024 - 256) * 4);
	assert_int_equal(
		p[1]->state_bytes - p[0]->state_bytes, (1024 - 256) * 2 * 32 * 4);
	program_free(p[0]);
	program_free(p[1]);
}

/* Per token and layer 2 * 32 numbers: of 4, 2 or 1 bytes, and two scales per kv head. */
static void program_keeps_as_many_bytes_as_kv_says(void **state)
{
	static const struct {
		const char *kv;
		unsigned bytes;
	} cases[] = {{"", 256}, {"kv=16;", 128}, {"kv=8;", 64 + 2 * 2 * 4}};
	struct task_shape task = {TASK_LM, 0, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct program *p;
		struct genome g;
		char buf[512];

		snprintf(buf, sizeof(buf),
			"dec;v=100;t=50;d=64;e=64;eb=8;act=relu;norm=ln;place=pre;"
			"pool=mean;abs=0;rel=8;conv=0;opt=O2;kern=ref;%s"
			"L=h4k2x16f128r0b8,h4k2x16f128r0b8",
			cases[i].kv);
		assert_int_equal(genome_parse(&g, buf, NULL), ERR_OK);
		assert_int_equal(program_new(&p, &g, &task, NULL), ERR_OK);
		assert_int_equal(p->state_bytes, 50 * 2 * cases[i].bytes);
		program_free(p);
	}
}

/* A set that quantises in the epilogue: hidden values are bytes, and a norm's integers
 * have the scale of the layer that reads them. */
static void program_keeps_no_hidden_floats_with_static_scales(void **state)
{
	struct task_shape task = {TASK_CLASSIFY, 3, 0};
	const struct kernel_set *set;
	unsigned n_products = 0, n_norms = 0;
	struct program *p;
	struct genome g;

	(void)state;
	assert_int_equal(kernel_set_find("x86-avx512vnni", &set, NULL), ERR_OK);
	assert_int_equal(genome_parse(&g,
				 "enc;v=100;t=16;d=32;e=32;eb=8;act=gelu;norm=ln;"
				 "place=post;pool=mean;abs=1;rel=0;conv=0;opt=O2;"
				 "kern=opt;as=static;"
				 "L=h2k2x16f512r0b8,h2k2x16f512r0b4",
				 NULL),
		ERR_OK);
	assert_int_equal(program_new_for(&p, &g, &task, set, NULL), ERR_OK);
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->step[i];

		assert_true(s->kind != STEP_ACT && s->scale == NO_BUFFER);
		if (s->kind == STEP_LINEAR && s->q_point) {
			assert_int_equal(s->q_point, 1 + QP_HIDDEN);
			assert_int_equal(p->buffer[s->q].bytes, 16 * 512);
			assert_int_equal(s->act, 1 + ACT_GELU);
			n_products++;
		}
		if (s->kind != STEP_NORM || s->q_point != 1 + QP_ATTN_IN)
			continue;
		assert_int_equal(s->q_layer, s->layer + 1);
		n_norms++;
	}
	assert_true(n_products == 2 && n_norms == 2);
	program_free(p);
}

static void program_refuses_an_impossible_task(void **state)
{
	struct task_shape none = {TASK_CLASSIFY, 0, 0}, tags = {TASK_INTENT_SLOTS, 3, 0};
	struct err_ctx ctx;
	struct program *p;
	struct genome g;

	(void)state;
	assert_int_equal(genome_parse(&g, texts[0], NULL), ERR_OK);
	assert_int_equal(program_new(&p, &g, &none, &ctx), ERR_INVALID);
	assert_int_equal(program_new(&p, &g, &tags, &ctx), ERR_INVALID);
	g.d_model = 0;
	assert_int_equal(program_new(&p, &g, &none, &ctx), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_never_overlaps_live_buffers_in_random_programs),
		cmocka_unit_test(plan_reuses_memory_of_the_dead),
		cmocka_unit_test(program_has_every_op_of_the_graph),
		cmocka_unit_test(program_buffers_are_apart_while_they_live),
		cmocka_unit_test(program_memory_does_not_hold_a_matrix_of_scores),
		cmocka_unit_test(program_of_a_decoder_runs_in_chunks),
		cmocka_unit_test(program_keeps_as_many_bytes_as_kv_says),
		cmocka_unit_test(program_keeps_no_hidden_floats_with_static_scales),
		cmocka_unit_test(program_refuses_an_impossible_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
