/* The Arm kernel sets against the portable kernels: the tests of x86's themselves, compiled
 * for the machine and run under its emulator. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "src/codegen/kernel_sets.h"
#include "src/codegen/toolchain.h"
#include "tests/unit/cross.h"

static const struct {
	const char *source, *proof; /* a line of its output */
} checks[] = {
	{"tests/unit/test_infer_opt.c", "ok - attention_answers"},
	{"tests/unit/test_infer_attention_dot8.c", "ok - own_kernels_answer"},
};
#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

static const char *const needed[] = {"src/codegen/kernel_sets.c", "src/model/quant.c",
	"src/base/rng.c", "src/base/err.c", NULL};

static char dir[4096];

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%.4000s/hawser-test-XXXXXX",
		tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(dir, NULL) ? -1 : 0;
}

/* Compiles `source` to DIR/<name>.o and adds that to the objects of a program. */
static void compile(const struct cross *c, const char *flags, const char *source,
	const char *name, struct buf *objects)
{
	struct err_ctx ctx = {""};
	struct args a;

	args_init(&a);
	args_add(&a, c->cc);
	args_add_words(&a, "-std=c11 -D_GNU_SOURCE -DTEST_CROSS -Itests/cross -I. "
			   "-ffunction-sections -O2 -Wall -Wextra -Werror -c");
	args_add_words(&a, c->cflags);
	args_add_words(&a, flags);
	args_add(&a, source);
	args_add(&a, "-o");
	args_printf(&a, "%s/%s.o", dir, name);
	if (toolchain_run(&a, NULL, &ctx))
		fail_msg("%s", ctx.msg);
	args_release(&a);
	buf_printf(objects, " %s/%s.o", dir, name);
}

/* One kernel under the name that the checks call: arm64_neon_linear_i8. */
static void compile_kernel(const struct cross *c, const struct kernel_set *set,
	const char *kernel, struct buf *objects)
{
	char path[512], name[128], flags[512];

	snprintf(name, sizeof(name), "%s_%s", set->isa, kernel);
	for (char *at = name; *at; at++)
		*at = (char)(*at == '-' ? '_' : *at);
	snprintf(flags, sizeof(flags), "%s -D%s=%s", set->cflags, kernel, name);
	assert_int_equal(kernel_source(set, kernel, path, sizeof(path), NULL), 0);
	compile(c, flags, path, name, objects);
}

static void compile_set(
	const struct cross *c, const struct kernel_set *set, struct buf *objects)
{
	const struct kernel_set *base = kernel_set_base(set);

	for (size_t i = 0; set->kernels[i]; i++)
		compile_kernel(c, set, set->kernels[i], objects);
	for (size_t i = 0; base && base->kernels[i]; i++) {
		size_t own = 0;

		while (set->kernels[own] && strcmp(set->kernels[own], base->kernels[i]))
			own++;
		if (!set->kernels[own])
			compile_kernel(c, set, base->kernels[i], objects);
	}
}

static void compile_portable(const struct cross *c, struct buf *objects)
{
	DIR *list = opendir("src/infer/ref");
	struct dirent *d;

	assert_non_null(list);
	while ((d = readdir(list))) {
		char path[512];

		if (!strstr(d->d_name, ".c"))
			continue;
		snprintf(path, sizeof(path), "src/infer/ref/%.200s", d->d_name);
		compile(c, "", path, d->d_name, objects);
	}
	closedir(list);
	for (size_t i = 0; needed[i]; i++)
		compile(c, "", needed[i], strrchr(needed[i], '/') + 1, objects);
}

/* One of the checks, with the kernels that are compiled already. */
static void run_check(
	const struct cross *c, const char *emulator, size_t i, struct buf *kernels)
{
	struct err_ctx ctx = {""};
	char program[4200];
	const char *argv[] = {emulator, "-cpu", "max", program, NULL};
	struct args link;
	struct buf own, out;

	buf_init(&own);
	compile(c, "", checks[i].source, strrchr(checks[i].source, '/') + 1, &own);
	snprintf(program, sizeof(program), "%s/%schecks%zu", dir, c->prefix, i);
	args_init(&link);
	args_add(&link, c->cc);
	args_add_words(&link, "-static -Wl,--gc-sections -o");
	args_add(&link, program);
	args_add_words(&link, buf_str(&own));
	args_add_words(&link, buf_str(kernels));
	args_add(&link, "-lm");
	if (toolchain_run(&link, NULL, &ctx))
		fail_msg("%s", ctx.msg);
	args_release(&link);
	buf_release(&own);
	buf_init(&out);
	if (process_run_command(argv, NULL, 300, &out, NULL, &ctx))
		fail_msg("%s: %s", ctx.msg, buf_str(&out));
	assert_non_null(strstr(buf_str(&out), checks[i].proof));
	buf_release(&out);
}

static void check(const struct cross *c)
{
	const char *emulator = cross_ready(c);
	struct buf objects;
	int n = 0;

	if (!emulator)
		skip();
	buf_init(&objects);
	for (size_t i = 0; kernel_set_at(i); i++)
		if (cross_of(kernel_set_at(i)->isa) == c) {
			compile_set(c, kernel_set_at(i), &objects);
			n++;
		}
	assert_true(n > 0);
	compile_portable(c, &objects);
	for (size_t i = 0; i < N_CHECKS; i++)
		run_check(c, emulator, i, &objects);
	buf_release(&objects);
}

static void arm64_kernels_keep_their_contracts(void **state)
{
	(void)state;
	check(&crosses[0]);
}

static void armhf_kernels_keep_their_contracts(void **state)
{
	(void)state;
	check(&crosses[1]);
}

static void cortexm_kernels_keep_their_contracts(void **state)
{
	(void)state;
	check(&crosses[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arm64_kernels_keep_their_contracts),
		cmocka_unit_test(armhf_kernels_keep_their_contracts),
		cmocka_unit_test(cortexm_kernels_keep_their_contracts),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
