#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "search/space/space.h"

#define SIZES                                                                            \
	"  vocab_size: 100\n  seq_len: 8\n  n_layers: 1\n  n_heads: [1, 2]\n"            \
	"  d_head: 8\n"
#define TOP "name: t\narch: enc\ngenes:\n" SIZES
#define GOOD TOP "  d_model: [16, 32]\n  d_ff: [16, 32]\n"

struct bad {
	const char *text, *starts, *holds;
};

static const struct bad bad[] = {
	{"", "t.yaml:", ""},
	{"[1, 2]\n", "t.yaml:1:1: ", "mapping"},
	{"name: t\narch: enc\n", "t.yaml:1:1: ", "'genes'"},
	{"arch: enc\ngenes: {}\n", "t.yaml:1:1: ", "'name'"},
	{"name: t\narch: rnn\ngenes: {}\n", "t.yaml:2:7: ", "'rnn', not 'enc' or 'dec'"},
	{"name: ''\narch: enc\ngenes: {}\n", "t.yaml:1:7: ", "1 to 63 characters"},
	{GOOD "  d_modle: 3\n", "t.yaml:11:3: ", "did you mean 'd_model'?"},
	{GOOD "  colour: 3\n", "t.yaml:11:3: ", "unknown key 'colour'"},
	{GOOD "genez: 3\n", "t.yaml:11:1: ", "did you mean 'genes'?"},
	{TOP "  d_model: 16\n", "t.yaml:4:3: ", "'d_ff' is missing"},
	{GOOD "  act: [relu, gleu]\n", "t.yaml:11:15: ", "did you mean 'gelu'?"},
	{GOOD "  shared: maybe\n", "t.yaml:11:11: ", "the first choice is 'no'"},
	{GOOD "  bits: [8, 16]\n",
		"t.yaml:11:13: ", "'bits' is 16, allowed are 32, 8 and 4"},
	{GOOD "  bits: []\n", "t.yaml:11:9: ", "1 to 64 choices"},
	{GOOD "  bits: [[8]]\n", "t.yaml:11:10: ", ""},
	{GOOD "  bits: {a: 8}\n", "t.yaml:11:9: ", "a value or a list"},
	{GOOD "  conv: [0, 4]\n", "t.yaml:11:13: ", "odd widths"},
	{GOOD "  kv: 8\n", "t.yaml:11:7: ", "no meaning in an encoder"},
	{GOOD "  conv: 9\n", "t.yaml:11:9: ", "0 to 7"},
	{GOOD "  rel_pos: -1\n", "t.yaml:11:12: ", "'-1' (needs a whole number)"},
	{GOOD "  d_embed: 1.5\n", "t.yaml:11:12: ", "a whole number or 'full'"},
	{GOOD "  d_embed: half\n", "t.yaml:11:12: ", "'half'"},
	{GOOD "  d_embed: [full, 64]\n", "t.yaml:11:12: ", "wider than every d_model"},
	{GOOD "  n_kv_heads: [same, 3]\n", "t.yaml:11:15: ", "divides no n_heads"},
	{GOOD "  ffn_rank: [0, 16]\n", "t.yaml:11:13: ", "saves no weights"},
	{GOOD "  ffn_rank: 60\n", "t.yaml:11:13: ", "saves no weights"},
	{TOP "  d_ff: 16\n  d_model: 70000\n", "t.yaml:10:12: ", "'70000'"},
	{TOP "  d_ff: 16\n  d_model: [16, 9000]\n", "t.yaml:10:17: ", "1 to 8192"},
	{TOP "  d_ff: 16\n  d_model: 99999999999999999999\n",
		"t.yaml:10:12: ", "d_model"},
	{TOP "  d_ff: 16\n  d_model: [16, 64]\n  d_embed: 32\n",
		"t.yaml:10:12: ", "'16' of gene 'd_model' fits no genome"},
	{GOOD "  act_scales: [static, integer]\n",
		"t.yaml:", "'bits' cannot be '32' (give it 8 and 4 only)"},
	{GOOD "  act_scales: integer\n  bits: 4\n  embed_bits: [32, 8]\n",
		"t.yaml:13:15: ", "'embed_bits' cannot be '32'"},
	{GOOD "  act_scales: integer\n  bits: 4\n  attn_int8: [no, yes]\n",
		"t.yaml:13:14: ", "'attn_int8' cannot be 'yes' (leave it out)"},
	{GOOD "limits: params<=3\n", "t.yaml:11:9: ", "a list"},
	{GOOD "limits: [\"parms<=3\"]\n", "t.yaml:11:10: ", "unknown metric 'parms'"},
	{GOOD "limits: [\"params~3\"]\n", "t.yaml:11:10: ", ""},
	{GOOD "limits: [\"latency_us@local<=3\"]\n",
		"t.yaml:11:10: ", "before measuring"},
	{GOOD "limits: [\"params<=30\"]\n", "t.yaml:11:9: ", "impossible"},
	{GOOD "limits: [\"params>=30000000\"]\n", "t.yaml:11:9: ", "impossible"},
	{GOOD "presets: {a: \"enc;v=1\"}\n", "t.yaml:11:14: ", "preset 'a'"},
	{GOOD "presets: {a: \"enc;v=100;t=8;d=48;e=48;eb=8;act=relu;norm=ln;place=pre;"
	      "pool=mean;abs=0;rel=0;conv=0;opt=O2;kern=ref;L=h1k1x8f16r0b32\"}\n",
		"t.yaml:11:14: ", "gene 'd_model' is '48', space 't' has: 16 32"},
	{"name: t\narch: dec\ngenes:\n" SIZES "  d_model: 16\n  d_ff: 16\n  pool: max\n",
		"t.yaml:11:9: ", "no meaning in a decoder"},
};

static void space_parse_names_line_and_column_when_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err_ctx ctx = {""};
		struct space *s = NULL;

		if (!space_parse(&s, bad[i].text, "t.yaml", &ctx))
			fail_msg("case %zu was accepted:\n%s", i, bad[i].text);
		assert_null(s);
		if (strncmp(ctx.msg, bad[i].starts, strlen(bad[i].starts)) != 0 ||
			!strstr(ctx.msg, bad[i].holds))
			fail_msg("case %zu: '%s', expected '%s...%s'", i, ctx.msg,
				bad[i].starts, bad[i].holds);
	}
}

static void space_open_lists_what_there_is_when_unknown(void **state)
{
	struct err_ctx ctx = {""};
	struct space *s = NULL;

	(void)state;
	assert_int_equal(space_open(&s, "home-smal", &ctx), ERR_NOTFOUND);
	assert_non_null(strstr(ctx.msg, "home-small"));
	assert_int_equal(space_open(&s, "../spaces/home-small", &ctx), ERR_NOTFOUND);
	assert_true(space_open(&s, "no/such.yaml", &ctx) != ERR_OK);
	assert_int_equal(space_open(&s, "home-small", &ctx), ERR_OK);
	assert_string_equal(space_name(s), "home-small");
	assert_int_equal(space_max_vocab(s), 1000);
	space_close(s);
}

/* Every truncation, and every character replaced: an error with a place, or a space. */
static void space_parse_survives_damaged_text(void **state)
{
	static const char text[] = GOOD "  n_kv_heads: [same, 1]\n  shared: [no, yes]\n"
					"limits: [\"params<=90000\"]\n";
	static const char damage[] = {'\0', ':', '[', ']', '"', '9', '-', '\t', '\x80'};
	char bad_text[sizeof(text)];
	size_t n_refused = 0;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		for (size_t k = 0; k < sizeof(damage); k++) {
			struct err_ctx ctx = {""};
			struct space *s = NULL;

			memcpy(bad_text, text, sizeof(text));
			bad_text[i] = damage[k];
			if (space_parse(&s, bad_text, "t.yaml", &ctx)) {
				n_refused++;
				assert_null(s);
				assert_int_equal(strncmp(ctx.msg, "t.yaml:", 7), 0);
			}
			space_close(s);
		}
	}
	assert_true(n_refused > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_parse_names_line_and_column_when_bad),
		cmocka_unit_test(space_open_lists_what_there_is_when_unknown),
		cmocka_unit_test(space_parse_survives_damaged_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
