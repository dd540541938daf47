#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/model/measurement.h"
#include "src/store/sql.h"

/* Times lie as the samples do: f32, little endian. */
static void pack_times(const struct store_wisdom *w, uint8_t *out)
{
	for (uint32_t i = 0; i < w->n_schedules; i++) {
		float v = (float)w->ns[i];
		uint32_t bits;

		memcpy(&bits, &v, sizeof(bits));
		for (int k = 0; k < 4; k++)
			out[4 * i + (uint32_t)k] = (uint8_t)(bits >> 8 * k);
	}
}

static enum err put_row(
	struct store *s, const struct store_wisdom *w, struct err_ctx *ctx)
{
	uint8_t times[4 * PRODUCT_MAX_SCHEDULES];

	if (w->n_schedules < 2 || w->n_schedules > PRODUCT_MAX_SCHEDULES ||
		w->schedule >= w->n_schedules || !(w->ratio > 0) || !isfinite(w->ratio))
		return err_set(ctx, ERR_INVALID, "wisdom that makes no sense");
	pack_times(w, times);
	return sql_run(s,
		"INSERT INTO wisdom(device, tuner, protocol, kernel_set, bits, n, n_in,"
		" n_out, schedule, ratio, ratio_lo, ratio_hi, n_processes, times,"
		" taken_s) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		SQL_ARGS(arg_hash(&w->device), arg_hash(&w->tuner),
			arg_int(MEASURE_PROTOCOL), arg_text(w->kernel_set),
			arg_int(w->shape.bits), arg_int(w->shape.n), arg_int(w->shape.in),
			arg_int(w->shape.out), arg_int(w->schedule), arg_real(w->ratio),
			arg_real(w->ratio_ci.lo), arg_real(w->ratio_ci.hi),
			arg_int(w->n_processes),
			arg_blob(times, 4 * (size_t)w->n_schedules),
			arg_int(clock_unix_s())),
		ctx);
}

enum err store_put_wisdom(
	struct store *s, const struct store_wisdom *rows, size_t n, struct err_ctx *ctx)
{
	enum err e = sql_begin(s, 1, ctx);

	if (e)
		return e;
	for (size_t i = 0; i < n && !e; i++)
		e = put_row(s, &rows[i], ctx);
	return sql_end(s, e, ctx);
}

static void read_times(struct sql_row *r, struct store_wisdom *w)
{
	size_t len;
	const uint8_t *b = row_blob(r, &len);

	if (!b || len % 4 || len < 8 || len > 4 * PRODUCT_MAX_SCHEDULES) {
		r->bad = 1;
		return;
	}
	w->n_schedules = (uint8_t)(len / 4);
	for (size_t i = 0; i < len / 4; i++) {
		uint32_t bits = 0;
		float v;

		for (int k = 0; k < 4; k++)
			bits |= (uint32_t)b[4 * i + (size_t)k] << 8 * k;
		memcpy(&v, &bits, sizeof(v));
		w->ns[i] = (double)v;
		r->bad |= !(v > 0) || !isfinite(v);
	}
}

static void read_wisdom(struct sql_row *r, void *item)
{
	struct store_wisdom *w = item;

	row_hash(r, &w->device);
	row_hash(r, &w->tuner);
	row_text(r, w->kernel_set, sizeof(w->kernel_set));
	w->shape.bits = (uint8_t)row_int(r, 4, 32);
	w->shape.n = (uint32_t)row_int(r, 1, UINT32_MAX);
	w->shape.in = (uint32_t)row_int(r, 1, UINT32_MAX);
	w->shape.out = (uint32_t)row_int(r, 1, UINT32_MAX);
	w->schedule = (uint8_t)row_int(r, 0, PRODUCT_MAX_SCHEDULES - 1);
	w->ratio = row_positive(r);
	w->ratio_ci.lo = row_real(r);
	w->ratio_ci.hi = row_real(r);
	w->n_processes = (uint32_t)row_int(r, 1, UINT32_MAX);
	read_times(r, w);
	w->taken_s = row_int(r, 0, INT64_MAX);
	r->bad |= w->schedule >= w->n_schedules;
}

static const struct sql_reader wisdom_reader = {
	sizeof(struct store_wisdom), read_wisdom, NULL};

enum err store_list_wisdom(struct store *s, const struct hash *device,
	const struct hash *tuner, int64_t last, struct store_wisdom **out, size_t *n,
	struct err_ctx *ctx)
{
	sqlite3_stmt *st;
	enum err e = sql_bind(s,
		"SELECT device, tuner, kernel_set, bits, n, n_in, n_out, schedule, ratio,"
		" ratio_lo, ratio_hi, n_processes, times, taken_s FROM wisdom"
		" WHERE device=? AND tuner=? AND protocol=? AND id<=? ORDER BY id",
		SQL_ARGS(arg_hash(device), arg_hash(tuner), arg_int(MEASURE_PROTOCOL),
			arg_int(last)),
		&st, ctx);

	return e ? e : sql_list(s, st, &wisdom_reader, (void **)out, n, ctx);
}

enum err store_last_wisdom(
	struct store *s, const struct hash *device, int64_t *last, struct err_ctx *ctx)
{
	if (device)
		return sql_number(s, "SELECT max(id) FROM wisdom WHERE device=?",
			SQL_ARGS(arg_hash(device)), 0, last, ctx);
	return sql_number(s, "SELECT max(id) FROM wisdom", NULL, 0, 0, last, ctx);
}
