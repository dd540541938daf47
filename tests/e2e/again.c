/* again STREAM...: what processes of one image wrote (devices/proto/record.h), read once
 * more: prints the median over processes of the least CPU time of an inference in ns, as a
 * stored latency is. Exit code 1 when one of them failed its golden check.
 */
#include <stdio.h>
#include <stdlib.h>

#include "devices/proto/record.h"

#define MAX_STREAMS 64

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double least_cpu_ns(const char *path)
{
	static uint8_t bytes[1 << 22];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
	struct record_summary s;
	double least = 0;

	if (f)
		fclose(f);
	if (!record_scan(bytes, n, &s) || s.n_golden != 1 || !s.golden.pass ||
		s.n_time != 1)
		return 0;
	for (uint32_t i = 0; i < s.time.n; i++) {
		float wall, cpu;

		record_sample(&s.time, i, &wall, &cpu);
		if (i == 0 || cpu < least)
			least = (double)cpu;
	}
	return least;
}

int main(int argc, char **argv)
{
	double ns[MAX_STREAMS];
	int n = argc - 1;

	if (n < 1 || n > MAX_STREAMS)
		return 2;
	for (int i = 0; i < n; i++) {
		ns[i] = least_cpu_ns(argv[i + 1]);
		if (!(ns[i] > 0))
			return 1;
	}
	qsort(ns, (size_t)n, sizeof(*ns), compare);
	printf("%.1f\n", (ns[(n - 1) / 2] + ns[n / 2]) / 2);
	return 0;
}
