/* `make bench-arm`: instructions that whole encoders and their products alone execute on
 * Arm, counted under QEMU's user mode by plugin.c, an image at a time; and how large their
 * code is. Counts, never times: what an emulator takes says nothing about a device. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/base/rng.h"
#include "src/codegen/codegen.h"
#include "src/codegen/kernel_sets.h"
#include "src/model/graph.h"
#include "tests/bench/shapes.h"

#define SEED 1
#define GOAL_INT8 0.12	  /* instructions a multiply-add, dotprod, d_model 128 and more */
#define GOAL_TEXT 24576.0 /* bytes, armhf */

struct machine {
	const char *prefix; /* of its sets */
	const char *cc, *emulator;
};
static const struct machine machines[] = {
	{"arm64-", "aarch64-linux-gnu-gcc", "qemu-aarch64"},
	{"armhf-", "arm-linux-gnueabihf-gcc", "qemu-arm"},
};

struct bench {
	const char *dir, *plugin;
	unsigned shape_mask;
	json_t *rows;
	unsigned n_goals, n_met;
	struct err_ctx ctx;
};

/* One image and what was counted of it. */
struct image {
	const struct machine *machine;
	const struct kernel_set *set;
	const struct shape *shape;
	enum precision precision;
	struct artefact artefact;
	struct graph_cost cost;
	double per_mac, product_per_mac;
};

static enum err build(struct bench *b, struct image *im)
{
	struct random_weights random = {SEED};
	struct target target = {im->machine->cc, "", im->set->isa, "tests/count/harness"};
	uint32_t n = im->shape->seq_len;
	struct codegen_input in;
	struct genome g;
	int32_t ids[128];
	struct rng rng;
	char cache[4096];
	enum err e = shape_genome(im->shape, im->precision, KERNELS_OPT, &g, &b->ctx);

	if (e || (e = file_join(cache, sizeof(cache), b->dir, "builds", &b->ctx)))
		return e;
	rng_init(&rng, SEED);
	for (uint32_t i = 0; i < n; i++)
		ids[i] = (int32_t)rng_below(&rng, g.vocab_size);
	memset(&in, 0, sizeof(in));
	in.genome = &g;
	in.task = encoder_task;
	in.weights = tensor_source_random(&random);
	hash_bytes(&in.weights_hash, "random 1", 8);
	in.golden_ids = ids;
	in.golden_len = &n;
	in.n_golden = 1;
	in.timed_tokens = n;
	graph_cost(&g, &encoder_task, n, &im->cost);
	return codegen_build(&in, &target, cache, &im->artefact, NULL, &b->ctx);
}

/* Instructions of the image run with these words. */
static enum err count(struct bench *b, const struct image *im, const char *runs,
	const char *in, const char *out, double *n)
{
	const char *argv[] = {im->machine->emulator, "-cpu", "max", "-plugin", b->plugin,
		"-d", "plugin", im->artefact.path, runs, in, out, NULL};
	struct buf text;
	const char *at;
	enum err e;

	buf_init(&text);
	e = process_run_command(argv, NULL, 600, NULL, &text, &b->ctx);
	at = strstr(buf_str(&text), "instructions ");
	if (!e && !at)
		e = err_set(&b->ctx, ERR_TOOL, "'%s' counted nothing: %.100s",
			im->machine->emulator, buf_str(&text));
	if (!e)
		*n = strtod(at + 13, NULL);
	buf_release(&text);
	return e;
}

/* Two runs less one. */
static enum err count_one(struct bench *b, const struct image *im, const char *in,
	const char *out, double *n)
{
	double one, two;
	enum err e = count(b, im, "1", in, out, &one);

	if (!e)
		e = count(b, im, "2", in, out, &two);
	if (!e)
		*n = two - one;
	return e;
}

static void check_goal(struct bench *b, const char *what, double value, double at_most)
{
	b->n_goals++;
	b->n_met += value <= at_most;
	if (value > at_most)
		printf("  NOT MET: %s %.4g, at most %.4g is wanted\n", what, value,
			at_most);
}

static void report(struct bench *b, const struct image *im)
{
	const char *precision = precision_names[im->precision];
	json_t *row = json_object();

	printf("%-18s %-14s %-5s %9.4f %9.4f %8llu\n", im->shape->name, im->set->isa,
		precision, im->per_mac, im->product_per_mac,
		(unsigned long long)im->artefact.text_bytes);
	fflush(stdout);
	json_object_set_new(row, "shape", json_string(im->shape->name));
	json_object_set_new(row, "kernels", json_string(im->set->isa));
	json_object_set_new(row, "precision", json_string(precision));
	json_object_set_new(row, "macs", json_real(im->cost.macs));
	json_object_set_new(row, "instructions_per_mac", json_real(im->per_mac));
	json_object_set_new(
		row, "product_instructions_per_mac", json_real(im->product_per_mac));
	json_object_set_new(
		row, "text_bytes", json_integer((json_int_t)im->artefact.text_bytes));
	json_object_set_new(row, "compiler", json_string(im->artefact.compiler));
	json_array_append_new(b->rows, row);
	if (!strcmp(im->set->isa, "arm64-dotprod") && im->precision == INT8 &&
		im->shape->d_model >= 128)
		check_goal(b, "int8 instructions a multiply-add", im->per_mac, GOAL_INT8);
	if (!strcmp(im->machine->prefix, "armhf-"))
		check_goal(
			b, "bytes of code", (double)im->artefact.text_bytes, GOAL_TEXT);
}

static enum err measure(struct bench *b, struct image *im)
{
	char in[16], out[16];
	double n;
	enum err e = build(b, im);

	snprintf(in, sizeof(in), "%u", im->shape->d_model);
	snprintf(out, sizeof(out), "%u", im->shape->d_ff);
	if (!e)
		e = count_one(b, im, NULL, NULL, &n);
	if (e)
		return e;
	im->per_mac = n / im->cost.macs;
	e = count_one(b, im, in, out, &n);
	if (e)
		return e;
	im->product_per_mac =
		n / ((double)im->shape->seq_len * im->shape->d_model * im->shape->d_ff);
	report(b, im);
	return ERR_OK;
}

static int is_there(const char *program)
{
	const char *argv[] = {program, "--version", NULL};

	return process_run_command(argv, NULL, 30, NULL, NULL, NULL) == ERR_OK;
}

static enum err run_machine(struct bench *b, const struct machine *m)
{
	enum err e = ERR_OK;

	if (!is_there(m->cc) || !is_there(m->emulator)) {
		printf("SKIP: no %s or no %s\n", m->cc, m->emulator);
		return ERR_OK;
	}
	for (size_t s = 0; s < N_SHAPES; s++)
		for (size_t k = 0; kernel_set_at(k); k++)
			for (int p = 0; p < N_PRECISIONS && !e; p++) {
				struct image im = {.machine = m,
					.set = kernel_set_at(k),
					.shape = &shapes[s],
					.precision = (enum precision)p};

				if (b->shape_mask >> s & 1 &&
					!strncmp(im.set->isa, m->prefix,
						strlen(m->prefix)))
					e = measure(b, &im);
			}
	return e;
}

static enum err run(struct bench *b)
{
	char path[4096];
	char *text;
	enum err e = file_mkdirs(b->dir, &b->ctx);

	printf("instructions a multiply-add, counted in an emulator; code bytes\n"
	       "%-18s %-14s %-5s %9s %9s %8s\n",
		"layers x d x heads", "kernels", "", "model", "product", "text");
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]) && !e; i++)
		e = run_machine(b, &machines[i]);
	if (e || (e = file_join(path, sizeof(path), b->dir, "arm.json", &b->ctx)))
		return e;
	printf("%u of %u goals met\n", b->n_met, b->n_goals);
	text = json_dumps(b->rows, JSON_INDENT(1));
	if (!text)
		return err_set(&b->ctx, ERR_NOMEM, "out of memory");
	e = file_write_atomic(path, text, strlen(text), 0644, &b->ctx);
	free(text);
	if (!e)
		printf("everything is in %s\n", path);
	return e;
}

int main(int argc, char **argv)
{
	const char *dir = getenv("BENCH_DIR"), *quick = getenv("BENCH_QUICK");
	struct bench b = {.dir = dir && *dir ? dir : "build/bench",
		.plugin = argc > 1 ? argv[1] : "",
		/* 64, 128, 312 and 384 wide; not the long one */
		.shape_mask = quick && *quick && strcmp(quick, "0") ? 0x02 : 0x1f,
		.rows = json_array()};
	enum err e = run(&b);

	if (e)
		fprintf(stderr, "bench-arm: %s\n", b.ctx.msg);
	json_decref(b.rows);
	return err_exit_code(e);
}
