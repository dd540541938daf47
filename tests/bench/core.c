/* `make bench-core`: reads its settings from the environment (README.md), runs the
 * contests, prints and writes the verdict. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "tests/bench/verdict.h"

static int is_set(const char *name)
{
	const char *v = getenv(name);

	return v && *v && strcmp(v, "0") != 0;
}

/* "1,3" -> bits 0 and 2. */
static unsigned shape_list(const char *text)
{
	unsigned mask = 0;

	for (const char *at = text; *at; at += *at == ',') {
		char *end;
		long i = strtol(at, &end, 10);

		if (end == at || i < 1 || i > N_SHAPES)
			return 0;
		mask |= 1u << (i - 1);
		at = end;
	}
	return mask;
}

static enum err read_options(struct options *o, struct err_ctx *ctx)
{
	const char *list = getenv("BENCH_SHAPES"), *rounds = getenv("BENCH_ROUNDS");
	const char *dir = getenv("BENCH_DIR"), *cpu = getenv("BENCH_CPU");
	const char *decoder = getenv("BENCH_DECODER");

	memset(o, 0, sizeof(*o));
	o->quick = is_set("BENCH_QUICK");
	o->generations = o->quick ? 1 : 3;
	o->rounds = o->quick ? 3 : 5;
	o->slice_ns = o->quick ? 4e6 : 30e6;
	o->shape_mask = o->quick ? 3 : (1u << N_SHAPES) - 1;
	o->decoder = decoder ? is_set("BENCH_DECODER") : !o->quick;
	o->python = getenv("BENCH_PYTHON");
	o->dir = dir && *dir ? dir : "build/bench";
	o->seed = 1;
	if (o->python && !*o->python)
		o->python = NULL;
	if (list && strcmp(list, "0") == 0)
		o->shape_mask = 0;
	else if (list && *list && !(o->shape_mask = shape_list(list)))
		return err_set(ctx, ERR_USAGE,
			"bad BENCH_SHAPES '%s': give numbers from 1 to %d, or 0 for none",
			list, N_SHAPES);
	if (rounds && *rounds) {
		int n = atoi(rounds);

		if (n < 1 || n * (int)o->generations > MAX_ROUNDS)
			return err_set(ctx, ERR_USAGE,
				"bad BENCH_ROUNDS '%s': at most %d a generation", rounds,
				MAX_ROUNDS / (int)o->generations);
		o->rounds = (unsigned)n;
	}
	if (cpu && *cpu) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((size_t)atoi(cpu), &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			return err_set(
				ctx, ERR_USAGE, "cannot run on BENCH_CPU '%s'", cpu);
	}
	return ERR_OK;
}

static enum err run(
	struct bench_result *r, struct options *o, struct machine *m, struct err_ctx *ctx)
{
	char path[4096];
	enum err rc;

	if ((rc = read_options(o, ctx)) || (rc = file_mkdirs(o->dir, ctx)) ||
		(rc = machine_init(m, o, ctx)))
		return rc;
	r->options = o;
	r->machine = m;
	for (unsigned i = 0; i < N_SHAPES; i++)
		if (o->shape_mask >> i & 1 &&
			(rc = contest_run(
				 &r->contest[r->n_contests++], o, m, &shapes[i], ctx)))
			return rc;
	if (o->decoder && (rc = contest_run_decoder(&r->decoder, o, m, ctx)))
		return rc;
	r->has_decoder = o->decoder;
	verdict_print(stdout, r);
	if ((rc = file_join(path, sizeof(path), o->dir, "core.json", ctx)))
		return rc;
	rc = verdict_write(r, path, ctx);
	if (!rc)
		printf("everything is in %s\n", path);
	return rc;
}

int main(void)
{
	struct bench_result *r = calloc(1, sizeof(*r));
	struct options o;
	struct machine m;
	struct err_ctx ctx;
	enum err rc =
		r ? run(r, &o, &m, &ctx) : err_set(&ctx, ERR_NOMEM, "out of memory");

	if (rc)
		fprintf(stderr, "bench: %s\n", ctx.msg);
	free(r);
	return err_exit_code(rc);
}
