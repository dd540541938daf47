/* The supernet: slices, resuming, caching, and that it learns. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/train_fixture.h"

#include <math.h>

/* A space of our own: width, depth, heads, vocabulary, full or thin FFN. */
static const char *const nets[] = {
	"enc;v=150;t=24;d=24;e=24;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=4;"
	"conv=3;"
	"opt=O2;kern=ref;L=h3k3x8f40r0b8,h2k2x8f24r0b4",
	"enc;v=100;t=16;d=8;e=8;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=2;"
	"conv=0;"
	"opt=O2;kern=ref;L=h1k1x4f8r0b8",
	"enc;v=120;t=20;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=4;"
	"conv=3;"
	"opt=O2;kern=ref;L=h2k1x8f24r6b8",
	"enc;v=150;t=24;d=24;e=12;eb=4;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=0;"
	"conv=3;"
	"opt=O2;kern=ref;L=h2k2x4f24r8b8,h2k2x4f24r8b8s",
};
#define N_NETS 4

struct drawing {
	uint64_t n_draws, cancel_at;
	volatile int cancel;
};

static void largest(void *self, struct genome *g)
{
	(void)self;
	fixture_genome(g, nets[0]);
}

static void smallest(void *self, struct genome *g)
{
	(void)self;
	fixture_genome(g, nets[1]);
}

static void any(void *self, struct rng *rng, struct genome *g)
{
	struct drawing *d = self;

	fixture_genome(g, nets[rng_below(rng, N_NETS - 1)]);
	if (++d->n_draws == d->cancel_at)
		d->cancel = 1;
}

static size_t extremes(void *self, struct genome *g, size_t cap)
{
	(void)self;
	assert_true(cap >= N_NETS);
	for (int i = 0; i < N_NETS; i++) {
		/* Sharing is a gene of sub-networks, not of the layout. */
		fixture_genome(&g[i], nets[i]);
	}
	return N_NETS;
}

static struct sampler sampler_of(struct drawing *d)
{
	struct sampler s = {d, largest, smallest, any, extremes, {{1, 2, 3}}};

	return s;
}

static struct supernet *open_net(
	struct corpus *c, const struct train_options *o, const char *dir)
{
	struct drawing d = {0, 0, 0};
	struct sampler s = sampler_of(&d);
	struct supernet *net = NULL;
	struct err_ctx ctx = {""};

	if (supernet_open(&net, c, &s, o, dir, &ctx))
		fixture_fail("supernet_open", &ctx);
	return net;
}

/* All sub-networks' weights, one after the other; the caller frees. */
static float *extract_all(struct corpus *c, const struct supernet *net, size_t *bytes)
{
	float *all = NULL;
	size_t n = 0;

	for (int i = 0; i < N_NETS; i++) {
		struct genome g;
		size_t more;

		fixture_genome(&g, nets[i]);
		more = fixture_floats(c, &g);
		all = realloc(all, (n + more) * sizeof(*all));
		assert_non_null(all);
		assert_int_equal(supernet_extract(net, &g, all + n, NULL), ERR_OK);
		n += more;
	}
	*bytes = n * sizeof(*all);
	return all;
}

static void corpus_easy(struct corpus *c)
{
	struct err_ctx ctx = {""};
	struct dataset d;

	fixture_easy(&d, 200);
	if (corpus_from_dataset(c, &d, 150, &ctx))
		fixture_fail("corpus", &ctx);
}

static struct train_options few_steps(double epochs)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, epochs);

	o.qat_share = 0.3;
	return o;
}

static void supernet_resumes_as_if_never_stopped(void **state)
{
	static const uint64_t stops[] = {2, 9, 16, 0};
	struct train_options o = few_steps(3);
	struct drawing d = {0, 0, 0};
	struct sampler s = sampler_of(&d);
	struct supernet *net;
	struct corpus c;
	char dir[2][256];
	float *whole, *parts;
	size_t n;

	(void)state;
	corpus_easy(&c);
	fixture_folder(dir[0], sizeof(dir[0]));
	fixture_folder(dir[1], sizeof(dir[1]));
	net = open_net(&c, &o, dir[0]);
	whole = extract_all(&c, net, &n);
	supernet_close(net);

	o.threads = 2;
	o.cancel = &d.cancel;
	for (int i = 0; i < 4; i++) {
		struct err_ctx ctx = {""};
		enum err err;

		d.n_draws = 0;
		d.cancel_at = stops[i];
		d.cancel = 0;
		err = supernet_open(&net, &c, &s, &o, dir[1], &ctx);
		assert_int_equal(err, stops[i] ? ERR_CANCELLED : ERR_OK);
	}
	parts = extract_all(&c, net, &n);
	supernet_close(net);
	assert_memory_equal(whole, parts, n);
	free(whole);
	free(parts);
	file_remove_tree(dir[0], NULL);
	file_remove_tree(dir[1], NULL);
	corpus_release(&c);
}

/* Finds the one file of the folder that holds `part`. */
static void path_of(const struct supernet *net, const char *dir, const char *kind,
	char *out, size_t cap)
{
	char hex[HASH_HEX + 1];

	hash_to_hex(supernet_hash(net), hex);
	snprintf(out, cap, "%s/supernet-%.16s.%s", dir, hex, kind);
}

static void supernet_is_cached_and_repaired(void **state)
{
	struct train_options o = few_steps(1);
	struct drawing d = {0, 0, 0};
	struct sampler s = sampler_of(&d);
	struct supernet *net = NULL;
	struct err_ctx ctx = {""};
	char dir[256], path[600];
	struct corpus c;
	float *first, *again;
	size_t n;

	(void)state;
	corpus_easy(&c);
	fixture_folder(dir, sizeof(dir));
	net = open_net(&c, &o, dir);
	first = extract_all(&c, net, &n);
	path_of(net, dir, "checkpoint", path, sizeof(path));
	assert_false(file_exists(path));
	path_of(net, dir, "weights", path, sizeof(path));
	assert_true(file_exists(path));
	supernet_close(net);

	assert_int_equal(supernet_open(&net, &c, &s, &o, dir, &ctx), ERR_OK);
	assert_int_equal(d.n_draws, 0); /* loaded, not trained */
	supernet_close(net);

	assert_int_equal(
		file_write_atomic(path, "HWSRVEC1 damaged", 16, 0644, NULL), ERR_OK);
	assert_int_equal(supernet_open(&net, &c, &s, &o, dir, &ctx), ERR_OK);
	assert_true(d.n_draws > 0);
	again = extract_all(&c, net, &n);
	assert_memory_equal(first, again, n);
	supernet_close(net);
	free(first);
	free(again);
	file_remove_tree(dir, NULL);
	corpus_release(&c);
}

static void supernet_extract_copies_mapped_weights(void **state)
{
	struct train_options o = few_steps(1);
	struct layout *sub = malloc(sizeof(*sub)), *super = malloc(sizeof(*super));
	struct task_shape task;
	struct genome g, all[N_NETS];
	struct supernet *net;
	struct corpus c;
	char dir[256];
	float *whole, *part;
	uint32_t *map, *to_whole;

	(void)state;
	corpus_easy(&c);
	task = dataset_task(&c.data);
	fixture_folder(dir, sizeof(dir));
	net = open_net(&c, &o, dir);
	extremes(NULL, all, N_NETS);
	layout_init_super(super, all, N_NETS, &task);
	/* What the largest network and this one share must be the same numbers. */
	layout_init(sub, &all[0], &task);
	whole = malloc(sub->n_floats * sizeof(*whole));
	to_whole = malloc(super->n_floats * sizeof(*to_whole));
	map = malloc(super->n_floats * sizeof(*map));
	assert_int_equal(supernet_extract(net, &all[0], whole, NULL), ERR_OK);
	assert_int_equal(weights_map(sub, super, map, NULL), ERR_OK);
	for (size_t i = 0; i < super->n_floats; i++)
		to_whole[i] = UINT32_MAX;
	for (size_t i = 0; i < sub->n_floats; i++)
		to_whole[map[i]] = (uint32_t)i;
	for (int k = 1; k < 3; k++) {
		size_t n_shared = 0;

		g = all[k];
		layout_init(sub, &g, &task);
		part = malloc(sub->n_floats * sizeof(*part));
		assert_int_equal(supernet_extract(net, &g, part, NULL), ERR_OK);
		assert_int_equal(weights_map(sub, super, map, NULL), ERR_OK);
		for (size_t i = 0; i < sub->n_floats; i++)
			if (to_whole[map[i]] != UINT32_MAX) {
				assert_true(part[i] == whole[to_whole[map[i]]]);
				n_shared++;
			}
		assert_true(n_shared > sub->n_floats / 2);
		free(part);
	}
	free(whole);
	free(map);
	free(to_whole);
	free(sub);
	free(super);
	supernet_close(net);
	file_remove_tree(dir, NULL);
	corpus_release(&c);
}

static void supernet_serves_all_its_networks(void **state)
{
	struct train_options o = fixture_options(TASK_INTENT_SLOTS, 40);
	struct supernet *net;
	struct corpus c;
	char dir[256];

	(void)state;
	corpus_easy(&c);
	fixture_folder(dir, sizeof(dir));
	o.dropout = o.word_dropout = o.subword_dropout = 0;
	net = open_net(&c, &o, dir);
	for (int i = 0; i < 3; i++) {
		struct err_ctx ctx = {""};
		struct quality q;
		struct genome g;
		float *w;

		fixture_genome(&g, nets[i]);
		w = malloc(fixture_floats(&c, &g) * sizeof(*w));
		assert_int_equal(supernet_extract(net, &g, w, &ctx), ERR_OK);
		assert_int_equal(
			quality_evaluate(&c, &g, w, SPLIT_VALID, 0, &q, &ctx), ERR_OK);
		assert_true(q.intent_acc > (i == 1 ? 60 : 95));
		assert_true(q.slot_f1 > (i == 1 ? 50 : 90));
		free(w);
	}
	supernet_close(net);
	file_remove_tree(dir, NULL);
	corpus_release(&c);
}

static void supernet_refuses_foreign_network(void **state)
{
	struct train_options o = few_steps(1);
	struct err_ctx ctx = {""};
	struct supernet *net;
	struct genome g;
	struct corpus c;
	char dir[256];
	float *w;

	(void)state;
	corpus_easy(&c);
	fixture_folder(dir, sizeof(dir));
	net = open_net(&c, &o, dir);
	fixture_genome(&g, nets[0]);
	g.layer[0].d_ff = 400;
	w = malloc(fixture_floats(&c, &g) * sizeof(*w));
	assert_int_equal(supernet_extract(net, &g, w, &ctx), ERR_INVALID);
	free(w);
	supernet_close(net);
	file_remove_tree(dir, NULL);
	corpus_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(supernet_resumes_as_if_never_stopped),
		cmocka_unit_test(supernet_is_cached_and_repaired),
		cmocka_unit_test(supernet_extract_copies_mapped_weights),
		cmocka_unit_test(supernet_serves_all_its_networks),
		cmocka_unit_test(supernet_refuses_foreign_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
