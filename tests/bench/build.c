/* `make bench-build`: settings from the environment (README.md), measurements, table and
 * JSON file. */
#include "tests/bench/build.h"

#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/space/space.h"
#include "src/base/file.h"
#include "src/base/stats.h"

#define MAX_GOALS 48
#define CODE_BYTES 100000
#define FIRST_RUN_NS 100000
#define TAIL_RATIO 1.15

/* A ceiling. */
struct goal {
	char what[128], remark[200];
	double value, wanted;
};

struct report {
	struct options o;
	struct machine m;
	const struct set_choice *best;
	unsigned n_builds, n_processes;
	json_t *json, *builds, *code, *first, *tails;
	size_t n_goals;
	struct goal goal[MAX_GOALS];
};

static struct goal *add_goal(struct report *r, double value, double wanted)
{
	struct goal *g = &r->goal[r->n_goals < MAX_GOALS - 1 ? r->n_goals++ : r->n_goals];

	memset(g, 0, sizeof(*g));
	g->value = value;
	g->wanted = wanted;
	return g;
}

/* ---- from genome to image */

static enum err preset_case(struct report *r, struct build_case *c, struct err_ctx *ctx)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "tinybert-4 preset int8 %s", r->best->name);
	c->task = &encoder_task;
	c->set = r->best;
	c->harness = "linux";
	c->n_golden = 128;
	c->seed = 1;
	if (preset_find("tinybert-4", &c->genome, ctx))
		return ERR_NOTFOUND;
	c->genome.kernels = r->best->optimised ? KERNELS_OPT : KERNELS_REF;
	return ERR_OK;
}

static enum err time_builds(
	struct report *r, struct build_case *c, double wanted_s, struct err_ctx *ctx)
{
	static struct build_time t;
	int is_wall;
	double judged;
	struct goal *g;
	enum err rc = build_time_measure(&t, c, r->o.dir, r->n_builds, ctx);

	if (rc)
		return rc;
	judged = build_time_judged(&t, &is_wall);
	g = add_goal(r, judged, wanted_s);
	snprintf(g->what, sizeof(g->what), "%s: seconds from genome to image", c->name);
	snprintf(g->remark, sizeof(g->remark),
		"%s; wall %.3f (%.3f to %.3f), processor %.3f; kernels to compile: %.2f",
		is_wall ? "wall" : "processor time, the core was shared",
		stats_median(t.wall_s, t.n), stats_min(t.wall_s, t.n),
		stats_max(t.wall_s, t.n), stats_median(t.cpu_s, t.n), t.cold_cpu_s);
	g = add_goal(r, t.same_bytes ? 0 : 1, 0);
	snprintf(g->what, sizeof(g->what), "%s: differences between two builds", c->name);
	json_array_append_new(r->builds,
		json_pack("{s:s, s:f, s:s, s:f, s:f, s:f, s:f, s:f, s:b, s:I, s:i}",
			"build", c->name, "judged_s", judged, "clock",
			is_wall ? "wall" : "cpu", "wall_s", stats_median(t.wall_s, t.n),
			"wall_min_s", stats_min(t.wall_s, t.n), "cpu_s",
			stats_median(t.cpu_s, t.n), "cold_wall_s", t.cold_wall_s,
			"cold_cpu_s", t.cold_cpu_s, "same_bytes", t.same_bytes,
			"image_bytes", (json_int_t)t.image_bytes, "n", (int)t.n));
	return ERR_OK;
}

static enum err measure_builds(struct report *r, struct err_ctx *ctx)
{
	struct build_case c;
	enum err rc;

	if ((rc = build_case_shape(&c, &shapes[0], INT8, r->best, "linux", ctx)) ||
		(rc = time_builds(r, &c, 0.4, ctx)) || r->o.quick)
		return rc;
	if ((rc = build_case_shape(&c, &shapes[3], INT8, r->best, "linux", ctx)) ||
		(rc = time_builds(r, &c, 1.0, ctx)) || (rc = preset_case(r, &c, ctx)))
		return rc;
	return time_builds(r, &c, 1.0, ctx);
}

/* ---- code */

static enum err measure_code(struct report *r, struct err_ctx *ctx)
{
	for (unsigned k = 0; k < r->m.n_sets; k++)
		for (int p = 0; p < N_PRECISIONS; p++) {
			struct build_case c;
			struct artefact a;
			struct goal *g;
			enum err rc = build_case_shape(&c, &shapes[0], (enum precision)p,
				&r->m.set[k], "tests/bench/first", ctx);

			if (!rc)
				rc = build_case_build(&c, r->o.dir, "builds", &a, ctx);
			if (rc)
				return rc;
			g = add_goal(r, (double)a.text_bytes, CODE_BYTES);
			snprintf(g->what, sizeof(g->what), "%s: bytes of code", c.name);
			json_array_append_new(
				r->code, json_pack("{s:s, s:I}", "build", c.name,
						 "text_bytes", (json_int_t)a.text_bytes));
		}
	return ERR_OK;
}

/* ---- the first inference, and the slowest */

static enum err measure_first(struct report *r, const struct build_case *c,
	const struct artefact *a, struct err_ctx *ctx)
{
	struct first_run f;
	struct goal *g;
	enum err rc = first_run_measure(&f, a, r->n_processes, ctx);

	if (rc)
		return rc;
	g = add_goal(r, f.median_ns, FIRST_RUN_NS);
	snprintf(g->what, sizeof(g->what), "%s: ns of a process's first inference",
		c->name);
	snprintf(g->remark, sizeof(g->remark),
		"median; 90th percentile %.0f; %u of %u processes switched out meanwhile",
		f.p90_ns, f.n_switched, f.n);
	json_array_append_new(
		r->first, json_pack("{s:s, s:i, s:i, s:f, s:f}", "build", c->name, "n",
				  (int)f.n, "n_switched", (int)f.n_switched, "median_ns",
				  f.median_ns, "p90_ns", f.p90_ns));
	return ERR_OK;
}

static enum err measure_tail(struct report *r, const struct build_case *c,
	const struct artefact *a, unsigned n, struct err_ctx *ctx)
{
	struct tail t;
	struct goal *g;
	enum err rc = tail_measure(&t, a, n, ctx);

	if (rc)
		return rc;
	g = add_goal(r, t.p999_ns / t.median_ns, TAIL_RATIO);
	snprintf(g->what, sizeof(g->what), "%s: 99.9th percentile over median", c->name);
	snprintf(g->remark, sizeof(g->remark),
		"median %.0f ns, 99th percentile x%.3f, largest x%.2f; %ld runs, %ld more "
		"switched out; an empty loop as long: x%.3f",
		t.median_ns, t.p99_ns / t.median_ns, t.max_ns / t.median_ns, t.n_kept,
		t.n_switched, t.loop_ratio);
	json_array_append_new(r->tails,
		json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "build",
			c->name, "n_kept", (json_int_t)t.n_kept, "n_switched",
			(json_int_t)t.n_switched, "median_ns", t.median_ns, "p90_ns",
			t.p90_ns, "p99_ns", t.p99_ns, "p999_ns", t.p999_ns, "max_ns",
			t.max_ns, "loop_p999_over_median", t.loop_ratio));
	return ERR_OK;
}

static enum err measure_runs(struct report *r, struct err_ctx *ctx)
{
	for (int i = 0; i < 2; i++)
		for (int p = 0; p < N_PRECISIONS; p++) {
			unsigned n = (i ? 10000u : 100000u) / (r->o.quick ? 100u : 1u);
			struct build_case c;
			struct artefact a;
			enum err rc;

			if ((rc = build_case_shape(&c, &shapes[i], (enum precision)p,
				     r->best, "tests/bench/first", ctx)) ||
				(rc = build_case_build(
					 &c, r->o.dir, "builds", &a, ctx)) ||
				(i == 0 && (rc = measure_first(r, &c, &a, ctx))) ||
				(rc = measure_tail(r, &c, &a, n, ctx)))
				return rc;
		}
	return ERR_OK;
}

/* ---- what it says */

static int is_met(const struct goal *g)
{
	return g->value <= g->wanted;
}

static void print(const struct report *r)
{
	size_t n_met = 0;

	printf("machine   %s\ncompiler  %s\nkernels   %s (%s)\n\n%-66s %9s %12s\n",
		r->m.cpu, r->m.compiler, r->best->name, r->best->cflags, "goal",
		"measured", "wanted");
	for (size_t i = 0; i < r->n_goals; i++) {
		const struct goal *g = &r->goal[i];

		printf("%-66s %9.*f <= %9.*f  %s\n", g->what, g->wanted < 100 ? 3 : 0,
			g->value, g->wanted < 100 ? 2 : 0, g->wanted,
			is_met(g) ? "met" : "NOT MET");
		if (*g->remark)
			printf("    %s\n", g->remark);
		n_met += (size_t)is_met(g);
	}
	printf("%zu of %zu goals met\n", n_met, r->n_goals);
}

static enum err write_json(struct report *r, const char *path, struct err_ctx *ctx)
{
	json_t *goals = json_array();
	enum err rc = ERR_NOMEM;
	char *text;

	for (size_t i = 0; i < r->n_goals; i++) {
		const struct goal *g = &r->goal[i];

		json_array_append_new(goals,
			json_pack("{s:s, s:f, s:s, s:f, s:b, s:s}", "goal", g->what,
				"wanted", g->wanted, "sense", "at most", "value",
				g->value, "met", is_met(g), "remark", g->remark));
	}
	json_object_set_new(r->json, "goals", goals);
	text = json_dumps(r->json, JSON_INDENT(1) | JSON_REAL_PRECISION(8));
	if (text)
		rc = file_write_atomic(path, text, strlen(text), 0644, ctx);
	else
		err_set(ctx, rc, "out of memory");
	free(text);
	return rc;
}

/* Everything on one processor: the one named, or the one that this runs on. */
static enum err pin(struct err_ctx *ctx)
{
	const char *name = getenv("BENCH_CPU");
	int cpu = name && *name ? atoi(name) : sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)(cpu < 0 ? 0 : cpu), &set);
	if (sched_setaffinity(0, sizeof(set), &set) && name && *name)
		return err_set(ctx, ERR_USAGE, "cannot run on BENCH_CPU '%s'", name);
	return ERR_OK;
}

static enum err run(struct report *r, struct err_ctx *ctx)
{
	const char *dir = getenv("BENCH_DIR"), *quick = getenv("BENCH_QUICK");
	char path[4096];
	enum err rc;

	r->o.quick = quick && *quick && strcmp(quick, "0") != 0;
	r->o.dir = dir && *dir ? dir : "build/bench";
	r->n_builds = r->o.quick ? 2 : 9;
	r->n_processes = r->o.quick ? 10 : 300;
	if ((rc = pin(ctx)) || (rc = file_mkdirs(r->o.dir, ctx)) ||
		(rc = machine_init(
			 &r->m, &(struct options){.quick = 1, .dir = r->o.dir}, ctx)))
		return rc;
	r->best = &r->m.set[r->m.n_sets - 1];
	r->builds = json_array();
	r->code = json_array();
	r->first = json_array();
	r->tails = json_array();
	r->json = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "cpu", r->m.cpu,
		"compiler", r->m.compiler, "kernels", r->best->name, "quick", r->o.quick,
		"builds", r->builds, "code", r->code, "first_runs", r->first, "tails",
		r->tails);
	if (!r->json)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	if ((rc = measure_builds(r, ctx)) || (rc = measure_code(r, ctx)) ||
		(rc = measure_runs(r, ctx)))
		return rc;
	print(r);
	if ((rc = file_join(path, sizeof(path), r->o.dir, "build.json", ctx)) ||
		(rc = write_json(r, path, ctx)))
		return rc;
	printf("everything is in %s\n", path);
	return ERR_OK;
}

int main(void)
{
	struct report *r = calloc(1, sizeof(*r));
	struct err_ctx ctx;
	enum err rc = r ? run(r, &ctx) : err_set(&ctx, ERR_NOMEM, "out of memory");

	if (rc)
		fprintf(stderr, "bench: %s\n", ctx.msg);
	if (r)
		json_decref(r->json);
	free(r);
	return err_exit_code(rc);
}
