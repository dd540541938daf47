/* The exported folder: compiles with the command of its README and answers text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/base/buf.h"
#include "src/infer/tokenise.h"
#include "tests/unit/codegen_fixture.h"

/* Space and small letters, "newline" for plain text, one merge: " t" */
static size_t make_vocab(uint8_t *out, int newline)
{
	size_t n = 0, n_bytes = 27u + (newline != 0);
	uint32_t head[2] = {(uint32_t)n_bytes, 1};
	uint16_t pair[2];

	for (int i = 0; i < 2; i++)
		for (int b = 0; b < 4; b++)
			out[n++] = (uint8_t)(head[i] >> 8 * b);
	if (newline)
		out[n++] = '\n';
	out[n++] = ' ';
	for (char c = 'a'; c <= 'z'; c++)
		out[n++] = (uint8_t)c;
	if (n % 2)
		out[n++] = 0;
	pair[0] = (uint16_t)(N_SPECIAL_TOKENS + (newline != 0));
	pair[1] = (uint16_t)(pair[0] + 20);
	for (int i = 0; i < 2; i++) {
		out[n++] = (uint8_t)(pair[i] & 0xff);
		out[n++] = (uint8_t)(pair[i] >> 8);
	}
	return n;
}

/* Runs the indented line that follows "Compile:" in the README. */
static void compile(const char *folder)
{
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct err_ctx ctx = {""};
	char path[4200], command[1024];
	struct buf readme;
	const char *at;

	buf_init(&readme);
	snprintf(path, sizeof(path), "%s/README.md", folder);
	ASSERT_OK(file_read(path, 0, &readme, &ctx), &ctx);
	at = strstr(buf_str(&readme), "Compile:\n\n    ");
	assert_non_null(at);
	at += strlen("Compile:\n\n    ");
	snprintf(command, sizeof(command), "%.*s", (int)strcspn(at, "\n"), at);
	argv[2] = command;
	ASSERT_OK(process_run_command(argv, folder, 120, NULL, NULL, &ctx), &ctx);
	buf_release(&readme);
}

static void ask(const char *folder, const char *command, struct buf *out)
{
	const char *argv[] = {"sh", "-c", command, NULL};
	struct err_ctx ctx = {""};

	buf_init(out);
	ASSERT_OK(process_run_command(argv, folder, 60, out, NULL, &ctx), &ctx);
}

/* Weights that answer by rule: everything is zero but the heads' biases, so that every
 * text is intent 1 and every word B-thing, but for the tag logits of the test. */
static enum err read_rule(
	void *self, const struct tensor *t, float *w, struct err_ctx *ctx)
{
	size_t n = (size_t)t->rows * t->cols;

	(void)self;
	(void)ctx;
	memset(w, 0, n * sizeof(*w));
	if (t->kind == T_INTENT_B)
		w[1] = 4;
	if (t->kind == T_TAG_B)
		w[2] = 3; /* I-thing without a B-thing: the grammar must begin it */
	if (t->kind == T_TAG_B)
		w[1] = 2;
	return ERR_OK;
}

static const char slots_text[] =
	"enc;v=40;t=12;d=16;e=16;eb=8;act=gelu;norm=ln;place=pre;"
	"pool=mean;abs=0;rel=2;conv=3;opt=O2;kern=ref;L=h2k2x8f20r0b8";
static const char lm_text[] =
	"dec;v=40;t=12;d=16;e=16;eb=8;act=gelu;norm=ln;place=pre;"
	"pool=mean;abs=1;rel=0;conv=3;opt=Os;kern=ref;L=h2k2x8f20r0b8";

static const uint8_t marks[3] = {LABEL_OUTSIDE, LABEL_BEGIN, LABEL_INSIDE};
static const int16_t begins[3] = {-1, 1, 1};

static void export_and_ask(
	const struct target *target, uint8_t kernels, uint8_t act_scales)
{
	struct task_shape task = {TASK_INTENT_SLOTS, 3, 3};
	/* Intent 1 has no things: three words of a thing are worth more than its logit. */
	static const uint8_t pairs[3] = {7, 1, 7};
	struct label_rules rules = {3, 3, marks, begins, NULL};
	uint8_t vocab[64];
	char folder[4200];
	struct err_ctx ctx = {""};
	struct fixture f;
	struct buf out;

	assert_int_equal(fixture_init(&f, slots_text, task), 0);
	f.genome.kernels = kernels;
	f.genome.act_scales = act_scales;
	f.in.weights.read = read_rule;
	f.in.vocab = vocab;
	f.in.vocab_len = make_vocab(vocab, 0);
	f.in.intent_names = "Off\nTurn\"On\"?\nSay\n";
	f.in.tag_names = "O\nB-thing\nI-thing";
	f.in.rules = &rules;
	snprintf(folder, sizeof(folder), "%.3000s/slots%d%d", dir, kernels, act_scales);
	ASSERT_OK(codegen_export(&f.in, target, folder, &ctx), &ctx);
	compile(folder);
	ask(folder, "printf 'Tea, too\\n\\nb\\n' | ./model", &out);
	assert_string_equal(buf_str(&out), "Turn\"On\"? (96.5 %)\n  thing = tea , too\n"
					   "Turn\"On\"? (96.5 %)\n  thing = b\n");
	buf_release(&out);
	/* a line that is far too long, and bytes the vocabulary does not know */
	ask(folder,
		"head -c 20000 /dev/zero | tr '\\0' 'a' | ./model; printf '\\377\\1\\n' "
		"| "
		"./model",
		&out);
	assert_non_null(strstr(buf_str(&out), "Turn"));
	buf_release(&out);
	assert_int_equal(codegen_export(&f.in, target, folder, &ctx), ERR_EXISTS);
	rules.pairs = pairs;
	strcat(folder, "-pairs");
	ASSERT_OK(codegen_export(&f.in, target, folder, &ctx), &ctx);
	compile(folder);
	ask(folder, "printf 'Tea, too\nb\n' | ./model", &out);
	assert_string_equal(buf_str(&out), "Off (49.5 %)\n  thing = tea , too\n"
					   "Turn\"On\"? (78.7 %)\n");
	buf_release(&out);
}

static void export_answers_intent_and_slots_of_a_line(void **state)
{
	const struct target portable = {"gcc", "", "", "linux"};
	const struct target native = {"gcc", "-march=native", "auto", "linux"};

	(void)state;
	export_and_ask(&portable, KERNELS_REF, SCALES_DYNAMIC);
	export_and_ask(&native, KERNELS_OPT, SCALES_DYNAMIC);
	export_and_ask(&portable, KERNELS_REF, SCALES_INTEGER);
}

static void export_of_a_language_model_goes_on_past_its_context(void **state)
{
	struct task_shape task = {TASK_LM, 0, 0};
	struct target target = {"gcc", "", "", "linux"};
	uint8_t vocab[64];
	char folder[4200];
	struct err_ctx ctx = {""};
	struct fixture f;
	struct buf a, b, c;

	(void)state;
	assert_int_equal(fixture_init(&f, lm_text, task), 0);
	f.genome.vocab_size = 32; /* as many as the tables have */
	for (size_t i = 0; i < sizeof(f.ids) / sizeof(f.ids[0]); i++)
		f.ids[i] %= 32;
	f.in.vocab = vocab;
	f.in.vocab_len = make_vocab(vocab, 1);
	snprintf(folder, sizeof(folder), "%.3000s/lm", dir);
	ASSERT_OK(codegen_export(&f.in, &target, folder, &ctx), &ctx);
	compile(folder);
	ask(folder, "echo the end | ./model -n 40 -t 1 -s 3", &a);
	ask(folder, "echo the end | ./model -n 40 -t 1 -s 3", &b);
	ask(folder, "echo the end | ./model -n 40 -t 1 -s 4", &c);
	assert_memory_equal(buf_str(&a), "the end", 7);
	assert_true(a.len > 7 + 40);
	assert_string_equal(buf_str(&a), buf_str(&b));
	assert_string_not_equal(buf_str(&a), buf_str(&c));
	buf_release(&a);
	buf_release(&b);
	buf_release(&c);
	ask(folder, "./model -n x </dev/null; test $? = 2 && ./model </dev/null", &a);
	buf_release(&a);
}

static void export_refuses_a_model_that_cannot_read(void **state)
{
	struct task_shape task = {TASK_INTENT_SLOTS, 3, 3};
	struct target target = {"gcc", "", "", "linux"};
	struct err_ctx ctx = {""};
	struct fixture f;

	(void)state;
	assert_int_equal(fixture_init(&f, slots_text, task), 0);
	assert_int_equal(codegen_export(&f.in, &target, dir, &ctx), ERR_INVALID);
	assert_non_null(strstr(ctx.msg, "vocabulary"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(export_answers_intent_and_slots_of_a_line),
		cmocka_unit_test(export_of_a_language_model_goes_on_past_its_context),
		cmocka_unit_test(export_refuses_a_model_that_cannot_read),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
