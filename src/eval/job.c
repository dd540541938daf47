#include "src/eval/job.h"

#include <stdio.h>
#include <string.h>

#include "src/base/yaml.h"

/* A number of the job file and where it goes. */
struct field {
	const char *key;
	double lo, hi;
	uint32_t *u32;
	double *real;
};

struct parser {
	struct yaml_doc *doc;
	struct job *j;
	struct err_ctx *ctx;
};

static enum err parse_name(struct parser *p, const struct yaml_node *root,
	const char *key, int required, char *out, size_t cap)
{
	const struct yaml_node *n = yaml_get(root, key);
	const char *s;
	enum err e;

	if (!n && !required)
		return ERR_OK;
	if ((e = yaml_require(p->doc, root, key, &n, p->ctx)) ||
		(e = yaml_str(p->doc, n, &s, p->ctx)))
		return e;
	if (!*s || strlen(s) >= cap)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'%s' is empty or longer than %zu characters", key, cap - 1);
	snprintf(out, cap, "%s", s);
	return ERR_OK;
}

static enum err parse_job_name(struct parser *p, const struct yaml_node *root)
{
	enum err e = parse_name(p, root, "job", 1, p->j->name, sizeof(p->j->name));

	for (const char *c = p->j->name; !e && *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
			    *c) ||
			p->j->name[0] == '.')
			return yaml_err(p->doc, yaml_get(root, "job"), ERR_INVALID,
				p->ctx,
				"job name '%s' may hold letters, digits, '-', '_' and "
				"'.' only",
				p->j->name);
	if (!e && !strcmp(p->j->name, "measure"))
		return yaml_err(p->doc, yaml_get(root, "job"), ERR_INVALID, p->ctx,
			"'measure' is where 'hawser measure' keeps what it finds; give "
			"the job another name");
	return e;
}

static enum err parse_objectives(struct parser *p, const struct yaml_node *root)
{
	const struct yaml_node *n, *item;
	const char *s;
	struct err_ctx why;
	struct job *j = p->j;
	enum err e;

	if ((e = yaml_require(p->doc, root, "objectives", &n, p->ctx)))
		return e;
	if (yaml_kind(n) != YAML_SEQUENCE || yaml_count(n) < 2 ||
		yaml_count(n) > OBJECTIVES_MAX)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'objectives' needs a list of 2 to %d metrics", OBJECTIVES_MAX);
	for (size_t i = 0; i < yaml_count(n); i++) {
		item = yaml_item(n, i);
		if ((e = yaml_str(p->doc, item, &s, p->ctx)))
			return e;
		if ((e = objective_parse(&j->objectives[i], s, &why)))
			return yaml_err(p->doc, item, ERR_INVALID, p->ctx, "%s", why.msg);
		for (size_t k = 0; k < i; k++)
			if (j->objectives[k].metric == j->objectives[i].metric &&
				!strcmp(j->objectives[k].device, j->objectives[i].device))
				return yaml_err(p->doc, item, ERR_INVALID, p->ctx,
					"objective '%s' is there twice", s);
		j->n_objectives++;
	}
	return ERR_OK;
}

static enum err parse_limits(struct parser *p, const struct yaml_node *root)
{
	const struct yaml_node *n = yaml_get(root, "limits"), *item;
	const char *s;
	struct err_ctx why;
	enum err e;

	if (!n)
		return ERR_OK;
	if (yaml_kind(n) != YAML_SEQUENCE || yaml_count(n) > JOB_MAX_LIMITS)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'limits' needs a list of at most %d limits", JOB_MAX_LIMITS);
	for (size_t i = 0; i < yaml_count(n); i++) {
		item = yaml_item(n, i);
		if ((e = yaml_str(p->doc, item, &s, p->ctx)))
			return e;
		if ((e = limit_parse(&p->j->limits[i], s, &why)))
			return yaml_err(p->doc, item, ERR_INVALID, p->ctx, "%s", why.msg);
		p->j->n_limits++;
	}
	return ERR_OK;
}

/* A mapping of numbers; keys that are no field go to the training options, if any. */
static enum err parse_numbers(struct parser *p, const struct yaml_node *root,
	const char *section, const struct field *fields, size_t n_fields,
	struct train_options *train)
{
	const struct yaml_node *n = yaml_get(root, section);
	const char *known[24];
	struct err_ctx why;
	double v;
	enum err e;

	if (!n)
		return ERR_OK;
	for (size_t i = 0; i < n_fields; i++)
		known[i] = fields[i].key;
	known[n_fields] = NULL;
	if (yaml_kind(n) != YAML_MAPPING)
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'%s' needs a mapping, as in {key: number}", section);
	if (!train && (e = yaml_check_keys(p->doc, n, known, p->ctx)))
		return e;
	for (size_t i = 0; i < yaml_count(n); i++) {
		const struct yaml_node *item = yaml_value(n, i);
		const struct field *f = NULL;

		for (size_t k = 0; k < n_fields; k++)
			if (!strcmp(fields[k].key, yaml_key(n, i)))
				f = &fields[k];
		if (f && !f->u32 && !f->real)
			continue; /* not a number: somebody else reads it */
		if ((e = yaml_double(p->doc, item, f ? f->lo : -1e9, f ? f->hi : 1e9, &v,
			     p->ctx)))
			return e;
		if (!f) {
			if ((e = train_options_set(train, yaml_key(n, i), v, &why)))
				return yaml_err(
					p->doc, item, ERR_INVALID, p->ctx, "%s", why.msg);
		} else if (f->real) {
			*f->real = v;
		} else if (v != (double)(uint32_t)v) {
			return yaml_err(p->doc, item, ERR_INVALID, p->ctx,
				"'%s' needs a whole number", f->key);
		} else {
			*f->u32 = (uint32_t)v;
		}
	}
	return ERR_OK;
}

static enum err parse_search(struct parser *p, const struct yaml_node *root)
{
	struct search_options *s = &p->j->search;
	const struct field fields[] = {
		{"algorithm", 0, 0, NULL, NULL},
		{"initial", 2, 100000, &s->n_initial, NULL},
		{"batch", 1, 1000, &s->batch, NULL},
		{"population", 4, 10000, &s->population, NULL},
		{"evolve", 0, 10000, &s->inner_generations, NULL},
		{"refine", 0, 100000, &s->n_refine, NULL},
		{"explore", 0, 1, NULL, &s->explore},
	};
	const struct yaml_node *n = yaml_get(root, "search"), *a;
	const char *name;
	enum err e = parse_numbers(
		p, root, "search", fields, sizeof(fields) / sizeof(fields[0]), NULL);

	a = n && !e ? yaml_get(n, "algorithm") : NULL;
	if (e || !a)
		return e;
	if ((e = yaml_str(p->doc, a, &name, p->ctx)))
		return e;
	if (strcmp(name, "model") && strcmp(name, "nsga2") && strcmp(name, "random"))
		return yaml_err(p->doc, a, ERR_INVALID, p->ctx,
			"unknown algorithm '%.40s' (model, nsga2, random)", name);
	snprintf(s->algorithm, sizeof(s->algorithm), "%s", name);
	return ERR_OK;
}

static enum err parse_sections(struct parser *p, const struct yaml_node *root)
{
	struct job *j = p->j;
	const struct field stop[] = {
		{"candidates", 0, 1e9, &j->search.max_candidates, NULL},
		{"generations", 0, 1e9, &j->search.max_generations, NULL},
		{"patience", 0, 1e9, &j->search.patience, NULL},
		{"hours", 0, 1e6, NULL, &j->max_hours},
	};
	const struct field final[] = {
		{"candidates", 0, 1000, &j->n_final, NULL},
		{"seeds", 1, 100, &j->n_final_seeds, NULL},
		{"device_inputs", 0, 1e9, &j->n_device_inputs, NULL},
	};
	const struct field measure[] = {
		{"min_processes", 2, 1000, &j->measure.min_processes, NULL},
		{"max_processes", 2, 1000, &j->measure.max_processes, NULL},
		{"precision", 0.0001, 1, NULL, &j->measure.precision},
		{"samples", 1, 100000, &j->measure.n_samples, NULL},
		{"warmup", 0, 100000, &j->measure.n_warmup, NULL},
		{"min_sample_us", 0, 1e6, &j->measure.min_sample_ns, NULL},
		{"tokens", 0, 8192, &j->measure.n_tokens, NULL},
	};
	uint32_t default_ns = j->measure.min_sample_ns;
	enum err e;

	j->measure.min_sample_ns = 0;
	if ((e = parse_search(p, root)) ||
		(e = parse_numbers(p, root, "stop", stop, 4, NULL)) ||
		(e = parse_numbers(p, root, "supernet", NULL, 0, &j->supernet)) ||
		(e = parse_numbers(p, root, "final", final, 3, &j->final)) ||
		(e = parse_numbers(p, root, "measure", measure, 7, NULL)))
		return e;
	j->measure.min_sample_ns =
		j->measure.min_sample_ns ? j->measure.min_sample_ns * 1000 : default_ns;
	if (j->measure.max_processes < j->measure.min_processes)
		return yaml_err(p->doc, yaml_get(root, "measure"), ERR_INVALID, p->ctx,
			"max_processes %u is less than min_processes %u",
			j->measure.max_processes, j->measure.min_processes);
	return ERR_OK;
}

static void hash_spec(struct job *j)
{
	struct hash_state h;
	char text[2 * METRIC_NAME_MAX + 64];
	const struct search_options *s = &j->search;
	const struct measure_options *m = &j->measure;

	hash_init(&h);
	hash_field_str(&h, j->data);
	hash_field_str(&h, j->format);
	hash_field_str(&h, j->space);
	for (size_t i = 0; i < j->n_objectives; i++) {
		objective_format(&j->objectives[i], text, sizeof(text));
		hash_field_str(&h, text);
	}
	for (size_t i = 0; i < j->n_limits; i++) {
		objective_format(&j->limits[i].what, text, sizeof(text));
		hash_field_str(&h, text);
		hash_field_str(&h, j->limits[i].op);
		hash_field(&h, &j->limits[i].bound, sizeof(double));
	}
	snprintf(text, sizeof(text), "%llu %u %u %u %u %u %.9g",
		(unsigned long long)j->seed, s->n_initial, s->batch, s->population,
		s->inner_generations, s->n_refine, s->explore);
	hash_field_str(&h, text);
	hash_field_str(&h, s->algorithm);
	snprintf(text, sizeof(text), "%u %u %u %u %u %.9g %u", m->min_processes,
		m->max_processes, m->n_warmup, m->n_samples, m->min_sample_ns,
		m->precision, m->n_tokens);
	hash_field_str(&h, text);
	train_options_hash(&j->supernet, &h);
	if (j->tune) /* jobs from before there was tuning keep their hash */
		hash_field_str(&h, "tune");
	hash_final(&h, &j->spec);
}

static enum err parse_tune(struct parser *p, const struct yaml_node *root)
{
	const struct yaml_node *n = yaml_get(root, "tune");
	const char *word;
	enum err e = n ? yaml_str(p->doc, n, &word, p->ctx) : ERR_OK;

	if (!n || e)
		return e;
	p->j->tune = !strcmp(word, "yes");
	if (!p->j->tune && strcmp(word, "no"))
		return yaml_err(p->doc, n, ERR_INVALID, p->ctx,
			"'tune' is '%.40s', yes or no is allowed", word);
	return ERR_OK;
}

static enum err parse_root(struct parser *p, const struct yaml_node *root)
{
	static const char *const keys[] = {"job", "data", "format", "space", "seed",
		"objectives", "limits", "search", "stop", "supernet", "final", "measure",
		"tune", "device_wait_s", NULL};
	struct job *j = p->j;
	const struct yaml_node *n;
	int64_t seed = 1;
	enum err e;

	if ((e = yaml_check_keys(p->doc, root, keys, p->ctx)) ||
		(e = parse_job_name(p, root)) ||
		(e = parse_name(p, root, "data", 1, j->data, sizeof(j->data))) ||
		(e = parse_name(p, root, "format", 0, j->format, sizeof(j->format))) ||
		(e = parse_name(p, root, "space", 1, j->space, sizeof(j->space))) ||
		(e = parse_objectives(p, root)) || (e = parse_limits(p, root)))
		return e;
	n = yaml_get(root, "seed");
	if (n && (e = yaml_int(p->doc, n, 0, INT64_MAX, &seed, p->ctx)))
		return e;
	j->seed = (uint64_t)seed;
	n = yaml_get(root, "device_wait_s");
	if (n && (e = yaml_double(p->doc, n, 0, 1e9, &j->device_wait_s, p->ctx)))
		return e;
	if ((e = parse_tune(p, root)))
		return e;
	return parse_sections(p, root);
}

enum err job_parse(
	struct job *out, const char *text, const char *file, struct err_ctx *ctx)
{
	struct job j;
	struct parser p = {NULL, &j, ctx};
	enum err e;

	memset(&j, 0, sizeof(j));
	search_options_default(&j.search);
	train_options_default(&j.supernet, TASK_INTENT_SLOTS);
	train_options_default(&j.final, TASK_INTENT_SLOTS);
	measure_options_default(&j.measure);
	j.n_final = 6;
	j.n_final_seeds = 1;
	j.device_wait_s = 600;
	if ((e = yaml_parse(&p.doc, text, file, ctx)))
		return e;
	e = parse_root(&p, yaml_root(p.doc));
	yaml_close(p.doc);
	if (e)
		return e;
	j.search.seed = j.supernet.seed = j.final.seed = j.measure.seed = j.seed;
	hash_spec(&j);
	*out = j;
	return ERR_OK;
}
