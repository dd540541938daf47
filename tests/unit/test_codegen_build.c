#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/codegen/elf.h"
#include "src/codegen/kernel_sets.h"
#include "tests/unit/codegen_fixture.h"

static const struct target target = {"gcc", "", "", FIXTURE_HARNESS};
static const struct task_shape slots = {TASK_INTENT_SLOTS, 5, 7};

/* ---- the small model that the tests below build again and again */

static const char small[] =
	"enc;v=40;t=12;d=16;e=16;eb=8;act=relu;norm=ln;place=pre;"
	"pool=mean;abs=0;rel=2;conv=0;opt=O2;kern=ref;L=h2k2x8f20r0b8";

static void small_fixture(struct fixture *f)
{
	assert_int_equal(fixture_init(f, small, slots), 0);
}

static void fixture_copy(struct fixture *to, const struct fixture *from)
{
	*to = *from;
	to->in.genome = &to->genome;
	to->in.weights.self = &to->random;
	to->in.golden_ids = to->ids;
	to->in.golden_len = to->len;
}

static void sub_dir(char *out, size_t cap, const char *name)
{
	struct err_ctx ctx = {""};

	snprintf(out, cap, "%.3000s/%s", dir, name);
	ASSERT_OK(file_mkdirs(out, &ctx), &ctx);
}

static size_t count_entries(const char *folder, const char *sub)
{
	char path[4200];
	struct dirent *d;
	size_t n = 0;
	DIR *list;

	snprintf(path, sizeof(path), "%s/%s", folder, sub);
	list = opendir(path);
	if (!list)
		return 0;
	while ((d = readdir(list)))
		n += d->d_name[0] != '.';
	closedir(list);
	return n;
}

static void read_file(const char *folder, const char *name, struct buf *out)
{
	char path[4200];
	struct err_ctx ctx = {""};

	buf_init(out);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ASSERT_OK(file_read(path, 0, out, &ctx), &ctx);
}

static void emit_writes_the_same_bytes_twice(void **state)
{
	static const char *const names[] = {
		"model.c", "model.h", "golden.c", "weights.bin", "weights.S", "card.txt"};
	char a[4096], b[4096];
	struct err_ctx ctx = {""};
	struct fixture f;

	(void)state;
	small_fixture(&f);
	sub_dir(a, sizeof(a), "emit-a");
	sub_dir(b, sizeof(b), "emit-b");
	ASSERT_OK(codegen_emit(&f.in, a, &ctx), &ctx);
	ASSERT_OK(codegen_emit(&f.in, b, &ctx), &ctx);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf x, y;

		read_file(a, names[i], &x);
		read_file(b, names[i], &y);
		assert_int_equal(x.len, y.len);
		assert_memory_equal(x.data, y.data, x.len);
		buf_release(&x);
		buf_release(&y);
	}
}

static void build_is_found_again_and_equal_in_another_cache(void **state)
{
	char one[4096], two[4096];
	struct err_ctx ctx = {""};
	struct artefact a, b, c;
	struct fixture f;
	int hit;

	(void)state;
	small_fixture(&f);
	sub_dir(one, sizeof(one), "cache-one");
	sub_dir(two, sizeof(two), "a-cache-whose-path-is-of-another-length");
	ASSERT_OK(codegen_build(&f.in, &target, one, &a, &hit, &ctx), &ctx);
	assert_false(hit);
	ASSERT_OK(codegen_build(&f.in, &target, one, &b, &hit, &ctx), &ctx);
	assert_true(hit);
	ASSERT_OK(codegen_build(&f.in, &target, two, &c, &hit, &ctx), &ctx);
	assert_false(hit);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(hash_equal(&a.build, &c.build));
	assert_true(hash_equal(&a.image, &c.image));
	assert_int_equal(a.flash_bytes, c.flash_bytes);
	assert_int_equal(count_entries(one, "tmp"), 0);
}

static void build_key_changes_with_whatever_changes_the_image(void **state)
{
	struct target native = {"gcc", "-march=native", "", FIXTURE_HARNESS};
	struct err_ctx ctx = {""};
	struct artefact a, b;
	struct fixture f, g;
	int hit;

	(void)state;
	small_fixture(&f);
	ASSERT_OK(codegen_build(&f.in, &target, cache, &a, &hit, &ctx), &ctx);
	ASSERT_OK(codegen_build(&f.in, &native, cache, &b, &hit, &ctx), &ctx);
	assert_false(hash_equal(&a.build, &b.build));
	fixture_copy(&g, &f);
	g.genome.opt = OPT_OS;
	ASSERT_OK(codegen_build(&g.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_false(hash_equal(&a.build, &b.build));
	fixture_copy(&g, &f);
	g.in.weights_hash.b[3] ^= 1;
	ASSERT_OK(codegen_build(&g.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_false(hash_equal(&a.build, &b.build));
	assert_true(hash_equal(&a.image, &b.image)); /* the weights were the same */
	fixture_copy(&g, &f);
	g.ids[0] ^= 1;
	ASSERT_OK(codegen_build(&g.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_false(hash_equal(&a.build, &b.build));
}

static void build_key_changes_with_static_scales(void **state)
{
	struct act_scales scales;
	struct err_ctx ctx = {""};
	struct artefact a, b, c;
	struct fixture f;
	int hit;

	(void)state;
	small_fixture(&f);
	f.genome.embed_bits = 8; /* the head reads the pooled text */
	ASSERT_OK(codegen_build(&f.in, &target, cache, &a, &hit, &ctx), &ctx);
	f.genome.act_scales = SCALES_STATIC;
	ASSERT_OK(codegen_build(&f.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_false(hash_equal(&a.build, &b.build));
	ASSERT_OK(codegen_build(&f.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_true(hit);
	memset(&scales, 0, sizeof(scales));
	f.in.scales = &scales;
	assert_int_equal(
		codegen_build(&f.in, &target, cache, &c, &hit, &ctx), ERR_INVALID);
	for (int i = 0; i <= f.genome.n_layers; i++)
		for (int j = 0; j < N_QUANT_POINTS; j++)
			scales.of[i][j] = 0.03f;
	ASSERT_OK(codegen_build(&f.in, &target, cache, &c, &hit, &ctx), &ctx);
	assert_false(hash_equal(&b.build, &c.build));
	run_image(&c, "coarse scales");
}

static void build_mends_a_damaged_entry(void **state)
{
	struct err_ctx ctx = {""};
	struct artefact a, b;
	struct fixture f;
	int hit;
	FILE *image;

	(void)state;
	small_fixture(&f);
	ASSERT_OK(codegen_build(&f.in, &target, cache, &a, &hit, &ctx), &ctx);
	image = fopen(a.path, "r+b");
	assert_non_null(image);
	fseek(image, 5000, SEEK_SET);
	fputc(0x5a, image);
	fputc(0xa5, image);
	fclose(image);
	ASSERT_OK(codegen_build(&f.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_false(hit);
	assert_true(hash_equal(&a.image, &b.image));
	assert_int_equal(truncate(b.path, 100), 0);
	ASSERT_OK(codegen_build(&f.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_false(hit);
	run_image(&b, "mended");
}

static void broken_kernel_fails_the_golden_check(void **state)
{
	char path[4200], folder[4096];
	struct err_ctx ctx = {""};
	const char *argv[] = {NULL, NULL};
	struct artefact a;
	struct fixture f;
	struct buf text;
	int hit;

	(void)state;
	small_fixture(&f);
	sub_dir(folder, sizeof(folder), "broken");
	read_file("src/infer/ref", "act_relu.c", &text);
	snprintf(path, sizeof(path), "%s/act_relu.c", folder);
	*strstr(text.data, "> 0") = '<';
	ASSERT_OK(file_write_atomic(path, text.data, text.len, 0644, &ctx), &ctx);
	buf_release(&text);
	f.in.broken_kernel = path;
	ASSERT_OK(codegen_build(&f.in, &target, cache, &a, &hit, &ctx), &ctx);
	argv[0] = a.path;
	assert_int_equal(process_run_command(argv, NULL, 60, NULL, NULL, &ctx), ERR_TOOL);
	assert_non_null(strstr(ctx.msg, "exit code 1"));
	f.in.broken_kernel = "tests/act_gelu.c"; /* not called by this model */
	assert_int_equal(
		codegen_build(&f.in, &target, cache, &a, &hit, &ctx), ERR_INVALID);
	f.in.broken_kernel = "tests/no-such/act_relu.c";
	assert_int_equal(
		codegen_build(&f.in, &target, cache, &a, &hit, &ctx), ERR_NOTFOUND);
}

static void kernel_that_does_not_compile_is_a_tool_error_with_its_line(void **state)
{
	char path[4200], folder[4096];
	struct err_ctx ctx = {""};
	struct artefact a;
	struct fixture f;
	int hit;

	(void)state;
	small_fixture(&f);
	sub_dir(folder, sizeof(folder), "no-compile");
	sub_dir(folder, sizeof(folder), "no-compile-cache");
	snprintf(path, sizeof(path), "%.3000s/no-compile/attention.c", dir);
	ASSERT_OK(file_write_atomic(path, "int x = y;\n", 11, 0644, &ctx), &ctx);
	f.in.broken_kernel = path;
	assert_int_equal(codegen_build(&f.in, &target, folder, &a, &hit, &ctx), ERR_TOOL);
	assert_non_null(strstr(ctx.msg, "'y' undeclared"));
	assert_int_equal(count_entries(folder, "tmp"), 0);
	assert_int_equal(count_entries(folder, "builds"), 0);
}

/* ---- several at once */

static void *build_in_thread(void *arg)
{
	struct artefact *a = arg;
	char shared[4200];
	struct fixture f;
	int hit;

	snprintf(shared, sizeof(shared), "%.3000s/shared-cache", dir);
	if (fixture_init(&f, small, slots) ||
		codegen_build(&f.in, &target, shared, a, &hit, NULL))
		return arg;
	return NULL;
}

static void builds_at_the_same_time_agree(void **state)
{
	static struct artefact a[4];
	pthread_t thread[3];
	char shared[4200];
	void *failed;
	int status;
	pid_t child;

	(void)state;
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(build_in_thread(&a[3]) != NULL);
	assert_true(child > 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, build_in_thread, &a[i]), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
		assert_true(hash_equal(&a[i].image, &a[0].image));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	snprintf(shared, sizeof(shared), "%.3000s/shared-cache", dir);
	assert_int_equal(count_entries(shared, "tmp"), 0);
	assert_int_equal(count_entries(shared, "builds"), 1);
	run_image(&a[0], "shared");
}

/* ---- what can go wrong outside */

static void build_names_a_missing_compiler(void **state)
{
	struct target none = {"hawser-no-such-cc", "", "", FIXTURE_HARNESS};
	char version[64], empty[4096];
	struct err_ctx ctx = {""};
	struct artefact a;
	struct fixture f;
	int hit;

	(void)state;
	small_fixture(&f);
	sub_dir(empty, sizeof(empty), "no-compiler");
	assert_int_equal(codegen_build(&f.in, &none, empty, &a, &hit, &ctx), ERR_TOOL);
	assert_non_null(strstr(ctx.msg, "'hawser-no-such-cc'"));
	assert_non_null(strstr(ctx.msg, "install"));
	assert_int_equal(count_entries(empty, "builds"), 0);
	assert_int_equal(
		codegen_probe_compiler("hawser-no-such-cc", version, 64, &ctx), ERR_TOOL);
	ASSERT_OK(codegen_probe_compiler("gcc", version, 64, &ctx), &ctx);
	assert_non_null(strstr(version, "gcc"));
}

static const char demo_size[] =
	"enc;v=400;t=32;d=64;e=64;eb=8;act=relu;norm=ln;place=pre;"
	"pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=ref;"
	"L=h2k2x16f128r0b8,h2k2x16f64r16b8";

/* A file size limit stands for a full disk: writing stops with an error half-way, in our
 * own files or in the compiler's. It is never told as the candidate's fault. */
static int build_with_file_limit(const char *folder, rlim_t bytes)
{
	struct rlimit limit = {bytes, bytes};
	struct err_ctx ctx = {""};
	struct artefact a;
	struct fixture f;
	int hit;
	enum err e;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	if (fixture_init(&f, demo_size, slots))
		return 2;
	e = codegen_build(&f.in, &target, folder, &a, &hit, &ctx);
	return (e == ERR_FULL || e == ERR_IO) && *ctx.msg ? 0 : 1;
}

static void build_leaves_nothing_when_the_disk_is_full(void **state)
{
	static const rlim_t limits[] = {20000, 300000};
	char folder[4096];

	(void)state;
	sub_dir(folder, sizeof(folder), "full");
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		int status;
		pid_t child;

		fflush(NULL);
		child = fork();
		if (child == 0)
			_exit(build_with_file_limit(folder, limits[i]));
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(count_entries(folder, "builds"), 0);
		assert_int_equal(count_entries(folder, "tmp"), 0);
	}
}

static void build_refuses_a_cache_that_cannot_be_one(void **state)
{
	char path[4200];
	struct err_ctx ctx = {""};
	struct artefact a;
	struct fixture f;
	int hit;

	(void)state;
	small_fixture(&f);
	snprintf(path, sizeof(path), "%.3000s/a-file", dir);
	ASSERT_OK(file_write_atomic(path, "x", 1, 0644, &ctx), &ctx);
	assert_int_not_equal(codegen_build(&f.in, &target, path, &a, &hit, &ctx), ERR_OK);
	assert_non_null(strstr(ctx.msg, "a-file"));
}

static void build_refuses_bad_input_with_a_reason(void **state)
{
	struct target bad_isa = {"gcc", "", "z80", FIXTURE_HARNESS};
	struct target bad_board = {"gcc", "", "", "no-such-board"};
	struct err_ctx ctx = {""};
	struct artefact a;
	struct fixture f, g;
	int hit;

	(void)state;
	small_fixture(&f);
	fixture_copy(&g, &f);
	memset(&g.in.weights_hash, 0, sizeof(g.in.weights_hash));
	assert_int_equal(
		codegen_build(&g.in, &target, cache, &a, &hit, &ctx), ERR_INVALID);
	fixture_copy(&g, &f);
	g.in.n_golden = 0;
	assert_int_equal(
		codegen_build(&g.in, &target, cache, &a, &hit, &ctx), ERR_INVALID);
	fixture_copy(&g, &f);
	g.ids[4] = 40;
	assert_int_equal(
		codegen_build(&g.in, &target, cache, &a, &hit, &ctx), ERR_INVALID);
	fixture_copy(&g, &f);
	g.in.timed_tokens = 13;
	assert_int_equal(
		codegen_build(&g.in, &target, cache, &a, &hit, &ctx), ERR_INVALID);
	fixture_copy(&g, &f);
	g.in.vocab = (const uint8_t *)"12345678";
	g.in.vocab_len = 8;
	g.in.intent_names = "a\nb\nc\nd\ne\n";
	g.in.tag_names = "O\nB-x"; /* the task has seven */
	assert_int_equal(
		codegen_build(&g.in, &target, cache, &a, &hit, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "2 tag names"));
	fixture_copy(&g, &f);
	g.genome.kernels = KERNELS_OPT;
	assert_int_equal(
		codegen_build(&g.in, &bad_isa, cache, &a, &hit, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "x86-avx2"));
	assert_int_equal(
		codegen_build(&f.in, &bad_board, cache, &a, &hit, &ctx), ERR_NOTFOUND);
}

static enum err read_nan(
	void *self, const struct tensor *t, float *w, struct err_ctx *ctx)
{
	enum err e = fixture_read(self, t, w, ctx);

	if (t->kind == T_WO)
		w[2] = (float)(1e38 * 1e38);
	return e;
}

static void build_refuses_weights_that_are_not_numbers(void **state)
{
	struct err_ctx ctx = {""};
	struct artefact a;
	struct fixture f;
	int hit;

	(void)state;
	small_fixture(&f);
	f.in.weights.read = read_nan;
	f.in.weights_hash.b[0] ^= 0x55;
	assert_int_equal(
		codegen_build(&f.in, &target, cache, &a, &hit, &ctx), ERR_INVALID);
	assert_int_equal(count_entries(cache, "tmp"), 0);
}

/* ---- no compiler, other kernels, other sizes */

static void build_without_a_compiler_is_the_card(void **state)
{
	struct target none = {"none", "", "", "linux"};
	struct err_ctx ctx = {""};
	struct artefact a, b;
	struct fixture f;
	struct buf card;
	int hit;

	(void)state;
	small_fixture(&f);
	ASSERT_OK(codegen_build(&f.in, &none, cache, &a, &hit, &ctx), &ctx);
	assert_false(hit);
	buf_init(&card);
	ASSERT_OK(file_read(a.path, 0, &card, &ctx), &ctx);
	assert_non_null(strstr(buf_str(&card), "\nmacs_i8: "));
	assert_non_null(strstr(buf_str(&card), "\ntimed_tokens: 12\n"));
	assert_int_equal(card.len, a.image_bytes);
	assert_true(a.weight_bytes > 0 && a.flash_bytes == a.weight_bytes);
	buf_release(&card);
	ASSERT_OK(codegen_build(&f.in, &none, cache, &b, &hit, &ctx), &ctx);
	assert_true(hit);
	ASSERT_OK(codegen_build(&f.in, &target, cache, &b, &hit, &ctx), &ctx);
	assert_int_equal(a.weight_bytes, b.weight_bytes);
	assert_int_equal(a.arena_bytes, b.arena_bytes);
}

static void kernel_sets_name_the_files_that_are_there(void **state)
{
	(void)state;
	assert_int_equal(*kernel_set_at(0)->isa, 0);
	for (size_t i = 1; kernel_set_at(i); i++) {
		const struct kernel_set *set = kernel_set_at(i);
		char folder[300], path[600];
		size_t n = 0, files = 0;
		struct dirent *d;
		DIR *list;

		snprintf(folder, sizeof(folder), "src/infer/opt/%s", set->isa);
		for (; set->kernels[n]; n++) {
			assert_int_equal(kernel_source(set, set->kernels[n], path,
						 sizeof(path), NULL),
				0);
			assert_memory_equal(path, folder, strlen(folder));
			assert_true(file_exists(path));
			assert_true(kernel_set_has(set, set->kernels[n]));
			snprintf(path, sizeof(path), "src/infer/ref/%s.c",
				set->kernels[n]);
			assert_true(file_exists(path) || set->fuses & FUSES_QUANT);
		}
		assert_true(!set->base || kernel_set_base(set));
		list = opendir(folder);
		assert_true(list || (set->base && n == 0));
		while (list && (d = readdir(list)))
			files += strstr(d->d_name, ".c") != NULL;
		if (list)
			closedir(list);
		assert_int_equal(files, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emit_writes_the_same_bytes_twice),
		cmocka_unit_test(build_is_found_again_and_equal_in_another_cache),
		cmocka_unit_test(build_key_changes_with_whatever_changes_the_image),
		cmocka_unit_test(build_key_changes_with_static_scales),
		cmocka_unit_test(build_mends_a_damaged_entry),
		cmocka_unit_test(broken_kernel_fails_the_golden_check),
		cmocka_unit_test(
			kernel_that_does_not_compile_is_a_tool_error_with_its_line),
		cmocka_unit_test(builds_at_the_same_time_agree),
		cmocka_unit_test(build_names_a_missing_compiler),
		cmocka_unit_test(build_leaves_nothing_when_the_disk_is_full),
		cmocka_unit_test(build_refuses_a_cache_that_cannot_be_one),
		cmocka_unit_test(build_refuses_bad_input_with_a_reason),
		cmocka_unit_test(build_refuses_weights_that_are_not_numbers),
		cmocka_unit_test(build_without_a_compiler_is_the_card),
		cmocka_unit_test(kernel_sets_name_the_files_that_are_there),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
