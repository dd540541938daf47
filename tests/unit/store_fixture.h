/* Made-up facts for the tests of the store and the report: the same for the same number.
 *
 * Static functions, so that each test stays one file; a test uses those that it needs.
 */
#ifndef HAWSER_TESTS_STORE_FIXTURE_H
#define HAWSER_TESTS_STORE_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/store/store.h"

#define FIXTURE __attribute__((unused)) static

FIXTURE void fixture_dir(char *out, size_t cap)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(out, cap, "%s/hawser-test-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	assert_non_null(mkdtemp(out));
}

FIXTURE void fixture_hash(struct hash *h, const char *what, int i)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %d", what, i);
	hash_bytes(h, text, strlen(text));
}

/* Legal genomes, different for different i in 0..9999. */
FIXTURE void fixture_genome(struct genome *g, int i)
{
	memset(g, 0, sizeof(*g));
	g->arch = ARCH_ENCODER;
	g->seq_len = 32;
	g->d_model = g->d_embed = 64;
	g->embed_bits = 8;
	g->n_layers = (uint8_t)(1 + i % 4);
	g->vocab_size = (uint32_t)(500 + i / 4);
	for (int l = 0; l < g->n_layers; l++)
		g->layer[l] = (struct layer_genes){.n_heads = 2,
			.n_kv_heads = 2,
			.d_head = 16,
			.d_ff = 128,
			.bits = 8};
	genome_canonicalise(g);
}

FIXTURE void fixture_accuracy(struct store_accuracy *a, const struct hash *candidate,
	const char *metric, const char *method, const char *split, uint64_t seed,
	double value)
{
	memset(a, 0, sizeof(*a));
	a->candidate = *candidate;
	fixture_hash(&a->data, "data", 0);
	fixture_hash(&a->source, method, 0);
	snprintf(a->split, sizeof(a->split), "%s", split);
	snprintf(a->method, sizeof(a->method), "%s", method);
	snprintf(a->metric, sizeof(a->metric), "%s", metric);
	a->seed = seed;
	a->value = value;
	a->ci = (struct interval){value - 1, value + 1};
	a->n = 500;
}

FIXTURE void fixture_artefact(struct artefact *a, int i)
{
	memset(a, 0, sizeof(*a));
	fixture_hash(&a->build, "build", i);
	fixture_hash(&a->image, "image", i);
	snprintf(a->path, sizeof(a->path), "build/%d/model", i);
	snprintf(a->compiler, sizeof(a->compiler), "gcc 12 -O2");
	a->image_bytes = 90000 + (uint64_t)i;
	a->text_bytes = 9000;
	a->weight_bytes = 40000 + (uint64_t)i * 1000;
	a->vocab_bytes = 4000;
	a->bss_bytes = 9000;
	a->arena_bytes = 8000 + (uint64_t)i;
	a->state_bytes = 16;
	a->stack_bytes = 8192;
	a->flash_bytes = a->text_bytes + a->weight_bytes + a->vocab_bytes;
}

/* A measurement of candidate h, build and device by number, with `n_runs` processes. */
FIXTURE void fixture_measurement(struct measurement *m, const struct hash *h, int build,
	uint32_t look, double latency_ns, uint32_t n_runs)
{
	measurement_init(m);
	m->candidate = *h;
	fixture_hash(&m->build, "build", build);
	fixture_hash(&m->device, "device", 0);
	m->protocol = MEASURE_PROTOCOL;
	m->look = look;
	m->resolved = 1;
	for (uint32_t i = 0; i < n_runs; i++) {
		struct process_run *r = measurement_add_run(m, 5 + i);

		assert_non_null(r);
		r->index = i;
		r->order = i * 3;
		r->inner = 2;
		r->n_ivcsw = i;
		r->peak_rss_bytes = 1 << 20;
		r->temp_mc = INT32_MIN;
		r->n_quota = i == 1 ? 3 : 0;
		r->quota_us = i == 1 ? 4000000000u : 0;
		r->n_slowed = i == 2;
		r->reference_ratio = 1 + i / 16.0;
		r->energy_uj = NAN;
		r->idle_uw = i ? 4000.5 + i : NAN;
		r->window_ns = i ? 10.5e9 + i : NAN;
		for (uint32_t k = 0; k < r->n; k++) {
			r->wall_ns[k] = (float)latency_ns * (1 + (float)k / 50);
			r->cpu_ns[k] = (float)latency_ns * (1 + (float)k / 100);
		}
	}
	m->latency_ns = latency_ns;
	m->latency_ci = (struct interval){latency_ns * 0.98, latency_ns * 1.02};
	m->wall_p50_ns = latency_ns * 1.1;
	m->wall_p90_ns = latency_ns * 1.2;
	m->wall_p99_ns = latency_ns * 1.5;
	m->peak_rss_bytes = 1 << 20;
	m->n_throttled = n_runs > 2 ? 2 : n_runs > 1;
	m->energy_uj = NAN;
	m->energy_ci = (struct interval){NAN, NAN};
	m->idle_uw = n_runs > 1 ? 4001.5 : NAN;
	m->window_ns = n_runs > 1 ? 10.5e9 : NAN;
}

static int fixture_same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

FIXTURE void fixture_assert_equal(
	const struct measurement *a, const struct measurement *b)
{
	assert_true(hash_equal(&a->candidate, &b->candidate));
	assert_true(hash_equal(&a->build, &b->build));
	assert_true(hash_equal(&a->device, &b->device));
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->look, b->look);
	assert_int_equal(a->resolved, b->resolved);
	assert_int_equal(a->n_runs, b->n_runs);
	assert_true(fixture_same(a->latency_ns, b->latency_ns));
	assert_true(fixture_same(a->latency_ci.lo, b->latency_ci.lo));
	assert_true(fixture_same(a->latency_ci.hi, b->latency_ci.hi));
	assert_true(fixture_same(a->wall_p99_ns, b->wall_p99_ns));
	assert_true(fixture_same(a->energy_uj, b->energy_uj));
	assert_true(fixture_same(a->idle_uw, b->idle_uw));
	assert_true(fixture_same(a->window_ns, b->window_ns));
	assert_string_equal(a->energy_source, b->energy_source);
	assert_true(a->peak_rss_bytes == b->peak_rss_bytes);
	assert_int_equal(a->n_throttled, b->n_throttled);
	for (uint32_t i = 0; i < a->n_runs; i++) {
		const struct process_run *x = &a->runs[i], *y = &b->runs[i];

		assert_int_equal(x->index, y->index);
		assert_int_equal(x->order, y->order);
		assert_int_equal(x->n, y->n);
		assert_int_equal(x->inner, y->inner);
		assert_int_equal(x->n_ivcsw, y->n_ivcsw);
		assert_int_equal(x->temp_mc, y->temp_mc);
		assert_int_equal(x->n_quota, y->n_quota);
		assert_int_equal(x->quota_us, y->quota_us);
		assert_int_equal(x->n_slowed, y->n_slowed);
		assert_true(fixture_same(x->reference_ratio, y->reference_ratio));
		assert_true(fixture_same(x->energy_uj, y->energy_uj));
		assert_true(fixture_same(x->idle_uw, y->idle_uw));
		assert_true(fixture_same(x->window_ns, y->window_ns));
		assert_memory_equal(x->wall_ns, y->wall_ns, x->n * sizeof(float));
		assert_memory_equal(x->cpu_ns, y->cpu_ns, x->n * sizeof(float));
	}
}

#endif
