/* Random networks: whatever genome is valid builds, answers like the reference under the
 * sanitisers, and gets the same answer from every kernel set that runs here.
 *
 *   FUZZ_GENOMES=2000  how many (make fuzz-genomes; `make test` runs fewer)
 *   FUZZ_FIRST=17      the number of the first: to see a fault again
 *   FUZZ_SANITISE=1    all kernel sets under the sanitisers (make fuzz-genomes), not only
 *                      the portable one
 *   JOBS=2             batches side by side
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>

#include "tests/bench/rates.h"
#include "tests/fuzz/genome_batch.h"
#include "tests/unit/codegen_fixture.h"

#define SEED 20240
#define MAX_JOBS 16

/* The sanitised host tests the generator; it need not run as often. */
#if defined(__SANITIZE_ADDRESS__)
#define N_DEFAULT 40u
#else
#define N_DEFAULT 200u
#endif

/* Largest |set - portable| / (1 + max |portable|) of all logits. fp32: other orders of
 * summation, nothing else. Quantised: a sum that falls on the other side of an edge
 * between two integers moves what follows by up to a step; as for golden values. */
#define FP32_BOUND 2e-5
#define QUANTISED_USUAL 2e-3 /* holds for nine of ten networks */

static unsigned from_environment(const char *name, unsigned fallback)
{
	const char *text = getenv(name);

	return text && *text ? (unsigned)strtoul(text, NULL, 10) : fallback;
}

/* ---- many batches */

struct work {
	const struct batch_sets *sets;
	const struct draw_spaces *spaces;
	unsigned first, end;
	pthread_mutex_t lock;
	unsigned next, n_done, n_quantised, n_usual;
	unsigned seen[8]; /* encoders, decoders, fp32, int8, int4, mixed, shared, thin */
	double worst_fp32, worst_quantised;
	struct buf faults;
	enum err e;
	struct err_ctx ctx;
};

static int is_quantised(const struct genome *g)
{
	int quantised = g->embed_bits != 32 || g->attn_int8 || g->kv != 32;

	for (int i = 0; i < g->n_layers; i++)
		quantised |= g->layer[i].bits != 32;
	return quantised;
}

static void count_genes(struct work *w, const struct genome *g)
{
	int bits[3] = {0}, shared = 0, thin = 0;

	for (int i = 0; i < g->n_layers; i++) {
		bits[g->layer[i].bits == 32 ? 0 : g->layer[i].bits == 8 ? 1 : 2] = 1;
		shared |= g->layer[i].shared;
		thin |= g->layer[i].ffn_rank > 0;
	}
	w->seen[g->arch == ARCH_DECODER]++;
	for (int i = 0; i < 3; i++)
		w->seen[2 + i] += (unsigned)bits[i];
	w->seen[5] += bits[0] + bits[1] + bits[2] > 1;
	w->seen[6] += (unsigned)shared;
	w->seen[7] += (unsigned)thin;
}

/* With the lock held. */
static void add_batch(struct work *w, struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct genome *g = &b->drawn[i].genome;
		int quantised = is_quantised(g);

		count_genes(w, g);
		for (size_t k = 1; k < b->sets->n; k++) {
			double d = (double)b->difference[k][i];
			double bound = quantised ? reference_tolerance(g) : FP32_BOUND;
			double *worst = quantised ? &w->worst_quantised : &w->worst_fp32;

			/* exp decides a byte in attention: more stand on an edge */
			if (quantised && !g->attn_int8) {
				w->n_quantised++;
				w->n_usual += d <= QUANTISED_USUAL;
			}
			*worst = d > *worst ? d : *worst;
			if (!(d <= bound))
				batch_fault(b, i, k,
					"differs from the portable kernels by", d, bound);
		}
	}
	w->n_done += (unsigned)b->n;
	buf_append(&w->faults, buf_str(&b->faults), b->faults.len);
}

static void *run_batches(void *self)
{
	struct work *w = self;
	struct batch *b = calloc(1, sizeof(*b));
	struct err_ctx ctx = {""};
	enum err e = b ? ERR_OK : ERR_NOMEM;

	for (;;) {
		unsigned at;

		pthread_mutex_lock(&w->lock);
		if (e && !w->e) {
			w->e = e;
			w->ctx = ctx;
		}
		at = w->next;
		w->next += BATCH_MAX;
		pthread_mutex_unlock(&w->lock);
		if (e || at >= w->end)
			break;
		memset(b, 0, sizeof(*b));
		b->sets = w->sets;
		buf_init(&b->faults);
		snprintf(b->dir, sizeof(b->dir), "%.3000s/batch-%u", dir, at);
		for (; b->n < BATCH_MAX && at + b->n < w->end; b->n++)
			draw_genome(
				&b->drawn[b->n], w->spaces, SEED, at + (unsigned)b->n);
		e = batch_run(b, &ctx);
		pthread_mutex_lock(&w->lock);
		if (!e)
			add_batch(w, b);
		pthread_mutex_unlock(&w->lock);
		buf_release(&b->faults);
	}
	free(b);
	return NULL;
}

static void run_all(struct work *w)
{
	unsigned n_jobs = from_environment("JOBS", 2);
	pthread_t thread[MAX_JOBS];

	n_jobs = n_jobs < 1 ? 1 : n_jobs > MAX_JOBS ? MAX_JOBS : n_jobs;
	w->next = w->first;
	pthread_mutex_init(&w->lock, NULL);
	buf_init(&w->faults);
	for (unsigned i = 0; i < n_jobs; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run_batches, w), 0);
	for (unsigned i = 0; i < n_jobs; i++)
		pthread_join(thread[i], NULL);
	pthread_mutex_destroy(&w->lock);
}

static void random_genomes_answer_like_the_reference_with_every_set(void **state)
{
	static struct batch_sets sets;
	struct draw_spaces spaces;
	struct err_ctx ctx = {""};
	struct work w = {.sets = &sets, .spaces = &spaces};

	(void)state;
	w.first = from_environment("FUZZ_FIRST", 0);
	w.end = w.first + from_environment("FUZZ_GENOMES", N_DEFAULT);
	ASSERT_OK(draw_spaces_open(&spaces, &ctx), &ctx);
	ASSERT_OK(batch_sets_init(&sets, dir, from_environment("FUZZ_SANITISE", 0) != 0,
			  NULL, &ctx),
		&ctx);
	run_all(&w);
	draw_spaces_close(&spaces);
	ASSERT_OK(w.e, &w.ctx);
	print_message(
		"# %u genomes from %u, %zu kernel sets; %u encoders, %u decoders; layers "
		"in fp32 in %u, int8 %u, int4 %u, mixed %u, shared %u, thin %u\n",
		w.n_done, w.first, sets.n, w.seen[0], w.seen[1], w.seen[2], w.seen[3],
		w.seen[4], w.seen[5], w.seen[6], w.seen[7]);
	print_message("# sets differ from the portable one by at most %.2g in fp32, %.2g "
		      "quantised; %u of %u quantised within %.0e\n",
		w.worst_fp32, w.worst_quantised, w.n_usual, w.n_quantised,
		QUANTISED_USUAL);
	if (w.faults.len)
		fail_msg("%.*s", 8000, buf_str(&w.faults));
	buf_release(&w.faults);
	assert_int_equal(w.n_done, w.end - w.first);
	assert_true(w.n_usual * 10 >= w.n_quantised * 9);
	for (int i = 0; i < 8 && w.n_done >= 40; i++)
		assert_true(w.seen[i] > 0);
}

/* ---- the proof can fail */

/* The kernel itself under another name, and one that spoils its answer. */
static const char *write_broken(const struct kernel_set *set, const char *spoil)
{
	static char path[4200];
	char source[4096], folder[4096];
	struct err_ctx ctx = {""};
	struct buf text;

	ASSERT_OK(kernel_source(set, "linear_i8", source, sizeof(source), &ctx), &ctx);
	snprintf(folder, sizeof(folder), "%.3000s/broken", dir);
	ASSERT_OK(file_mkdirs(folder, &ctx), &ctx);
	snprintf(path, sizeof(path), "%s/linear_i8.c", folder);
	buf_init(&text);
	buf_printf(&text,
		"#include \"src/infer/kernels.h\"\n"
		"void whole(const struct linear *l, uint32_t n, const int8_t *x,\n"
		"\tconst float *x_scale, const float *add, float *y);\n"
		"#define linear_i8 whole\n#include \"%s\"\n#undef linear_i8\n"
		"void linear_i8(const struct linear *l, uint32_t n, const int8_t *x,\n"
		"\tconst float *x_scale, const float *add, float *y)\n{\n"
		"\twhole(l, n, x, x_scale, add, y);\n\t%s;\n}\n",
		source, spoil);
	ASSERT_OK(file_write_atomic(path, buf_str(&text), text.len, 0644, &ctx), &ctx);
	buf_release(&text);
	return path;
}

static void expect_caught(
	const struct kernel_set *set, const char *spoil, const char *fault)
{
	static struct batch_sets sets;
	static struct batch b;
	struct draw_spaces spaces;
	struct err_ctx ctx = {""};
	struct stand_in in = {write_broken(set, spoil), set};

	ASSERT_OK(draw_spaces_open(&spaces, &ctx), &ctx);
	ASSERT_OK(batch_sets_init(&sets, dir, 0, &in, &ctx), &ctx);
	memset(&b, 0, sizeof(b));
	b.sets = &sets;
	buf_init(&b.faults);
	snprintf(b.dir, sizeof(b.dir), "%.3000s/broken-batch", dir);
	for (uint32_t i = 0; b.n < 4; i++) {
		struct drawn *d = &b.drawn[b.n];

		draw_genome(d, &spaces, SEED, i);
		b.n += d->genome.embed_bits == 8; /* so that its head is int8 */
	}
	ASSERT_OK(batch_run(&b, &ctx), &ctx);
	if (!strstr(buf_str(&b.faults), fault))
		fail_msg("'%s' was not caught: '%s'", spoil, buf_str(&b.faults));
	buf_release(&b.faults);
	draw_spaces_close(&spaces);
}

static void broken_kernels_are_caught(void **state)
{
	const struct kernel_set *set = NULL;

	(void)state;
	expect_caught(kernel_set_at(0), "y[0] += 1", "golden answer off by");
	expect_caught(kernel_set_at(0),
		"y[0] += 0 * *(const volatile float *)(l->bias ? l->bias + l->out : y)",
		"AddressSanitizer");
	expect_caught(kernel_set_at(0), "static int32_t big = 2147483647; big += (int)n",
		"signed integer overflow");
	expect_caught(kernel_set_at(0), "extern _Noreturn void _Exit(int); _Exit(0)",
		"ends without an answer");
	for (size_t k = 1; kernel_set_at(k); k++)
		if (cpu_runs_set(kernel_set_at(k)) &&
			kernel_set_has(kernel_set_at(k), "linear_i8"))
			set = kernel_set_at(k);
	if (set)
		expect_caught(set, "y[0] += 1", "golden answer off by");
	else
		print_message("SKIP: no other kernel set runs here\n");
}

/* ---- as they are shipped */

/* Some of the same genomes, through the door: codegen_build and the image. */
static void random_genomes_build_and_answer_without_sanitisers(void **state)
{
	unsigned n = from_environment("FUZZ_GENOMES", N_DEFAULT) / 20, first;
	struct draw_spaces spaces;
	struct err_ctx ctx = {""};

	(void)state;
	first = from_environment("FUZZ_FIRST", 0);
	ASSERT_OK(draw_spaces_open(&spaces, &ctx), &ctx);
	for (unsigned i = first; i < first + n; i++)
		for (size_t k = 0; kernel_set_at(k); k++) {
			const struct kernel_set *set = kernel_set_at(k);
			struct target t = {"gcc", "", set->isa, FIXTURE_HARNESS};
			struct artefact a;
			struct drawn d;
			int hit;

			if (!cpu_runs_set(set))
				continue;
			draw_genome(&d, &spaces, SEED, i);
			d.genome.kernels = k ? KERNELS_OPT : KERNELS_REF;
			ASSERT_OK(
				codegen_build(&d.in, &t, shared_cache(), &a, &hit, &ctx),
				&ctx);
			run_image(&a, set->isa);
		}
	draw_spaces_close(&spaces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_genomes_answer_like_the_reference_with_every_set),
		cmocka_unit_test(broken_kernels_are_caught),
		cmocka_unit_test(random_genomes_build_and_answer_without_sanitisers),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
