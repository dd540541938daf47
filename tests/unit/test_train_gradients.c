/* Every op's gradient, and whole networks', against finite differences. Build with
 * CONFIG=double for the strict tolerance. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/train/net.h"
#include "src/train/ops.h"

#ifdef TRAIN_DOUBLE
#define STEP 1e-5
#define TOLERANCE 1e-6
#else
#define STEP 1e-2
#define TOLERANCE 1e-3
#endif

#define CAP 512

static real *randoms(size_t n, struct rng *r)
{
	real *x = test_malloc((n + 1) * sizeof(*x));

	for (size_t i = 0; i < n; i++)
		x[i] = (real)rng_normal(r);
	return x;
}

/* ---- ops: objective(self) is a scalar of the values x; grad is what is claimed */
struct check {
	real *x;
	size_t n;
	double (*objective)(void *self);
	void *self;
};

/* |grad - differences| / |differences| over all n values */
static double relative_error(const struct check *c, const real *grad)
{
	double diff = 0, norm = 0;

	for (size_t i = 0; i < c->n; i++) {
		real old = c->x[i];
		double up, down, slope;

		c->x[i] = (real)(old + (real)STEP);
		up = c->objective(c->self);
		c->x[i] = (real)(old - (real)STEP);
		down = c->objective(c->self);
		c->x[i] = old;
		slope = (up - down) / (2 * STEP);
		diff += (slope - (double)grad[i]) * (slope - (double)grad[i]);
		norm += slope * slope;
	}
	assert_true(norm > 0);
	return sqrt(diff / norm);
}

static void assert_gradient(const char *what, const struct check *c, const real *grad)
{
	double e = relative_error(c, grad);

	if (!(e < TOLERANCE))
		fail_msg("gradient of %s is off by %g", what, e);
}

static double weighted(const real *y, const real *coef, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)y[i] * (double)coef[i];
	return sum;
}

/* One struct serves all ops: x, two or three weights, output, coefficients. */
struct op_case {
	size_t n, in, out;
	int variant;
	real *x, *a, *b, *y, *coef, *keep1, *keep2;
	uint32_t where[CAP];
	size_t n_y;
};

static const uint32_t starts[] = {0, 5, 6, 13};
static const int32_t ids[13] = {3, 1, 0, 3, 4, 2, 1, 1, 0, 2, 4, 3, 3};

static void case_init(
	struct op_case *o, size_t nx, size_t na, size_t nb, size_t ny, uint64_t seed)
{
	struct rng r;

	rng_init(&r, seed);
	o->x = randoms(nx, &r);
	o->a = randoms(na, &r);
	o->b = randoms(nb, &r);
	o->y = randoms(ny, &r);
	o->coef = randoms(ny, &r);
	o->keep1 = randoms(4 * CAP, &r);
	o->keep2 = randoms(4 * CAP, &r);
	o->n_y = ny;
}

static void case_release(struct op_case *o)
{
	test_free(o->x);
	test_free(o->a);
	test_free(o->b);
	test_free(o->y);
	test_free(o->coef);
	test_free(o->keep1);
	test_free(o->keep2);
}

static void check_values(const char *what, struct op_case *o, double (*f)(void *),
	real *x, size_t n, const real *grad)
{
	struct check c = {x, n, f, o};

	f(o);
	assert_gradient(what, &c, grad);
}

static double linear_objective(void *self)
{
	struct op_case *o = self;

	linear_forward(o->n, o->in, o->out, o->x, o->a, o->b, o->y);
	return weighted(o->y, o->coef, o->n_y);
}

static void linear_gradient_agrees(void **state)
{
	struct op_case o = {.n = 7, .in = 5, .out = 6};
	real dx[CAP], da[CAP] = {0}, db[CAP] = {0};

	(void)state;
	case_init(&o, 35, 30, 6, 42, 1);
	linear_objective(&o);
	struct linear_grad g = {o.x, o.a, o.coef, dx, 0, da, db};

	linear_backward(o.n, o.in, o.out, &g);
	check_values("linear input", &o, linear_objective, o.x, 35, dx);
	check_values("linear weight", &o, linear_objective, o.a, 30, da);
	check_values("linear bias", &o, linear_objective, o.b, 6, db);
	case_release(&o);
}

static double norm_objective(void *self)
{
	struct op_case *o = self;

	norm_forward(o->n, o->in, o->variant, o->x, o->a, o->variant ? NULL : o->b, o->y,
		o->keep1, o->keep2);
	return weighted(o->y, o->coef, o->n_y);
}

static void norm_gradient_agrees(void **state)
{
	(void)state;
	for (int rms = 0; rms < 2; rms++) {
		struct op_case o = {.n = 6, .in = 9, .variant = rms};
		real dx[CAP], da[CAP] = {0}, db[CAP] = {0};

		case_init(&o, 54, 9, 9, 54, 2);
		norm_objective(&o);
		struct norm_grad g = {
			o.coef, o.keep1, o.keep2, o.a, dx, 0, da, rms ? NULL : db};

		norm_backward(o.n, o.in, rms, &g);
		check_values("norm input", &o, norm_objective, o.x, 54, dx);
		check_values("norm gain", &o, norm_objective, o.a, 9, da);
		if (!rms)
			check_values("norm bias", &o, norm_objective, o.b, 9, db);
		case_release(&o);
	}
}

static double act_objective(void *self)
{
	struct op_case *o = self;

	act_forward((enum act)o->variant, o->n, o->x, o->y);
	return weighted(o->y, o->coef, o->n);
}

static void act_gradient_agrees(void **state)
{
	(void)state;
	for (int act = 0; act < N_ACTS; act++) {
		struct op_case o = {.n = 40, .variant = act};
		real dx[CAP];

		case_init(&o, 40, 1, 1, 40, 3);
		/* Away from the kink of relu. */
		for (size_t i = 0; i < 40; i++)
			o.x[i] += o.x[i] < 0 ? (real)-0.02 : (real)0.02;
		act_backward((enum act)act, 40, o.x, o.coef, dx);
		check_values(act_names[act], &o, act_objective, o.x, 40, dx);
		case_release(&o);
	}
}

static struct conv_shape conv_case(int variant)
{
	/* widths 1, 3, 4, 5 and causal ones */
	static const size_t k[] = {1, 3, 4, 5, 3, 4}, now[] = {0, 1, 2, 2, 2, 3};
	struct conv_shape c = {3, 4, k[variant], now[variant], starts};

	return c;
}

static double conv_objective(void *self)
{
	struct op_case *o = self;
	struct conv_shape c = conv_case(o->variant);

	conv_forward(&c, o->x, o->a, o->y, o->keep1);
	return weighted(o->y, o->coef, o->n_y);
}

static void conv_gradient_agrees(void **state)
{
	(void)state;
	for (int v = 0; v < 6; v++) {
		struct op_case o = {.variant = v};
		struct conv_shape c = conv_case(v);
		real dx[CAP], da[CAP] = {0};

		case_init(&o, 52, 4 * c.k, 1, 52, 4);
		conv_backward(&c, o.x, o.a, o.coef, dx, da, o.keep1);
		check_values("conv input", &o, conv_objective, o.x, 52, dx);
		check_values("conv weight", &o, conv_objective, o.a, 4 * c.k, da);
		case_release(&o);
	}
}

/* variant bit 0: causal, bit 1: relative bias, bit 2: grouped keys */
static struct attention_shape attention_case(int variant)
{
	struct attention_shape s = {3, 4, variant & 4 ? 2 : 4, 3, 2, variant & 1, starts};

	return s;
}

static double attention_objective(void *self)
{
	struct op_case *o = self;
	struct attention_shape s = attention_case(o->variant);
	size_t nq = 13 * 12, nk = 13 * 3 * s.kv_heads;

	attention_forward(&s, o->x, o->x + nq, o->x + nq + nk,
		o->variant & 2 ? o->a : NULL, o->keep1, o->y, o->keep2);
	return weighted(o->y, o->coef, o->n_y);
}

static void attention_gradient_agrees(void **state)
{
	(void)state;
	for (int v = 0; v < 8; v++) {
		struct op_case o = {.variant = v};
		struct attention_shape s = attention_case(v);
		size_t nq = 13 * 12, nk = 13 * 3 * s.kv_heads;
		real d[3 * CAP], da[CAP] = {0};

		case_init(&o, nq + 2 * nk, 20, 1, nq, 5);
		attention_objective(&o);
		struct attention_grad g = {o.x, o.x + nq, o.x + nq + nk, o.keep1, o.coef,
			d, d + nq, d + nq + nk, v & 2 ? da : NULL};

		attention_backward(&s, &g, o.keep2);
		check_values(
			"attention input", &o, attention_objective, o.x, nq + 2 * nk, d);
		if (v & 2)
			check_values(
				"attention bias", &o, attention_objective, o.a, 20, da);
		case_release(&o);
	}
}

static double pool_objective(void *self)
{
	struct op_case *o = self;

	pool_forward((enum pool)o->variant, 3, starts, 4, o->x, o->y, o->where);
	return weighted(o->y, o->coef, 12);
}

static void pool_gradient_agrees(void **state)
{
	(void)state;
	for (int pool = 0; pool < N_POOLS; pool++) {
		struct op_case o = {.variant = pool};
		real dx[CAP] = {0};

		case_init(&o, 52, 1, 1, 12, 6);
		pool_objective(&o);
		pool_backward((enum pool)pool, 3, starts, 4, o.coef, o.where, dx);
		check_values(pool_names[pool], &o, pool_objective, o.x, 52, dx);
		case_release(&o);
	}
}

static double embed_objective(void *self)
{
	struct op_case *o = self;

	embed_forward(3, starts, ids, 4, o->a, o->b, o->y);
	return weighted(o->y, o->coef, 52);
}

static void embed_gradient_agrees(void **state)
{
	struct op_case o = {.variant = 0};
	real da[CAP] = {0}, db[CAP] = {0};

	(void)state;
	case_init(&o, 1, 20, 28, 52, 7);
	embed_backward(3, starts, ids, 4, o.coef, da, db);
	check_values("embedding table", &o, embed_objective, o.a, 20, da);
	check_values("positions", &o, embed_objective, o.b, 28, db);
	case_release(&o);
}

static const int32_t labels[6] = {2, -1, 0, 4, 4, 1};

/* The objective from its definition, in double: -sum target log softmax. */
static double entropy_objective(void *self)
{
	struct op_case *o = self;
	double total = 0, smooth = o->variant & 1 ? 0.2 : 0;

	for (size_t i = 0; i < 6; i++) {
		double soft = o->variant & 2 && i != 3 ? 0.4 : 0, z = 0;

		if (labels[i] < 0)
			continue;
		for (size_t j = 0; j < 5; j++)
			z += exp((double)o->x[i * 5 + j]);
		for (size_t j = 0; j < 5; j++) {
			double hot =
				(1 - smooth) * ((int32_t)j == labels[i]) + smooth / 5;
			double target = (1 - soft) * hot + soft * (double)o->a[i * 5 + j];

			total -= 0.7 * target * ((double)o->x[i * 5 + j] - log(z));
		}
	}
	return total;
}

static void entropy_gradient_agrees(void **state)
{
	(void)state;
	for (int v = 0; v < 4; v++) {
		struct op_case o = {.variant = v};
		real d[CAP], p[30];
		const real *rows[6];

		case_init(&o, 30, 30, 1, 30, 8);
		for (size_t i = 0; i < 6; i++) {
			real sum = 0;

			for (size_t j = 0; j < 5; j++)
				sum += o.a[i * 5 + j] = (real)exp((double)o.a[i * 5 + j]);
			for (size_t j = 0; j < 5; j++)
				o.a[i * 5 + j] /= sum;
			rows[i] = i == 3 ? NULL : o.a + i * 5;
		}
		struct cross_entropy ce = {6, 5, labels, (real)0.7, v & 1 ? (real)0.2 : 0,
			(real)0.4, v & 2 ? rows : NULL};

		memcpy(p, o.x, sizeof(p));
		cross_entropy(&ce, p, d);
		check_values("cross-entropy", &o, entropy_objective, o.x, 30, d);
		case_release(&o);
	}
}

/* ---- whole networks */
static const struct {
	const char *genome;
	enum task_kind task;
	float drop;
} nets[] = {
	{"enc;v=20;t=9;d=8;e=8;eb=32;act=gelu;norm=ln;place=pre;pool=mean;abs=0;rel=3;"
	 "conv=3;"
	 "opt=O2;kern=ref;L=h2k2x4f12r0b32,h2k1x4f8r3b32",
		TASK_INTENT_SLOTS, 0},
	{"enc;v=20;t=9;d=8;e=8;eb=32;act=relu;norm=rms;place=pre;pool=max;abs=1;rel=0;"
	 "conv=0;"
	 "opt=O2;kern=ref;L=h4k2x4f12r0b32",
		TASK_INTENT_SLOTS, 0.3f},
	{"enc;v=20;t=9;d=8;e=4;eb=32;act=silu;norm=ln;place=post;pool=first;abs=1;rel=2;"
	 "conv=5;"
	 "opt=O2;kern=ref;L=h2k2x4f12r0b32,h2k2x4f12r0b32s",
		TASK_CLASSIFY, 0},
	{"enc;v=20;t=9;d=8;e=4;eb=32;act=gelu;norm=rms;place=post;pool=mean;abs=0;rel=2;"
	 "conv=3;"
	 "opt=O2;kern=ref;L=h2k2x4f12r4b32,h1k1x8f12r0b32",
		TASK_INTENT_SLOTS, 0.2f},
	{"dec;v=20;t=9;d=8;e=8;eb=32;act=gelu;norm=ln;place=pre;pool=mean;abs=0;rel=3;"
	 "conv=3;"
	 "opt=O2;kern=ref;L=h2k1x4f12r0b32,h2k1x4f12r0b32s",
		TASK_LM, 0},
	{"dec;v=20;t=9;d=8;e=4;eb=32;act=silu;norm=rms;place=pre;pool=mean;abs=1;rel=0;"
	 "conv=0;"
	 "opt=O2;kern=ref;L=h2k2x4f12r3b32",
		TASK_LM, 0.2f},
	{"dec;v=20;t=9;d=8;e=4;eb=32;act=gelu;norm=ln;place=post;pool=mean;abs=1;rel=2;"
	 "conv=5;"
	 "opt=O2;kern=ref;L=h2k2x4f12r0b32",
		TASK_LM, 0},
};

/* Four sequences of 9, 1, 4 and 6 tokens; the last one's last word is cut off. */
static void make_encoded(struct encoded *e, uint32_t start[5], int32_t id[21],
	int16_t intent[4], uint32_t word_start[5], int16_t tag[10], uint32_t token[10],
	int text)
{
	static const uint32_t s[5] = {0, 9, 10, 14, 20}, ws[5] = {0, 4, 5, 7, 10};
	static const uint32_t tok[10] = {0, 2, 3, 7, 0, 0, 1, 0, 4, UINT32_MAX};
	struct rng r;

	rng_init(&r, 9);
	memcpy(start, s, sizeof(s));
	memcpy(word_start, ws, sizeof(ws));
	memcpy(token, tok, sizeof(tok));
	for (int i = 0; i < 21; i++)
		id[i] = (int32_t)rng_below(&r, 20);
	for (int i = 0; i < 4; i++)
		intent[i] = text ? -1 : (int16_t)rng_below(&r, 3);
	for (int i = 0; i < 10; i++)
		tag[i] = (int16_t)rng_below(&r, 5);
	memset(e, 0, sizeof(*e));
	e->n = 4;
	e->start = start;
	e->ids = id;
	e->intent = intent;
	e->word_start = word_start;
	e->word_tags = tag;
	e->word_token = token;
}

struct net_case {
	struct net net;
	struct net_run run;
	struct batch batch;
	real *w;
	float drop;
};

static double net_objective(struct net_case *c)
{
	struct net_loss loss = {(real)0.25, (real)0.3, (real)0.1, 0, NULL, 0, 0, 0, 0};
	struct rng r;

	rng_init(&r, 77);
	net_forward(&c->run, c->w, c->drop, &r);
	net_loss(&c->run, &loss);
	return 0.25 * loss.intent_sum + 0.3 * loss.tag_sum + 0.1 * loss.lm_sum;
}

/* Along the claimed gradient of one tensor the slope must be its norm. */
static double tensor_error(struct net_case *c, const struct tensor *t, const real *grad)
{
	size_t n = (size_t)t->rows * t->cols;
	const real *g = grad + t->offset;
	double norm = sqrt(weighted(g, g, n)), h, up, down;
	real *old = test_malloc(n * sizeof(*old)), *w = c->w + t->offset;

	if (t->kind == T_BK) { /* shifts all scores of a query alike: no effect */
		test_free(old);
		return norm;
	}
	/* Short where the kinks of relu and of the maximum are near. */
	h = STEP / (c->net.g.act == ACT_RELU ? 16 : 3) / (norm > 1 ? norm : 1);
	memcpy(old, w, n * sizeof(*old));
	for (size_t i = 0; i < n; i++)
		w[i] = (real)((double)old[i] + h * (double)g[i] / norm);
	up = net_objective(c);
	for (size_t i = 0; i < n; i++)
		w[i] = (real)((double)old[i] - h * (double)g[i] / norm);
	down = net_objective(c);
	memcpy(w, old, n * sizeof(*old));
	test_free(old);
	return fabs((up - down) / (2 * h) - norm) / norm;
}

static void check_net(const char *text, enum task_kind kind, float drop)
{
	struct task_shape task = {
		kind, kind == TASK_LM ? 0 : 3, kind == TASK_INTENT_SLOTS ? 5 : 0};
	uint32_t start[5], word_start[5], token[10], index[4] = {2, 0, 1, 3};
	int16_t intent[4], tag[10];
	int32_t id[21];
	struct encoded e;
	struct net_case c;
	struct genome g;
	struct err_ctx ctx = {""};
	float *init;
	real *grad;
	struct rng r;

	memset(&c, 0, sizeof(c));
	make_encoded(&e, start, id, intent, word_start, tag, token, kind == TASK_LM);
	if (genome_parse(&g, text, &ctx) || net_init(&c.net, &g, &task, &ctx))
		fail_msg("%s", ctx.msg);
	c.drop = drop;
	batch_init(&c.batch);
	net_run_init(&c.run);
	assert_int_equal(batch_fill(&c.batch, &e, index, 4, &ctx), ERR_OK);
	assert_int_equal(net_run_reserve(&c.run, &c.net, &c.batch, 1, &ctx), ERR_OK);
	init = test_malloc(c.net.n_floats * sizeof(*init));
	c.w = test_malloc(c.net.n_floats * sizeof(*c.w));
	grad = test_calloc(c.net.n_floats, sizeof(*grad));
	weights_init(c.net.layout, 5, init);
	rng_init(&r, 6);
	for (size_t i = 0; i < c.net.n_floats; i++)
		c.w[i] = (real)((double)init[i] + 0.2 * rng_normal(&r));
	net_objective(&c);
	net_backward(&c.run, c.w, grad);
	for (size_t i = 0; i < c.net.layout->n_tensors; i++) {
		const struct tensor *t = &c.net.layout->t[i];
		double err = tensor_error(&c, t, grad);

		if (!(err < TOLERANCE))
			fail_msg("gradient of %s %d is off by %g in %s",
				tensor_names[t->kind], t->layer, err, text);
	}
	test_free(init);
	test_free(c.w);
	test_free(grad);
	batch_release(&c.batch);
	net_run_release(&c.run);
	net_release(&c.net);
}

static void net_gradient_agrees_for_every_gene(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		check_net(nets[i].genome, nets[i].task, nets[i].drop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_gradient_agrees),
		cmocka_unit_test(norm_gradient_agrees),
		cmocka_unit_test(act_gradient_agrees),
		cmocka_unit_test(conv_gradient_agrees),
		cmocka_unit_test(attention_gradient_agrees),
		cmocka_unit_test(pool_gradient_agrees),
		cmocka_unit_test(embed_gradient_agrees),
		cmocka_unit_test(entropy_gradient_agrees),
		cmocka_unit_test(net_gradient_agrees_for_every_gene),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
