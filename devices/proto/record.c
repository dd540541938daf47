#include "devices/proto/record.h"

static int finite_sample(float v)
{
	return v >= 0 && v <= 3e38f; /* false for NaN */
}

static int scan_golden(struct get *g, struct record_golden *r)
{
	r->n_checked = get_u32(g);
	r->pass = get_u8(g);
	r->worst = get_f64(g);
	r->golden = get_u32(g);
	r->tensor = get_u8(g);
	r->element = get_u32(g);
	r->got = get_f32(g);
	r->want = get_f32(g);
	return get_end(g) && r->pass <= 1 && r->tensor <= 2 && r->worst >= 0;
}

static int scan_time(struct get *g, struct record_time *t)
{
	t->n = get_u32(g);
	t->inner = get_u32(g);
	t->start_ns = get_u64(g);
	t->end_ns = get_u64(g);
	t->n_inferences = get_u64(g);
	t->n_vcsw = get_u32(g);
	t->n_ivcsw = get_u32(g);
	if (t->n == 0 || t->n > TIME_MAX_SAMPLES || t->inner == 0 ||
		t->end_ns < t->start_ns || t->n_inferences != (uint64_t)t->n * t->inner)
		return 0;
	t->samples = get_bytes(g, 8 * (size_t)t->n);
	if (!get_end(g))
		return 0;
	for (uint32_t i = 0; i < t->n; i++) {
		float wall, cpu;

		record_sample(t, i, &wall, &cpu);
		if (!finite_sample(wall) || !finite_sample(cpu))
			return 0;
	}
	return 1;
}

static int scan_error(struct get *g, struct record_summary *out)
{
	get_str(g, out->error, sizeof(out->error));
	return get_end(g);
}

static int scan_one(uint32_t kind, struct get *body, struct record_summary *out)
{
	switch (kind) {
	case RECORD_GOLDEN:
		out->n_golden++;
		return scan_golden(body, &out->golden);
	case RECORD_TIME:
		out->n_time++;
		return scan_time(body, &out->time);
	case RECORD_STEPS:
		out->n_steps++;
		out->n_cached = get_u32(body);
		return scan_time(body, &out->steps);
	case RECORD_OUTPUT:
		out->n_output++;
		out->output_bytes += body->len;
		return 1;
	case RECORD_ERROR:
		out->n_error++;
		return scan_error(body, out);
	default:
		return 0;
	}
}

int record_scan(const uint8_t *stream, size_t len, struct record_summary *out)
{
	struct get g;

	memset(out, 0, sizeof(*out));
	get_init(&g, stream, len);
	if (get_u32(&g) != RECORD_MAGIC)
		return 0;
	for (;;) {
		size_t start = g.pos;
		uint32_t kind = get_u32(&g), n = get_u32(&g);
		const uint8_t *bytes = get_bytes(&g, n);
		struct get body;

		if (!bytes)
			return 0;
		get_init(&body, bytes, n);
		if (kind == RECORD_END)
			return get_u64(&body) == start && get_end(&body) && get_end(&g);
		if (!scan_one(kind, &body, out))
			return 0;
	}
}

void record_output(const uint8_t *stream, size_t len, uint8_t *out)
{
	struct get g;

	get_init(&g, stream, len);
	get_u32(&g);
	for (;;) {
		uint32_t kind = get_u32(&g), n = get_u32(&g);
		const uint8_t *bytes = get_bytes(&g, n);

		if (!bytes || kind == RECORD_END)
			return;
		if (kind == RECORD_OUTPUT) {
			memcpy(out, bytes, n);
			out += n;
		}
	}
}

void record_sample(const struct record_time *t, uint32_t i, float *wall_ns, float *cpu_ns)
{
	struct get g;

	get_init(&g, t->samples + 8 * (size_t)i, 8);
	*wall_ns = get_f32(&g);
	*cpu_ns = get_f32(&g);
}
