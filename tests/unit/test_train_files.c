/* Weights files: round trips, and damage at every place. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/train_fixture.h"

struct file {
	char dir[256], path[300];
	struct genome g;
	struct task_shape task;
	struct hash data;
	float *w;
	size_t n;
};

static void file_make(struct file *f)
{
	struct layout *l = malloc(sizeof(*l));

	memset(f, 0, sizeof(*f));
	fixture_folder(f->dir, sizeof(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/net.weights", f->dir);
	fixture_genome(&f->g, FIXTURE_NET);
	f->task.kind = TASK_INTENT_SLOTS;
	f->task.n_intents = 4;
	f->task.n_tags = 5;
	hash_bytes(&f->data, "data", 4);
	layout_init(l, &f->g, &f->task);
	f->n = l->n_floats;
	f->w = malloc(f->n * sizeof(*f->w));
	weights_init(l, 3, f->w);
	free(l);
	assert_int_equal(
		weights_save(f->path, &f->g, &f->task, &f->data, f->w, NULL), ERR_OK);
}

static void file_release(struct file *f)
{
	free(f->w);
	file_remove_tree(f->dir, NULL);
}

static enum err load(const struct file *f, struct err_ctx *ctx)
{
	float *w = NULL;
	enum err err = weights_load(f->path, &f->g, &f->task, &f->data, &w, ctx);

	if (!err)
		assert_memory_equal(w, f->w, f->n * sizeof(*w));
	else
		assert_null(w);
	free(w);
	return err;
}

static void weights_come_back_bit_by_bit(void **state)
{
	struct file f;

	(void)state;
	file_make(&f);
	assert_int_equal(load(&f, NULL), ERR_OK);
	file_release(&f);
}

static void weights_of_others_are_refused_by_name(void **state)
{
	struct err_ctx ctx = {""};
	struct file f, other;

	(void)state;
	file_make(&f);
	other = f;
	other.g.act = ACT_GELU;
	assert_int_equal(load(&other, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "network"));
	other = f;
	other.task.n_tags = 6;
	assert_int_equal(load(&other, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "task"));
	other = f;
	other.data.b[31] ^= 1;
	assert_int_equal(load(&other, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "data set"));
	snprintf(other.path, sizeof(other.path), "%s/none", f.dir);
	assert_int_equal(load(&other, &ctx), ERR_NOTFOUND);
	file_release(&f);
}

/* Positions all over the file: every byte of the header, then strides. */
static void weights_file_is_refused_when_damaged(void **state)
{
	struct file f;
	struct buf good;

	(void)state;
	file_make(&f);
	buf_init(&good);
	assert_int_equal(file_read(f.path, 0, &good, NULL), ERR_OK);
	for (size_t at = 0; at < good.len;
		at += at < 300 || good.len - at < 40 ? 1 : 197) {
		struct err_ctx ctx = {""};

		good.data[at] = (char)(good.data[at] ^ 0x10);
		assert_int_equal(
			file_write_atomic(f.path, good.data, good.len, 0644, NULL),
			ERR_OK);
		good.data[at] = (char)(good.data[at] ^ 0x10);
		assert_int_equal(load(&f, &ctx), ERR_CORRUPT);
		assert_true(ctx.msg[0]);
	}
	for (size_t len = 0; len < good.len; len += len < 300 ? 7 : 1009) {
		assert_int_equal(
			file_write_atomic(f.path, good.data, len, 0644, NULL), ERR_OK);
		assert_int_equal(load(&f, NULL), ERR_CORRUPT);
	}
	buf_append(&good, "x", 1);
	assert_int_equal(
		file_write_atomic(f.path, good.data, good.len, 0644, NULL), ERR_OK);
	assert_int_equal(load(&f, NULL), ERR_CORRUPT);
	buf_release(&good);
	file_release(&f);
}

/* A right checksum over impossible lengths: what a damaged writer might leave. */
static void weights_file_with_impossible_lengths_is_refused(void **state)
{
	static const struct {
		size_t from_header_end;
		uint8_t value;
	} cases[] = {{0, 3}, {0, 8}, {4, 0}, {4, 2}, {8, 0}, {15, 0xff}, {14, 1}};
	struct file f;
	struct buf b;
	size_t end;

	(void)state;
	file_make(&f);
	buf_init(&b);
	assert_int_equal(file_read(f.path, 0, &b, NULL), ERR_OK);
	end = 12 + (size_t)(uint8_t)b.data[8] + 256 * (size_t)(uint8_t)b.data[9];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *at = &b.data[end + cases[i].from_header_end], old = *at;
		struct hash sum;

		if ((uint8_t)old == cases[i].value)
			continue;
		*at = (char)cases[i].value;
		hash_bytes(&sum, b.data, b.len - HASH_BYTES);
		memcpy(b.data + b.len - HASH_BYTES, sum.b, HASH_BYTES);
		assert_int_equal(
			file_write_atomic(f.path, b.data, b.len, 0644, NULL), ERR_OK);
		assert_int_equal(load(&f, NULL), ERR_CORRUPT);
		*at = old;
	}
	buf_release(&b);
	file_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_come_back_bit_by_bit),
		cmocka_unit_test(weights_of_others_are_refused_by_name),
		cmocka_unit_test(weights_file_is_refused_when_damaged),
		cmocka_unit_test(weights_file_with_impossible_lengths_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
