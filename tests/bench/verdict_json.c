/* The JSON file: everything that was measured, by slice, and the judgements. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "tests/bench/verdict.h"

static json_t *number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *slices(const struct series *s, enum bench_clock clock, size_t n_rounds)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n_rounds; i++)
		json_array_append_new(a, number(series_values(s, clock)[i]));
	return a;
}

static json_t *engine_json(const struct contest *c, const struct engine *e)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(e->name));
	json_object_set_new(o, "precision", json_string(precision_names[e->precision]));
	if (e->absent) {
		json_object_set_new(o, "skipped", json_string(e->remark));
		return o;
	}
	json_object_set_new(o, "remark", json_string(e->remark));
	json_object_set_new(o, "median_ns", number(series_median(&e->series, c->clock)));
	json_object_set_new(
		o, "slices_wall_ns", slices(&e->series, CLOCK_WALL, c->n_rounds));
	json_object_set_new(
		o, "slices_cpu_ns", slices(&e->series, CLOCK_CPU, c->n_rounds));
	json_object_set_new(o, "samples", json_integer((json_int_t)e->series.n_samples));
	json_object_set_new(o, "samples_switched_out",
		json_integer((json_int_t)e->series.n_switched));
	if (e->kind == ENGINE_READING)
		json_object_set_new(
			o, "read_bytes", json_integer((json_int_t)e->read_bytes));
	if (!isnan(e->difference))
		json_object_set_new(o, "logits_difference", number(e->difference));
	if (e->kind != ENGINE_OURS)
		return o;
	json_object_set_new(o, "cflags", json_string(e->set->cflags));
	json_object_set_new(o, "tokens", json_integer(e->tokens));
	json_object_set_new(o, "golden_error", number(e->golden_error));
	json_object_set_new(
		o, "text_bytes", json_integer((json_int_t)e->artefact.text_bytes));
	json_object_set_new(
		o, "weight_bytes", json_integer((json_int_t)e->artefact.weight_bytes));
	json_object_set_new(
		o, "arena_bytes", json_integer((json_int_t)e->artefact.arena_bytes));
	return o;
}

/* "gelu 0.26 norm 0.09 end" */
static json_t *kernels_json(const char *text)
{
	char copy[200], *save = NULL;
	json_t *o = json_object();

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *v = strtok_r(NULL, " ", &save);

		if (v)
			json_object_set_new(o, w, number(strtod(v, NULL)));
	}
	return o;
}

static json_t *contest_json(const struct contest *c, const struct machine *m)
{
	json_t *o = json_object(), *engines = json_array(), *k = json_object();

	json_object_set_new(o, "shape",
		json_string(c->shape ? c->shape->name : "decoder 6x288x6x768"));
	json_object_set_new(o, "macs", number(c->macs));
	json_object_set_new(
		o, "clock", json_string(c->clock == CLOCK_WALL ? "wall" : "cpu"));
	json_object_set_new(o, "rounds", json_integer((json_int_t)c->n_rounds));
	for (int p = 0; p < N_PRECISIONS; p++) {
		char name[32];

		snprintf(name, sizeof(name), "bound_%s_ns", precision_names[p]);
		json_object_set_new(o, name,
			c->shape ? number(contest_bound_ns(c, (enum precision)p))
				 : json_null());
		snprintf(name, sizeof(name), "read_%s_bytes", precision_names[p]);
		json_object_set_new(o, name, number(c->weight_bytes[p]));
	}
	if (c->shape) {
		json_object_set_new(o, "peer", json_string(c->peer_versions));
		json_object_set_new(o, "peer_call_ns", number(contest_call_ns(c)));
	}
	for (unsigned i = 0; i < c->n; i++)
		json_array_append_new(engines, engine_json(c, &c->engine[i]));
	json_object_set_new(o, "engines", engines);
	for (unsigned i = 0; i < m->n_sets; i++)
		if (c->kernels[i][0])
			json_object_set_new(
				k, m->set[i].name, kernels_json(c->kernels[i]));
	json_object_set_new(o, "kernels_ns_an_element", k);
	return o;
}

static json_t *machine_json(const struct machine *m)
{
	json_t *o = json_object(), *read = json_array();

	json_object_set_new(o, "cpu", json_string(m->cpu));
	json_object_set_new(o, "compiler", json_string(m->compiler));
	json_object_set_new(o, "openblas_core", json_string(m->blas_core));
	for (unsigned i = 0; i < N_READ_SIZES; i++)
		json_array_append_new(
			read, json_pack("{s:I, s:f}", "bytes", (json_int_t)read_sizes[i],
				      "bytes_s", m->read_bytes_s[i]));
	json_object_set_new(o, "read", read);
	return o;
}

static json_t *goals_json(const struct bench_result *r)
{
	static struct judgement j[MAX_JUDGEMENTS];
	size_t n = verdict_judge(r, j);
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "goal", json_string(j[i].what));
		json_object_set_new(o, "wanted", number(j[i].goal));
		json_object_set_new(
			o, "sense", json_string(j[i].at_most ? "at most" : "at least"));
		json_object_set_new(o, "value", number(j[i].value));
		json_object_set_new(o, "low", number(j[i].range.lo));
		json_object_set_new(o, "high", number(j[i].range.hi));
		if (j[i].missing)
			json_object_set_new(o, "skipped", json_string(j[i].missing));
		else
			json_object_set_new(
				o, "met", json_boolean(judgement_is_met(&j[i])));
		json_array_append_new(a, o);
	}
	return a;
}

enum err verdict_write(
	const struct bench_result *r, const char *path, struct err_ctx *ctx)
{
	json_t *o = json_object(), *shapes_json = json_array();
	enum err rc = ERR_NOMEM;
	char *text;

	json_object_set_new(o, "machine", machine_json(r->machine));
	json_object_set_new(o, "quick", json_boolean(r->options->quick));
	for (unsigned i = 0; i < r->n_contests; i++)
		json_array_append_new(
			shapes_json, contest_json(&r->contest[i], r->machine));
	json_object_set_new(o, "shapes", shapes_json);
	if (r->has_decoder)
		json_object_set_new(o, "decoder", contest_json(&r->decoder, r->machine));
	json_object_set_new(o, "goals", goals_json(r));
	text = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(8));
	json_decref(o);
	if (text)
		rc = file_write_atomic(path, text, strlen(text), 0644, ctx);
	else
		err_set(ctx, rc, "out of memory");
	free(text);
	return rc;
}
