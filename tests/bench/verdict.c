#include "tests/bench/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

double contest_call_ns(const struct contest *c)
{
	const struct engine *e = engine_find(c->engine, c->n, "ort empty");
	double ns = e ? series_median(&e->series, c->clock) : NAN;

	return isnan(ns) ? 0 : ns;
}

double contest_bound_ns(const struct contest *c, enum precision p)
{
	const struct rate *r = rate_best(p != FP32);
	const struct engine *e;
	char name[64];

	if (!r)
		return NAN;
	snprintf(name, sizeof(name), "peak %s", r->name);
	e = engine_find(c->engine, c->n, name);
	return e ? c->macs / 1e6 * series_median(&e->series, CLOCK_WALL) : NAN;
}

int judgement_is_met(const struct judgement *j)
{
	return j->at_most ? j->value <= j->goal : j->value >= j->goal;
}

/* ---- goals */

struct list {
	const struct bench_result *r;
	struct judgement *out;
	size_t n;
};

static struct judgement *add(struct list *l, double goal, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static struct judgement *add(struct list *l, double goal, const char *fmt, ...)
{
	struct judgement *j = &l->out[l->n++];
	va_list ap;

	memset(j, 0, sizeof(*j));
	j->value = j->range.lo = j->range.hi = NAN;
	j->goal = goal;
	va_start(ap, fmt);
	vsnprintf(j->what, sizeof(j->what), fmt, ap);
	va_end(ap);
	return j;
}

static const struct set_choice *best_set(const struct list *l)
{
	return &l->r->machine->set[l->r->machine->n_sets - 1];
}

/* The better one of dynamic and static scales. */
static const struct engine *best(
	const struct list *l, const struct contest *c, enum precision p)
{
	const struct set_choice *set = best_set(l);

	return engine_faster(engine_ours(c->engine, c->n, set, p, SCALES_DYNAMIC),
		engine_ours(c->engine, c->n, set, p, SCALES_STATIC), c->clock);
}

/* The peer's engine that a precision is held against. */
static const struct engine *rival(const struct contest *c, enum precision p)
{
	static const char *const names[N_PRECISIONS][2] = {
		{"ort fp32-fused", NULL},
		{"ort int8-dyn", "ort int8-fused"},
		{"ort int4-plain", "ort int4-fused"},
	};
	const struct engine *a = engine_find(c->engine, c->n, names[p][0]), *b = NULL;

	if (names[p][1])
		b = engine_find(c->engine, c->n, names[p][1]);
	return engine_faster(a, b, c->clock);
}

static void judge_peer(struct list *l, const struct contest *c, enum precision p)
{
	const struct engine *ours = best(l, c, p), *theirs = rival(c, p);
	struct judgement *j = add(l, c->shape->times_peer[p],
		"%s %s: times faster than %s", c->shape->name, precision_names[p],
		theirs ? theirs->name : "ONNX Runtime");
	struct ratio r;

	if (!ours || !theirs) {
		j->missing = ours ? "no peer" : "no engine of ours";
		return;
	}
	r = series_ratio(&theirs->series, &ours->series, c->clock, contest_call_ns(c));
	j->value = r.median;
	j->range = r.range;
}

static void judge_threads(struct list *l, const struct contest *c)
{
	const struct engine *one = engine_ours(
				    c->engine, c->n, best_set(l), INT8, SCALES_DYNAMIC),
			    *two = NULL;
	struct judgement *j = add(l,
		c->shape - shapes >= TWO_THREADS_FROM ? TWO_THREADS_TIMES
						      : TWO_THREADS_LEAST,
		"%s int8: two threads, times faster than one", c->shape->name);
	char name[64];
	struct ratio r;

	snprintf(name, sizeof(name), TWO_THREADS, best_set(l)->name);
	for (unsigned i = 0; i < c->n; i++)
		if (!strcmp(c->engine[i].name, name))
			two = &c->engine[i];
	if (one && two && two->absent &&
		hash_equal(&two->artefact.build, &one->artefact.build)) {
		j->value = j->range.lo = j->range.hi = 1;
		return;
	}
	if (!one || !two || two->absent) {
		j->missing = "no engine of ours";
		return;
	}
	r = series_ratio(&one->series, &two->series, c->clock, 0);
	j->value = r.median;
	j->range = r.range;
}

static void judge_shape(struct list *l, const struct contest *c)
{
	const struct engine *ours = best(l, c, INT8), *v3 = NULL;
	/* the network that the AVX2 build is of */
	const struct engine *same =
		engine_ours(c->engine, c->n, best_set(l), INT8, SCALES_DYNAMIC);
	struct judgement *j;

	judge_peer(l, c, INT8);
	j = add(l, c->shape->share_int8, "%s int8: share of the arithmetic bound",
		c->shape->name);
	if (ours)
		j->value = contest_bound_ns(c, INT8) /
			   series_median(&ours->series, c->clock);
	if (isnan(j->value))
		j->missing = ours ? "no rate of this processor" : "no engine of ours";
	judge_peer(l, c, INT4);
	judge_peer(l, c, FP32);
	judge_threads(l, c);
	for (unsigned i = 0; i + 1 < l->r->machine->n_sets && ours; i++)
		if (!strcmp(l->r->machine->set[i].isa, "x86-avx2"))
			v3 = engine_ours(c->engine, c->n, &l->r->machine->set[i], INT8,
				SCALES_DYNAMIC);
	if (v3 && same) {
		struct ratio r = series_ratio(&v3->series, &same->series, c->clock, 0);

		j = add(l, 2.2, "%s int8: AVX2 build, times slower than the best",
			c->shape->name);
		j->at_most = 1;
		j->value = r.median;
		j->range = r.range;
	}
	if (ours && c->shape->seq_len == 32) {
		char name[96];
		const struct engine *few;

		snprintf(name, sizeof(name), SHORT_NAME, ours->name);
		few = engine_find(c->engine, c->n, name);
		if (few) {
			struct ratio r =
				series_ratio(&few->series, &ours->series, c->clock, 0);

			j = add(l, 0.36, "%s int8: 9 tokens, share of the full time",
				c->shape->name);
			j->at_most = 1;
			j->value = r.median;
			j->range = r.range;
		}
	}
}

static void judge_decoder(struct list *l, const struct contest *c)
{
	const struct engine *ours[N_PRECISIONS];
	struct judgement *j;
	struct ratio r;

	for (int p = INT8; p <= INT4; p++) {
		const struct engine *reading;
		char name[64];

		snprintf(name, sizeof(name), READING, precision_names[p]);
		reading = engine_find(c->engine, c->n, name);
		ours[p] = best(l, c, (enum precision)p);
		j = add(l, decoder_share[p], "decoder %s: share of the reading bound",
			precision_names[p]);
		j->missing = reading && ours[p] ? NULL : "not measured";
		if (j->missing)
			continue;
		r = series_ratio(&reading->series, &ours[p]->series, c->clock, 0);
		j->value = r.median;
		j->range = r.range;
	}
	j = add(l, DECODER_INT4_TIMES_INT8, "decoder int4: times int8's tokens/s");
	if (!ours[INT8] || !ours[INT4]) {
		j->missing = "not measured";
		return;
	}
	r = series_ratio(&ours[INT8]->series, &ours[INT4]->series, c->clock, 0);
	j->value = r.median;
	j->range = r.range;
	j = add(l, DECODER_INT4_SIZE, "decoder int4: packed weights, share of int8's");
	j->at_most = 1;
	j->value = (double)ours[INT4]->artefact.weight_bytes /
		   (double)ours[INT8]->artefact.weight_bytes;
}

size_t verdict_judge(const struct bench_result *r, struct judgement *out)
{
	struct list l = {r, out, 0};

	for (unsigned i = 0; i < r->n_contests; i++)
		judge_shape(&l, &r->contest[i]);
	if (r->has_decoder)
		judge_decoder(&l, &r->decoder);
	return l.n;
}

/* ---- for people */

static void print_machine(FILE *out, const struct bench_result *r)
{
	const struct machine *m = r->machine;

	fprintf(out, "machine   %s\ncompiler  %s\nOpenBLAS  core %s\nkernels  ", m->cpu,
		m->compiler, m->blas_core);
	for (unsigned i = 0; i < m->n_sets; i++)
		fprintf(out, " %s (%s)%s", m->set[i].name, m->set[i].cflags,
			i + 1 < m->n_sets ? "," : "\n");
	fprintf(out, "read GB/s");
	for (unsigned i = 0; i < N_READ_SIZES; i++)
		if (m->read_bytes_s[i] > 0)
			fprintf(out, "  %zu KiB %.0f", read_sizes[i] >> 10,
				m->read_bytes_s[i] / 1e9);
	fputc('\n', out);
	if (m->read_bytes_s[0] <= 0)
		fprintf(out, "  SKIP: no loop that reads on this processor\n");
}

static void print_engine(FILE *out, const struct contest *c, const struct engine *e)
{
	double ns = series_median(&e->series, c->clock);
	int other_clock = isnan(ns);

	if (other_clock)
		ns = series_median(&e->series, CLOCK_CPU);
	fprintf(out, "  %-32s ", e->name);
	if (e->absent) {
		fprintf(out, "SKIP: %s\n", e->remark);
		return;
	}
	if (e->kind == ENGINE_RATE) {
		fprintf(out, "%10.1f GMAC/s", 1e6 / ns);
	} else if (e->kind == ENGINE_READING) {
		fprintf(out, "%10.0f tokens/s at %.1f GB/s", 1e9 / ns,
			(double)e->read_bytes / ns);
	} else if (!c->shape) {
		fprintf(out, "%10.0f tokens/s", 1e9 / ns);
	} else {
		double bound = contest_bound_ns(c, e->precision);

		fprintf(out, "%10.1f us", ns / 1e3);
		if (e->tokens != SHORT_TOKENS && !strstr(e->name, "empty"))
			fprintf(out, "  %5.1f %% of bound", 100 * bound / ns);
		if (!isnan(e->difference))
			fprintf(out, "  logits differ by %.2g", e->difference);
	}
	if (other_clock)
		fprintf(out, "  (thread CPU time)");
	if (e->series.n_switched)
		fprintf(out, "  (%zu of %zu samples switched out)", e->series.n_switched,
			e->series.n_samples);
	if (*e->remark && e->kind != ENGINE_RATE && strcmp(e->remark, "ok") != 0)
		fprintf(out, "  %s", e->remark);
	fputc('\n', out);
}

static void print_contest(FILE *out, const struct contest *c, const struct machine *m)
{
	fprintf(out, "\n%s: %.3g million multiply-adds%s; %zu rounds, %s time\n",
		c->shape ? c->shape->name
			 : "decoder, 6 layers, 288 wide, 128 tokens cached",
		c->macs / 1e6, c->shape ? "" : " a token", c->n_rounds,
		c->clock == CLOCK_WALL ? "wall" : "thread CPU");
	for (unsigned i = 0; i < c->n; i++)
		print_engine(out, c, &c->engine[i]);
	if (c->peer_remark[0])
		fprintf(out, "  SKIP peer: %s\n", c->peer_remark);
	for (unsigned i = 0; i < m->n_sets; i++)
		if (c->kernels[i][0])
			fprintf(out, "  ns an element, %s: %.*s\n", m->set[i].name,
				(int)(strlen(c->kernels[i]) - strlen(" end")),
				c->kernels[i]);
}

static void print_goals(FILE *out, const struct bench_result *r)
{
	static struct judgement j[MAX_JUDGEMENTS];
	size_t n = verdict_judge(r, j), n_met = 0, n_missing = 0;

	fprintf(out, "\n%-66s %8s %17s %8s\n", "goal", "measured", "(95 % interval)",
		"wanted");
	for (size_t i = 0; i < n; i++) {
		char range[32] = "";

		fprintf(out, "%-66s ", j[i].what);
		if (j[i].missing) {
			fprintf(out, "SKIP: %s\n", j[i].missing);
			n_missing++;
			continue;
		}
		if (!isnan(j[i].range.lo))
			snprintf(range, sizeof(range), "(%.2f to %.2f)", j[i].range.lo,
				j[i].range.hi);
		n_met += (size_t)judgement_is_met(&j[i]);
		fprintf(out, "%8.3f %17s %s %5.2f  %s\n", j[i].value, range,
			j[i].at_most ? "<=" : ">=", j[i].goal,
			judgement_is_met(&j[i]) ? "met" : "NOT MET");
	}
	fprintf(out, "%zu of %zu goals met, %zu not measured\n", n_met, n, n_missing);
}

void verdict_print(FILE *out, const struct bench_result *r)
{
	print_machine(out, r);
	for (unsigned i = 0; i < r->n_contests; i++)
		print_contest(out, &r->contest[i], r->machine);
	if (r->has_decoder)
		print_contest(out, &r->decoder, r->machine);
	print_goals(out, r);
	for (unsigned i = 0; i < r->n_contests; i++)
		if (contest_call_ns(&r->contest[i]) > 0) {
			fprintf(out,
				"The peer is called from Python: its empty graph's time "
				"(%.1f us) is taken off before comparing.\n",
				contest_call_ns(&r->contest[i]) / 1e3);
			break;
		}
}
