/* A recorded power trace played back: "fake:FILE" with lines "time_ns power_uw", or
 * "time_ns lost" for a sample that did not arrive. Time starts at the first reading;
 * between lines power is interpolated; after the last line it stays. A first line
 * "interval_ns N" sets the sensor's interval (1 ms without).
 */
#include "devices/sensors/sensor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_POINTS 100000

struct point {
	uint64_t t_ns;
	double uw; /* negative: lost */
};

struct sensor_trace {
	size_t n;
	uint64_t start_ns;
	int started;
	struct point p[];
};

static int parse_line(struct sensor *s, char *line, struct point *p)
{
	char *end;

	if (strncmp(line, "interval_ns ", 12) == 0) {
		s->interval_ns = strtoull(line + 12, &end, 10);
		return s->interval_ns > 0 ? 0 : -EINVAL;
	}
	p->t_ns = strtoull(line, &end, 10);
	if (end == line || *end != ' ')
		return -EINVAL;
	if (strncmp(end + 1, "lost", 4) == 0) {
		p->uw = -1;
		return 1;
	}
	line = end + 1;
	p->uw = strtod(line, &end);
	return end != line && p->uw >= 0 ? 1 : -EINVAL;
}

static int load(struct sensor *s, FILE *f)
{
	struct sensor_trace *t = s->trace;
	char line[128];

	while (fgets(line, sizeof(line), f)) {
		int rc;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (t->n == MAX_POINTS)
			return -E2BIG;
		rc = parse_line(s, line, &t->p[t->n]);
		if (rc < 0)
			return rc;
		if (rc && t->n && t->p[t->n].t_ns <= t->p[t->n - 1].t_ns)
			return -EINVAL;
		t->n += (size_t)rc;
	}
	return t->n ? 0 : -EINVAL;
}

static void fake_close(struct sensor *s)
{
	free(s->trace);
	s->trace = NULL;
}

static int fake_open(struct sensor *s, const char *arg)
{
	FILE *f = fopen(arg, "re");
	int rc;

	if (!f) {
		rc = -errno;
		snprintf(s->note, sizeof(s->note), "cannot read the trace '%.128s'", arg);
		return rc;
	}
	s->interval_ns = 1000000;
	s->trace = calloc(1, sizeof(*s->trace) + MAX_POINTS * sizeof(s->trace->p[0]));
	rc = s->trace ? load(s, f) : -ENOMEM;
	fclose(f);
	if (rc) {
		snprintf(
			s->note, sizeof(s->note), "the trace '%.128s' is malformed", arg);
		fake_close(s);
		return rc;
	}
	snprintf(s->name, sizeof(s->name), "fake");
	snprintf(s->note, sizeof(s->note), "a recorded trace, not a measurement");
	return 0;
}

static int fake_read(struct sensor *s, uint64_t now_ns, double *value)
{
	struct sensor_trace *t = s->trace;
	const struct point *a, *b;
	uint64_t at;
	size_t lo = 0, hi = t->n;

	if (!t->started) {
		t->started = 1;
		t->start_ns = now_ns;
	}
	at = now_ns - t->start_ns;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->p[mid].t_ns <= at)
			lo = mid;
		else
			hi = mid;
	}
	a = &t->p[lo];
	b = lo + 1 < t->n ? a + 1 : a;
	if (a->uw < 0)
		return -EIO;
	*value = a->uw;
	if (b != a && b->uw >= 0 && at > a->t_ns)
		*value += (b->uw - a->uw) * (double)(at - a->t_ns) /
			  (double)(b->t_ns - a->t_ns);
	return 0;
}

const struct sensor_ops sensor_fake = {"fake", fake_open, fake_read, fake_close, 0};
