/* The hot loops of the product kernels, as the compiler made them: the loops around the
 * dot products keep their accumulators in registers. What codegen_build leaves in its cache
 * is taken apart with objdump; x86-64 only. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>

#include "src/codegen/kernel_sets.h"
#include "tests/unit/codegen_fixture.h"

#define MAX_INSNS 20000
#define LISTING_LIMIT (8u << 20)

struct insn {
	uint64_t at, target; /* target: of a jump, else 0 */
	const char *text;    /* mnemonic and operands, to the line's end */
};

struct function {
	char name[64];
	size_t n;
	struct insn insn[MAX_INSNS];
	int has_frame; /* %rbp points into the stack */
};

/* The loops of one object. */
struct finding {
	int integer;   /* products of integers: float arithmetic is not what is sought */
	int is_second; /* pass: the first finds most_dots, the second looks for moves */
	unsigned n_loops;   /* innermost ones with dot products */
	unsigned most_dots; /* in one of them */
	unsigned n_moves;   /* between vector registers and the stack, in the hot ones */
	char where[200];    /* one of those */
};

static int starts(const char *text, const char *word)
{
	return !strncmp(text, word, strlen(word));
}

static int is_dot(const char *text, int integer)
{
	if (!integer)
		return starts(text, "vfmadd");
	return starts(text, "vpdp") || starts(text, "vpmaddubsw") ||
	       starts(text, "vpmaddwd");
}

/* objdump marks encodings that the compiler chose by a word in braces: "{vex} vpdpbusd". */
static const char *skip_prefix(const char *text)
{
	if (*text == '{' && strchr(text, '}'))
		text = strchr(text, '}') + 1;
	return text + strspn(text, " ");
}

static int is_stack_move(const struct function *f, const struct insn *i)
{
	size_t len = strcspn(i->text, "\n#<");
	char text[200];

	snprintf(text, sizeof(text), "%.*s", (int)(len < 199 ? len : 199), i->text);
	return starts(text, "vmov") && strstr(text, "mm") &&
	       (strstr(text, "(%rsp") || (f->has_frame && strstr(text, "(%rbp")));
}

static size_t find_at(const struct function *f, uint64_t at)
{
	size_t i = 0;

	while (i < f->n && f->insn[i].at < at)
		i++;
	return i;
}

static int falls_through(const char *text)
{
	return !starts(text, "jmp") && !starts(text, "ret") && !starts(text, "ud2");
}

/* Where the jump at i leads, when that lies in [from, to]; else the end. */
static size_t jump_within(const struct function *f, size_t i, size_t from, size_t to)
{
	uint64_t target = f->insn[i].target;

	if (!target || target < f->insn[from].at || target > f->insn[to].at)
		return f->n;
	return find_at(f, target);
}

/* Marks what runs between the start of a loop and the jump back to it: what can be reached
 * from the one and leads to the other without leaving the range. Cold code behind a
 * function's end that jumps into its middle is no loop: then 0. */
static int loop_body(const struct function *f, size_t from, size_t to, uint8_t *mark)
{
	enum { REACHED = 1, LEADS = 2 };
	int changed = 1;

	memset(mark + from, 0, to - from + 1);
	mark[from] |= REACHED;
	mark[to] |= LEADS;
	while (changed) {
		changed = 0;
		for (size_t i = from; i <= to; i++) {
			size_t next[] = {
				falls_through(f->insn[i].text) && i < to ? i + 1 : f->n,
				jump_within(f, i, from, to)};

			for (int k = 0; k < 2; k++) {
				if (next[k] == f->n)
					continue;
				if (mark[i] & REACHED && !(mark[next[k]] & REACHED))
					changed = mark[next[k]] |= REACHED;
				if (mark[next[k]] & LEADS && !(mark[i] & LEADS))
					changed = mark[i] |= LEADS;
			}
		}
	}
	for (size_t i = from; i <= to; i++)
		mark[i] = mark[i] == (REACHED | LEADS);
	return mark[to];
}

/* Is the instruction a jump back, and what comes between it and its target a loop? */
static int is_loop(const struct function *f, size_t to, size_t *from, uint8_t *mark)
{
	const struct insn *jump = &f->insn[to];

	if (!jump->target || jump->target > jump->at || jump->target < f->insn[0].at)
		return 0;
	*from = find_at(f, jump->target);
	return loop_body(f, *from, to, mark);
}

static int is_innermost(const struct function *f, size_t from, size_t to)
{
	static uint8_t mark[MAX_INSNS];
	size_t start;

	for (size_t i = from; i < to; i++)
		if (is_loop(f, i, &start, mark) && start >= from)
			return 0;
	return 1;
}

static void look_for_moves(struct finding *found, const struct function *f, size_t from,
	size_t to, const uint8_t *mark)
{
	for (size_t i = from; i <= to; i++)
		if (mark[i] && is_stack_move(f, &f->insn[i])) {
			found->n_moves++;
			snprintf(found->where, sizeof(found->where), "%s: %.*s", f->name,
				(int)strcspn(f->insn[i].text, "\n"), f->insn[i].text);
		}
}

/* The innermost loop with most dot products in the object is what runs for full tiles, and
 * those with at least half as many are its like; the others take what is left at the
 * edges, or are no products at all. */
static void look_at(struct finding *found, const struct function *f)
{
	static uint8_t mark[MAX_INSNS];
	size_t from;

	for (size_t to = 0; to < f->n; to++) {
		unsigned n = 0;

		if (!is_loop(f, to, &from, mark))
			continue;
		for (size_t i = from; i <= to; i++)
			n += mark[i] && is_dot(f->insn[i].text, found->integer);
		if (!n || !is_innermost(f, from, to))
			continue;
		if (found->is_second && 2 * n >= found->most_dots)
			look_for_moves(found, f, from, to, mark);
		if (!found->is_second) {
			found->n_loops++;
			found->most_dots = n > found->most_dots ? n : found->most_dots;
		}
	}
}

/* "  1a2b:\tvpdpbusd %zmm1,..." or "  1a2b:\tjne    1a00 <linear_i8+0x40>" */
static void add_insn(struct function *f, const char *line)
{
	struct insn *i = &f->insn[f->n];
	char *end;
	uint64_t at = strtoull(line, &end, 16);

	if (end == line || *end != ':' || f->n == MAX_INSNS)
		return;
	i->at = at;
	i->text = skip_prefix(end + 1 + strspn(end + 1, " \t"));
	i->target = 0;
	if (*i->text == 'j') {
		const char *operand = i->text + strcspn(i->text, " \n");

		operand += strspn(operand, " ");
		i->target = strtoull(operand, NULL, 16);
	}
	if (starts(i->text, "mov ") && strstr(i->text, "%rsp,%rbp") &&
		strstr(i->text, "%rsp,%rbp") < i->text + strcspn(i->text, "\n"))
		f->has_frame = 1;
	f->n++;
}

/* Every function of a listing. */
static void look_at_all(struct finding *found, const char *listing)
{
	static struct function f;

	f.n = 0;
	for (const char *line = listing; line && *line; line = strchr(line, '\n')) {
		const char *open, *end;

		line += *line == '\n';
		open = strchr(line, '<');
		end = line + strcspn(line, "\n");
		if (*line != '0' || !open || open > end || end[-1] != ':') {
			add_insn(&f, line + strspn(line, " "));
			continue;
		}
		look_at(found, &f);
		f.n = 0;
		f.has_frame = 0;
		snprintf(f.name, sizeof(f.name), "%.*s", (int)(end - open - 3), open + 1);
	}
	look_at(found, &f);
}

static struct finding inspect(const char *listing, int integer)
{
	struct finding found = {.integer = integer};

	look_at_all(&found, listing);
	found.is_second = 1;
	look_at_all(&found, listing);
	return found;
}

/* objdump's listing goes to a file: it is longer than what a command may answer. */
static char *disassemble(const char *object)
{
	char command[9000], path[4200];
	struct err_ctx ctx = {""};
	struct buf text;

	snprintf(path, sizeof(path), "%.3000s/listing", dir);
	snprintf(command, sizeof(command),
		"objdump -d --no-show-raw-insn '%.4000s' > '%s'", object, path);
	const char *argv[] = {"sh", "-c", command, NULL};
	ASSERT_OK(process_run_command(argv, NULL, 60, NULL, NULL, &ctx), &ctx);
	buf_init(&text);
	ASSERT_OK(file_read(path, LISTING_LIMIT, &text, &ctx), &ctx);
	buf_putc(&text, 0);
	return text.data;
}

static int can_look(void)
{
#if defined(__x86_64__)
	const char *const argv[] = {"objdump", "--version", NULL};

	if (!process_run_command(argv, NULL, 30, NULL, NULL, NULL))
		return 1;
	print_message("SKIP: no objdump\n");
#else
	print_message("SKIP: these are the loops of x86-64\n");
#endif
	return 0;
}

/* ---- the kernels */

static const char *const products[] = {"linear_f32", "linear_i8", "linear_i4", NULL};

static void judge(const char *isa, const char *flags, const char *kernel,
	const struct finding *found)
{
	const char *build = *flags ? flags : "no flags";

	if (getenv("HAWSER_TEST_VERBOSE"))
		print_message(
			"# %s, %s, %s: %u loops, at most %u dot products, %u moves\n",
			isa, build, kernel, found->n_loops, found->most_dots,
			found->n_moves);
	if (found->most_dots < 2)
		fail_msg("%s, %s: no loop of '%s' was found", isa, build, kernel);
	if (found->n_moves)
		fail_msg("%s, %s: the hot loop of '%s' spills in %s", isa, build, kernel,
			found->where);
}

/* The objects that hold a product; returns how many there are. */
static int judge_objects(const char *isa, const char *flags)
{
	char folder[4200], object[4600], symbol[64];
	struct dirent *d;
	DIR *list;
	int n = 0;

	snprintf(folder, sizeof(folder), "%s/objects", cache);
	list = opendir(folder);
	assert_non_null(list);
	while ((d = readdir(list))) {
		char *listing;

		if (d->d_name[0] == '.')
			continue;
		snprintf(object, sizeof(object), "%s/%s", folder, d->d_name);
		listing = disassemble(object);
		for (size_t i = 0; products[i]; i++) {
			struct finding found;

			snprintf(symbol, sizeof(symbol), "<%s>:", products[i]);
			if (!strstr(listing, symbol))
				continue;
			n++;
			found = inspect(listing, i > 0);
			judge(isa, flags, products[i], &found);
		}
		free(listing);
	}
	closedir(list);
	return n;
}

/* An image of a set has its products in all three precisions. */
static void build_all_products(const struct target *t)
{
	static const char text[] =
		"enc;v=40;t=12;d=64;e=64;eb=8;act=gelu;norm=ln;place=post;pool=mean;abs=0;"
		"rel=0;conv=0;opt=O2;kern=opt;L=h2k2x32f96r0b32,h2k2x32f96r0b8,"
		"h2k2x32f96r0b4";
	struct err_ctx ctx = {""};
	struct artefact a;
	struct fixture f;
	int hit;

	file_remove_tree(cache, NULL);
	assert_int_equal(
		fixture_init(&f, text, (struct task_shape){TASK_CLASSIFY, 4, 0}), 0);
	ASSERT_OK(codegen_build(&f.in, t, cache, &a, &hit, &ctx), &ctx);
}

static void hot_loops_keep_their_accumulators_in_registers(void **state)
{
	static const char *const flags[] = {"", "-march=native"};

	(void)state;
	if (!can_look())
		skip();
	for (size_t k = 1; kernel_set_at(k); k++)
		for (size_t i = 0; i < 2; i++) {
			const struct kernel_set *set = kernel_set_at(k);
			struct target t = {"gcc", flags[i], set->isa, FIXTURE_HARNESS};

			if (!starts(set->isa, "x86-"))
				continue;
			build_all_products(&t);
			assert_int_equal(judge_objects(set->isa, flags[i]), 3);
		}
}

/* ---- the proof can fail */

/* `n` accumulators of 64 bytes where there are 32 registers. */
static const char loop_source[] =
	"#include <immintrin.h>\n"
	"void linear_i8(const __m512i *x, const __m512i *w, __m512i *y, long n)\n{\n"
	"\t__m512i acc[N];\n"
	"\tfor (int j = 0; j < N; j++)\n\t\tacc[j] = y[j];\n"
	"\tfor (long i = 0; i < n; i++)\n"
	"\t\t_Pragma(\"GCC unroll 64\")\n"
	"\t\tfor (int j = 0; j < N; j++)\n"
	"\t\t\tacc[j] = _mm512_dpbusd_epi32(acc[j], x[i], w[i * N + j]);\n"
	"\tfor (int j = 0; j < N; j++)\n\t\ty[j] = acc[j];\n}\n";

static struct finding loop_of(unsigned n)
{
	char source[4200], object[4200], define[32], *listing;
	const char *const argv[] = {"gcc", "-O3", "-mavx512f", "-mavx512vnni", define,
		"-c", source, "-o", object, NULL};
	struct err_ctx ctx = {""};
	struct finding found;

	snprintf(source, sizeof(source), "%.3000s/loop.c", dir);
	snprintf(object, sizeof(object), "%.3000s/loop.o", dir);
	snprintf(define, sizeof(define), "-DN=%u", n);
	ASSERT_OK(file_write_atomic(source, loop_source, strlen(loop_source), 0644, &ctx),
		&ctx);
	ASSERT_OK(process_run_command(argv, NULL, 60, NULL, NULL, &ctx), &ctx);
	listing = disassemble(object);
	found = inspect(listing, 1);
	free(listing);
	return found;
}

static void spilled_accumulators_are_seen(void **state)
{
	struct finding found;

	(void)state;
	if (!can_look())
		skip();
	found = loop_of(12);
	assert_int_equal(found.n_loops, 1);
	assert_int_equal(found.n_moves, 0);
	found = loop_of(48);
	assert_int_equal(found.n_loops, 1);
	assert_true(found.n_moves > 0);
}

/* What is read as a loop, without a compiler's say. */
static void listings_are_read_as_loops(void **state)
{
	static const char clean[] =
		"\n0000000000000000 <linear_i8>:\n"
		"   0:\tmov    %rsp,%rbp\n"
		"   4:\tvmovdqa64 %zmm1,0x40(%rsp)\n" /* before the loop */
		"   8:\tvmovdqu64 (%rdi),%zmm2\n"
		"   c:\tvpdpbusd (%rsi),%zmm2,%zmm1\n"
		"  10:\t{vex} vpdpbusd (%rsi),%ymm2,%ymm1\n"
		"  14:\tcmp    %rsi,%rdx\n"
		"  18:\tjne    8 <linear_i8+0x8>\n"
		"  1c:\tdec    %rax\n"
		"  20:\tjne    0 <linear_i8>\n"
		"  24:\tvmovdqa64 %zmm1,0x40(%rsp)\n"
		"  28:\tvpdpbusd (%rsi),%zmm2,%zmm1\n"
		"  2c:\tret\n"
		"  30:\tjmp    24 <linear_i8+0x24>\n"; /* cold code, no loop */
	static const char spilled[] = "\n0000000000000030 <tile.constprop.0>:\n"
				      "  30:\tmov    %rsp,%rbp\n"
				      "  34:\tvpmaddwd (%rsi),%ymm2,%ymm1\n"
				      "  38:\tvpmaddwd (%rsi),%ymm2,%ymm3\n"
				      "  3c:\tvmovdqa %ymm1,-0x40(%rbp)\n"
				      "  40:\tjne    34 <tile.constprop.0+0x4>\n"
				      "  44:\tret\n";
	struct finding found;

	(void)state;
	found = inspect(clean, 1);
	assert_int_equal(found.n_loops, 1);
	assert_int_equal(found.most_dots, 2);
	assert_int_equal(found.n_moves, 0);
	found = inspect(spilled, 1);
	assert_int_equal(found.most_dots, 2);
	assert_int_equal(found.n_moves, 1);
	assert_string_equal(found.where, "tile.constprop.0: vmovdqa %ymm1,-0x40(%rbp)");
	assert_int_equal(inspect(spilled, 0).n_loops, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listings_are_read_as_loops),
		cmocka_unit_test(spilled_accumulators_are_seen),
		cmocka_unit_test(hot_loops_keep_their_accumulators_in_registers),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
