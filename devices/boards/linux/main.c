#include "devices/boards/linux/harness.h"

#include <errno.h>
#include <stdlib.h>

static int number(const char *text, uint32_t *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || v > UINT32_MAX)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

int main(int argc, char **argv)
{
	struct timing t = {0};

	stream_begin();
	if (argc == 2 && strcmp(argv[1], "golden") == 0)
		return run_golden();
	if (argc == 2 && strcmp(argv[1], "eval") == 0)
		return run_eval();
	if (argc == 7 && strcmp(argv[1], "time") == 0 && !number(argv[2], &t.n_warmup) &&
		!number(argv[3], &t.n_samples) && !number(argv[4], &t.min_sample_ns) &&
		!number(argv[5], &t.n_tokens) && !number(argv[6], &t.phase) &&
		t.phase <= 1)
		return run_time(&t);
	return stream_fail(
		HARNESS_EXIT_USAGE, "usage: golden | eval | time W N NS TOKENS PHASE");
}
