#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "src/base/clock.h"
#include "src/base/file.h"
#include "src/base/stats.h"
#include "src/codegen/codegen.h"
#include "tests/bench/build.h"

enum err build_case_shape(struct build_case *c, const struct shape *s, enum precision p,
	const struct set_choice *set, const char *harness, struct err_ctx *ctx)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s %s %s", s->name, precision_names[p],
		set->name);
	c->task = &encoder_task;
	c->set = set;
	c->harness = harness;
	c->n_golden = s->seq_len;
	c->seed = 1;
	return shape_genome(
		s, p, set->optimised ? KERNELS_OPT : KERNELS_REF, &c->genome, ctx);
}

enum err build_case_build(const struct build_case *c, const char *dir, const char *cache,
	struct artefact *out, struct err_ctx *ctx)
{
	struct random_weights random = {c->seed};
	struct target target = {"gcc", c->set->cflags, c->set->isa, c->harness};
	struct codegen_input in = {.genome = &c->genome,
		.task = *c->task,
		.weights = tensor_source_random(&random),
		.golden_len = &c->n_golden,
		.n_golden = 1,
		.timed_tokens = c->n_golden};
	int32_t *ids = malloc(c->n_golden * sizeof(*ids));
	char path[4096];
	struct rng rng;
	enum err rc;

	if (!ids)
		return err_set(ctx, ERR_NOMEM, "out of memory");
	rng_init(&rng, 1);
	for (uint32_t i = 0; i < c->n_golden; i++)
		ids[i] = (int32_t)rng_below(&rng, c->genome.vocab_size);
	in.golden_ids = ids;
	hash_bytes(&in.weights_hash, &c->seed, sizeof(c->seed));
	rc = file_join(path, sizeof(path), dir, cache, ctx);
	if (!rc)
		rc = codegen_build(&in, &target, path, out, NULL, ctx);
	free(ids);
	return rc;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

/* Of this process and of all children that have ended. */
static double cpu_seconds(void)
{
	struct rusage own, children;

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return seconds(own.ru_utime) + seconds(own.ru_stime) +
	       seconds(children.ru_utime) + seconds(children.ru_stime);
}

static enum err timed_build(const struct build_case *c, const char *dir,
	const char *cache, struct artefact *out, double *wall_s, double *cpu_s,
	struct err_ctx *ctx)
{
	double cpu = cpu_seconds();
	uint64_t begin = clock_mono_ns();
	enum err rc = build_case_build(c, dir, cache, out, ctx);

	*wall_s = (double)(clock_mono_ns() - begin) * 1e-9;
	*cpu_s = cpu_seconds() - cpu;
	return rc;
}

enum err build_time_measure(struct build_time *t, struct build_case *c, const char *dir,
	unsigned n, struct err_ctx *ctx)
{
	static const char *const caches[] = {"cold", "cold-with-a-longer-path"};
	struct artefact a, b;
	char path[4096];
	enum err rc;

	memset(t, 0, sizeof(*t));
	for (int i = 0; i < 2; i++)
		if ((rc = file_join(path, sizeof(path), dir, caches[i], ctx)) ||
			(rc = file_remove_tree(path, ctx)))
			return rc;
	c->seed = 1;
	if ((rc = timed_build(
		     c, dir, caches[0], &a, &t->cold_wall_s, &t->cold_cpu_s, ctx)) ||
		(rc = build_case_build(c, dir, caches[1], &b, ctx)))
		return rc;
	t->same_bytes = hash_equal(&a.image, &b.image) && a.image_bytes == b.image_bytes;
	t->image_bytes = a.image_bytes;
	for (t->n = 0; t->n < n && t->n < MAX_REPEATS; t->n++) {
		c->seed++;
		rc = timed_build(
			c, dir, caches[0], &b, &t->wall_s[t->n], &t->cpu_s[t->n], ctx);
		if (rc)
			return rc;
	}
	for (int i = 0; i < 2; i++)
		if ((rc = file_join(path, sizeof(path), dir, caches[i], ctx)) ||
			(rc = file_remove_tree(path, ctx)))
			return rc;
	return ERR_OK;
}

double build_time_judged(const struct build_time *t, int *is_wall)
{
	double wall[MAX_REPEATS];
	unsigned n = 0;

	for (unsigned i = 0; i < t->n; i++)
		if (t->wall_s[i] <= 1.1 * t->cpu_s[i] + 0.03)
			wall[n++] = t->wall_s[i];
	*is_wall = 2 * n >= t->n;
	return *is_wall ? stats_median(wall, n) : stats_median(t->cpu_s, t->n);
}
