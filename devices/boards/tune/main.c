/* The tuner: times the schedules of matrix products on the device itself. Its input and
 * output are told in devices/PROTOCOL.md, "Tuning"; started by the agent as
 *
 *   IMAGE eval          (input on standard input)
 *
 * Schedules take turns, so that drift meets all alike. In a network a product's weights
 * are not in the first cache when it starts, because all others ran in between: so calls
 * go round copies of the matrix that together are larger than that cache.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "devices/boards/linux/harness.h"
#include "src/infer/kernels.h"

#define SPREAD (512u << 10) /* bytes of weights that calls go round */
#define MAX_COPIES 64
#define MIN_SAMPLES 3
#define MAX_INNER (1u << 16)

struct request {
	uint32_t n_shapes, n_samples, min_sample_ns, seed;
	uint64_t budget_ns;
};

struct shape {
	uint8_t bits, n_schedules;
	uint32_t n, in, out;
};

/* A product with its operands. */
struct work {
	struct shape s;
	struct linear copy[MAX_COPIES];
	uint32_t n_copies, at;
	void *x;
	float *x_scale, *y;
	uint16_t *scales;
	float *bias;
	uint8_t *weights;
	uint64_t best_ns[TUNE_MAX_SCHEDULES]; /* of a sample */
	uint32_t inner;
};

static uint32_t state;

static uint32_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *take(size_t bytes)
{
	return aligned_alloc(64, (bytes + 127) / 64 * 64);
}

/* Small numbers of both signs: nothing overflows, nothing is denormal. */
static void fill_floats(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float)((int32_t)(draw() >> 16) - 32768) * (1.0f / 32768);
}

static void fill_bytes(uint8_t *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (uint8_t)(draw() >> 16);
}

/* Bytes of the matrix in any set's panels: columns and rows are rounded up there. */
static size_t matrix_bytes(const struct shape *s)
{
	size_t in = ((size_t)s->in + 31) / 32 * 32, out = ((size_t)s->out + 63) / 64 * 64;

	return (in * out * s->bits / 8 + 63) / 64 * 64;
}

static void fill(struct work *w, size_t n_scales)
{
	const struct shape *s = &w->s;
	size_t bytes = matrix_bytes(s) * w->n_copies, n_x = (size_t)s->n * s->in;

	if (s->bits == 32) {
		fill_floats(w->x, n_x);
		fill_floats((float *)(void *)w->weights, bytes / 4);
	} else {
		fill_bytes(w->x, n_x);
		fill_bytes(w->weights, bytes);
	}
	fill_floats(w->x_scale, s->n);
	fill_floats(w->bias, s->out);
	for (size_t i = 0; i < n_scales; i++)
		w->scales[i] = 0x3c00; /* 2^-7 as bf16 */
}

static int prepare(struct work *w)
{
	const struct shape *s = &w->s;
	size_t bytes = matrix_bytes(s);
	size_t n_scales = ((size_t)s->in / KERNEL_GROUP + 1) * ((size_t)s->out + 64);

	w->n_copies = bytes >= SPREAD ? 1 : (uint32_t)(SPREAD / bytes + 1);
	w->n_copies = w->n_copies < MAX_COPIES ? w->n_copies : MAX_COPIES;
	w->x = take((size_t)s->n * s->in * 4);
	w->x_scale = take((size_t)s->n * 4);
	w->y = take((size_t)s->n * s->out * 4);
	w->scales = take(n_scales * 2);
	w->bias = take((size_t)s->out * 4);
	w->weights = take(bytes * w->n_copies + 4096); /* kernels fetch ahead */
	if (!w->x || !w->x_scale || !w->y || !w->scales || !w->bias || !w->weights)
		return -1;
	fill(w, n_scales);
	for (uint32_t i = 0; i < w->n_copies; i++)
		w->copy[i] = (struct linear){.in = s->in,
			.out = s->out,
			.w = w->weights + i * bytes,
			.scales = s->bits == 32 ? 0 : w->scales,
			.bias = w->bias,
			.panels = 1};
	return 0;
}

static void release(struct work *w)
{
	free(w->x);
	free(w->x_scale);
	free(w->y);
	free(w->scales);
	free(w->bias);
	free(w->weights);
}

static void call(struct work *w, uint8_t schedule)
{
	struct linear *l = &w->copy[w->at++ % w->n_copies];

	l->schedule = schedule;
	if (w->s.bits == 32)
		linear_f32(l, w->s.n, w->x, 0, w->y);
	else if (w->s.bits == 8)
		linear_i8(l, w->s.n, w->x, w->x_scale, 0, w->y);
	else
		linear_i4(l, w->s.n, w->x, w->x_scale, 0, w->y);
}

static uint64_t sample(struct work *w, uint8_t schedule)
{
	uint64_t c0 = now(CLOCK_THREAD_CPUTIME_ID);

	for (uint32_t i = 0; i < w->inner; i++)
		call(w, schedule);
	return now(CLOCK_THREAD_CPUTIME_ID) - c0;
}

/* Calls grow until a sample of the first schedule lasts long enough; warms up, too. */
static void calibrate(struct work *w, uint32_t min_sample_ns)
{
	w->inner = 1;
	while (sample(w, 0) < min_sample_ns && w->inner < MAX_INNER)
		w->inner *= 2;
}

static void shuffle(uint8_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		order[i] = (uint8_t)i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = draw() % (i + 1);
		uint8_t t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
}

static void time_schedules(struct work *w, const struct request *rq)
{
	uint64_t end = now(CLOCK_MONOTONIC) + rq->budget_ns;
	uint8_t order[TUNE_MAX_SCHEDULES];

	calibrate(w, rq->min_sample_ns);
	for (uint32_t k = 0; k < rq->n_samples; k++) {
		if (k >= MIN_SAMPLES && now(CLOCK_MONOTONIC) > end)
			return;
		shuffle(order, w->s.n_schedules);
		for (uint32_t i = 0; i < w->s.n_schedules; i++) {
			uint64_t ns = sample(w, order[i]), *best = &w->best_ns[order[i]];

			if (!*best || ns < *best)
				*best = ns;
		}
	}
}

static int time_shape(const struct shape *s, const struct request *rq)
{
	static struct work w;
	int rc;

	memset(&w, 0, sizeof(w));
	w.s = *s;
	rc = prepare(&w);
	if (rc == 0) {
		time_schedules(&w, rq);
		for (uint32_t i = 0; i < s->n_schedules; i++) {
			struct put p = stream_room(4);

			put_f32(&p, (float)((double)w.best_ns[i] / w.inner));
		}
	}
	release(&w);
	return rc;
}

static int read_all(uint8_t *out, size_t n)
{
	while (n) {
		ssize_t got = read(STDIN_FILENO, out, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		out += got;
		n -= (size_t)got;
	}
	return 0;
}

static int read_request(struct request *rq)
{
	uint8_t b[TUNE_IN_HEAD];
	struct get g;

	if (read_all(b, sizeof(b)))
		return -1;
	get_init(&g, b, sizeof(b));
	if (get_u32(&g) != TUNE_IN_MAGIC)
		return -1;
	rq->n_shapes = get_u32(&g);
	rq->n_samples = get_u32(&g);
	rq->min_sample_ns = get_u32(&g);
	rq->seed = get_u32(&g);
	rq->budget_ns = get_u64(&g);
	return rq->n_shapes > TUNE_MAX_SHAPES || rq->budget_ns > (uint64_t)1 << 40 ? -1
										   : 0;
}

static int in_range(uint32_t v)
{
	return v >= 1 && v <= TUNE_MAX_WIDTH;
}

static int read_shape(struct shape *s)
{
	uint8_t b[TUNE_SHAPE_BYTES];
	struct get g;

	if (read_all(b, sizeof(b)))
		return -1;
	get_init(&g, b, sizeof(b));
	s->bits = get_u8(&g);
	s->n_schedules = get_u8(&g);
	s->n = get_u32(&g);
	s->in = get_u32(&g);
	s->out = get_u32(&g);
	return (s->bits == 32 || s->bits == 8 || s->bits == 4) && s->n_schedules >= 1 &&
			       s->n_schedules <= TUNE_MAX_SCHEDULES && in_range(s->n) &&
			       in_range(s->in) && in_range(s->out)
		       ? 0
		       : -1;
}

int main(int argc, char **argv)
{
	struct request rq;
	struct put p;

	stream_begin();
	if (argc != 2 || strcmp(argv[1], "eval") != 0)
		return stream_fail(HARNESS_EXIT_USAGE, "usage: eval");
	if (read_request(&rq))
		return stream_fail(HARNESS_EXIT_INPUT, "no tuning request");
	state = rq.seed | 1;
	p = stream_room(8);
	put_u32(&p, TUNE_OUT_MAGIC);
	put_u32(&p, rq.n_shapes);
	for (uint32_t i = 0; i < rq.n_shapes; i++) {
		struct shape s;

		if (read_shape(&s))
			return stream_fail(
				HARNESS_EXIT_INPUT, "a shape is missing or out of range");
		if (time_shape(&s, &rq))
			return stream_fail(
				HARNESS_EXIT_MODEL, "out of memory for a product");
	}
	stream_end();
	return 0;
}
