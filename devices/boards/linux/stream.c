#include "devices/boards/linux/harness.h"

#include <errno.h>
#include <unistd.h>

static struct {
	uint8_t buf[HARNESS_OUT_BYTES]; /* output not yet written as an OUTPUT record */
	size_t len;
	uint64_t written; /* bytes of the stream */
} sink;

static void write_all(const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(HARNESS_EXIT_IO);
		data += n;
		len -= (size_t)n;
		sink.written += (uint64_t)n;
	}
}

void stream_record(uint32_t kind, const uint8_t *body, size_t len)
{
	uint8_t head[RECORD_HEAD_BYTES];
	struct put p;

	put_init(&p, head, sizeof(head));
	put_record_head(&p, kind, (uint32_t)len);
	write_all(head, p.len);
	write_all(body, len);
}

static void sink_flush(void)
{
	if (sink.len)
		stream_record(RECORD_OUTPUT, sink.buf, sink.len);
	sink.len = 0;
}

/* Room for n more bytes of output; n is small. */
struct put stream_room(size_t n)
{
	struct put p;

	if (sink.len + n > sizeof(sink.buf))
		sink_flush();
	put_init(&p, sink.buf + sink.len, sizeof(sink.buf) - sink.len);
	sink.len += n;
	return p;
}

void stream_f32(const float *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct put p = stream_room(4);

		put_f32(&p, v[i]);
	}
}

void stream_begin(void)
{
	uint8_t b[4];
	struct put p;

	put_init(&p, b, sizeof(b));
	put_u32(&p, RECORD_MAGIC);
	write_all(b, p.len);
}

void stream_end(void)
{
	uint8_t b[8];
	struct put p;

	sink_flush();
	put_init(&p, b, sizeof(b));
	put_u64(&p, sink.written);
	stream_record(RECORD_END, b, p.len);
}

int stream_fail(int code, const char *text)
{
	uint8_t b[128];
	struct put p;

	put_init(&p, b, sizeof(b));
	put_str(&p, text);
	stream_record(RECORD_ERROR, b, p.len);
	stream_end();
	return code;
}
