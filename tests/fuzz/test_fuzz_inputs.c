/* Everything that reads what devices send, on changed real inputs, without a fuzzer's tools:
 * seeds are those of tests/fuzz/corpus, where `make fuzz-frames` starts from.
 * FUZZ_INPUTS=N inputs instead of the few of `make test`; FUZZ_CORPUS=DIR writes the seeds there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "src/base/buf.h"
#include "src/base/file.h"
#include "tests/fuzz/inputs.h"
#include "tests/fuzz/mutate.h"

static void seeds_are_the_corpus(void **state)
{
	const char *dir = getenv("FUZZ_CORPUS");
	uint8_t bytes[INPUT_MAX];
	unsigned n = 0;
	size_t len;

	(void)state;
	for (; (len = input_seed(n, bytes)); n++) {
		char path[300];
		struct buf b;

		snprintf(path, sizeof(path), "%s/%02u", dir ? dir : "tests/fuzz/corpus",
			n);
		if (dir)
			assert_int_equal(
				file_write_atomic(path, bytes, len, 0644, NULL), ERR_OK);
		buf_init(&b);
		assert_int_equal(file_read(path, INPUT_MAX, &b, NULL), ERR_OK);
		assert_int_equal(b.len, len);
		assert_memory_equal(b.data, bytes, len);
		buf_release(&b);
	}
	assert_true(n > 50);
}

static void changed_inputs_do_no_harm(void **state)
{
	const char *wanted = getenv("FUZZ_INPUTS");
	uint64_t n = wanted ? strtoull(wanted, NULL, 10) : 1000000;
	uint8_t bytes[INPUT_MAX];
	unsigned n_seeds = 0;
	struct rng rng;

	(void)state;
	rng_init(&rng, 3);
	for (; input_seed(n_seeds, bytes); n_seeds++)
		LLVMFuzzerTestOneInput(bytes, input_seed(n_seeds, bytes));
	for (uint64_t i = 0; i < n; i++) {
		size_t len = input_seed((unsigned)rng_below(&rng, n_seeds), bytes);

		for (uint64_t k = 1 + rng_below(&rng, 4); k && len; k--)
			len = 1 + mutate(&rng, bytes + 1, len - 1, INPUT_MAX - 1, NULL);
		LLVMFuzzerTestOneInput(bytes, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds_are_the_corpus),
		cmocka_unit_test(changed_inputs_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
