/* The real inputs that a fuzzer starts from. */
#include "tests/fuzz/inputs.h"

#include <math.h>
#include <string.h>

#include "devices/eval_record.h"
#include "devices/proto/crc32.h"
#include "devices/proto/frame.h"
#include "devices/proto/message.h"
#include "devices/proto/record.h"

#define N_ELEMENTS(x) (sizeof(x) / sizeof((x)[0]))

/* ---- messages */

static const uint8_t hash[SHA256_BYTES];

static uint8_t m_hello(struct put *p)
{
	put_hello(p, &(struct wire_hello){WIRE_VERSION, WIRE_VERSION, 0x1234});
	return WIRE_HELLO;
}

static uint8_t m_welcome(struct put *p)
{
	const struct wire_welcome m = {.version = WIRE_VERSION,
		.session = 0x51,
		.max_payload = 4096,
		.window = 8,
		.flags = WIRE_CAN_EVAL,
		.storage_bytes = 1 << 20,
		.output_bytes = 1 << 20,
		.clock_resolution_ns = 1,
		.agent = "hawser-agent 1",
		.sensor_note = "no sensor",
		.description = "arch: none\n",
		.description_len = 11};

	put_welcome(p, &m);
	return WIRE_HELLO | WIRE_ANSWER;
}

static uint8_t m_offer(struct put *p)
{
	put_offer(p, &(struct wire_offer){hash, 20, 0});
	return WIRE_OFFER;
}

static uint8_t m_have(struct put *p)
{
	put_have(p, &(struct wire_have){100, 0});
	return WIRE_OFFER | WIRE_ANSWER;
}

static uint8_t m_put(struct put *p)
{
	const struct wire_put m = {
		.data = (const uint8_t *)"twenty bytes of data", .len = 20};

	put_put(p, &m);
	return WIRE_PUT;
}

static uint8_t m_copy(struct put *p)
{
	put_copy(p, &(struct wire_put){.offset = 100, .held = 7, .from = 40, .len = 60});
	return WIRE_COPY;
}

static uint8_t m_put_answer(struct put *p)
{
	put_have(p, &(struct wire_have){300, 0});
	return WIRE_PUT | WIRE_ANSWER;
}

static uint8_t m_verify(struct put *p)
{
	(void)p;
	return WIRE_VERIFY;
}

static uint8_t m_verified(struct put *p)
{
	put_have(p, &(struct wire_have){300, 1});
	return WIRE_VERIFY | WIRE_ANSWER;
}

static uint8_t m_run(struct put *p)
{
	const struct wire_run m = {.image = hash,
		.input = hash,
		.mode = MODE_TIME,
		.n_samples = 4,
		.n_tokens = 1,
		.min_sample_ns = 1000,
		.timeout_ms = 1000};

	put_run(p, &m);
	return WIRE_RUN;
}

static uint8_t m_beat(struct put *p)
{
	(void)p;
	return WIRE_BEAT;
}

static uint8_t m_done(struct put *p)
{
	const struct wire_done m = {.detail = "signal 11",
		.outcome = OUTCOME_CRASH,
		.code = 11,
		.wall_ns = 1000000,
		.temp_before_mc = WIRE_TEMP_UNKNOWN,
		.temp_after_mc = 50000,
		.governor = "performance",
		.energy_uj = NAN,
		.idle_uw = 2e6};

	put_done(p, &m);
	return WIRE_DONE;
}

static uint8_t m_fetch(struct put *p)
{
	put_fetch(p, &(struct wire_fetch){6, 0, 100});
	return WIRE_FETCH;
}

static uint8_t m_data(struct put *p)
{
	put_u32(p, 0);
	put_bytes(p, "a result", 8);
	return WIRE_DATA;
}

static uint8_t m_ping(struct put *p)
{
	put_bytes(p, "hawser", 6);
	return WIRE_PING;
}

static uint8_t m_pong(struct put *p)
{
	m_ping(p);
	return WIRE_PING | WIRE_ANSWER;
}

static uint8_t m_error(struct put *p)
{
	put_error(p, &(struct wire_error){WIRE_E_LEASED, "held by pid 1 on pi"});
	return WIRE_ERROR;
}

static uint8_t m_cancel(struct put *p)
{
	put_u32(p, 4);
	return WIRE_CANCEL;
}

static uint8_t m_reset(struct put *p)
{
	(void)p;
	return WIRE_RESET;
}

static uint8_t m_brief(struct put *p)
{
	const struct wire_done m = {
		.outcome = OUTCOME_CRASH, .n_words = 2, .words = {1, 2}, .brief = 1};

	put_done(p, &m);
	return WIRE_DONE;
}

static uint8_t m_board(struct put *p)
{
	const struct wire_board m = {.clock_hz = 1, .core = "cortex-m4", .name = "a"};

	put_board(p, &m);
	return INPUT_BOARD;
}

typedef uint8_t (*message_fn)(struct put *p);
static const message_fn messages[] = {m_hello, m_welcome, m_offer, m_have, m_put, m_copy,
	m_put_answer, m_verify, m_verified, m_run, m_beat, m_done, m_fetch, m_data,
	m_ping, m_pong, m_error, m_cancel, m_reset, m_brief, m_board};

static void seed_message(unsigned i, struct put *out)
{
	uint8_t body[512], type;
	struct put p;

	put_init(&p, body, sizeof(body));
	type = messages[i](&p);
	put_u8(out, INPUT_MESSAGE);
	put_u8(out, type);
	put_bytes(out, body, p.len);
}

static void seed_frame(unsigned i, struct put *out)
{
	uint8_t wire[FRAME_WIRE_BYTES(600)], body[512];
	struct wire_header h = {0, 0x51, 1};
	struct put p, payload;
	size_t n;

	put_init(&p, body, sizeof(body));
	h.type = messages[i](&p);
	n = WIRE_HEADER_BYTES + p.len;
	put_init(&payload, wire + FRAME_HEADROOM(n), n);
	put_header(&payload, &h);
	put_bytes(&payload, body, p.len);
	put_u8(out, INPUT_FRAMES);
	put_bytes(out, wire, frame_encode(wire, payload.at, n));
}

/* ---- sessions */

static void entry(struct put *out, message_fn m, uint8_t flags)
{
	uint8_t body[512], type;
	struct put p;

	put_init(&p, body, sizeof(body));
	type = m(&p);
	put_u8(out, type);
	put_u8(out, flags);
	put_u16(out, (uint16_t)p.len);
	put_bytes(out, body, p.len);
}

/* An agent's answers to an upload, a fetch, a ping; then the same with noise between. */
static void seed_link(unsigned i, struct put *out)
{
	static const message_fn upload[] = {m_welcome, m_have, m_put_answer, m_verified};
	static const message_fn others[] = {m_welcome, m_data, m_pong, m_error};
	unsigned what = i % 3;

	put_u8(out, INPUT_LINK);
	put_u8(out, (uint8_t)(what == 1 ? 7 : what));
	for (unsigned k = 0; k < 4; k++) {
		if (what && k == 3)
			return;
		if (i >= 3) {
			entry(out, m_beat, 2);
			put_u8(out, 0);
			entry(out, m_done, (uint8_t)(1 + k));
		}
		entry(out, what ? others[k] : upload[k], 0);
	}
}

static void seed_agent(unsigned i, struct put *out)
{
	static const message_fn asked[] = {m_hello, m_ping, m_offer, m_copy, m_put,
		m_verify, m_run, m_cancel, m_fetch, m_reset};

	put_u8(out, INPUT_AGENT);
	for (size_t k = 0; k < N_ELEMENTS(asked); k++)
		entry(out, asked[k], i ? 8 : 0);
}

/* ---- results */

static void put_times(struct put *p, uint32_t kind, uint32_t n)
{
	put_record_head(
		p, kind, (kind == RECORD_STEPS ? 4u : 0u) + TIME_HEAD_BYTES + 8 * n);
	if (kind == RECORD_STEPS)
		put_u32(p, 16);
	put_u32(p, n);
	put_u32(p, 10);
	put_u64(p, 1000);
	put_u64(p, 1000 + 100000);
	put_u64(p, 10 * n);
	put_u32(p, 0);
	put_u32(p, 1);
	for (uint32_t i = 0; i < n; i++) {
		put_f32(p, 1000 + (float)i);
		put_f32(p, 990 + (float)i);
	}
}

static void put_eval(struct put *p, uint32_t flags)
{
	put_u32(p, EVAL_OUT_MAGIC);
	put_u32(p, flags);
	put_u32(p, 1);
	put_u32(p, 2);
	put_u32(p, 3);
	put_u32(p, 2);
	put_u16(p, 1);
	put_u16(p, 0);
	put_u16(p, 2);
	for (int k = 0; flags & EVAL_LOGITS && k < 2 + 2 * 3; k++)
		put_f32(p, 0.5f);
	if (flags & EVAL_LM) {
		put_f64(p, 1.5);
		put_u32(p, 1);
	}
}

static void put_golden(struct put *p)
{
	put_record_head(p, RECORD_GOLDEN, GOLDEN_BYTES);
	put_u32(p, 1);
	put_u8(p, 1);
	put_f64(p, 0.001);
	put_u32(p, 0);
	put_u8(p, 0);
	put_u32(p, 0);
	put_f32(p, 1);
	put_f32(p, 1);
}

/* Modes 0 to 2, and timed steps. */
static void seed_records(unsigned i, struct put *out)
{
	struct put eval;
	uint8_t bytes[200];
	size_t start;

	put_u8(out, INPUT_RECORDS);
	put_u8(out, (uint8_t)(i < 3 ? i : 1));
	start = out->len;
	put_u32(out, RECORD_MAGIC);
	if (i != 2)
		put_golden(out);
	if (i == 1 || i == 3)
		put_times(out, RECORD_TIME, 4);
	if (i == 3)
		put_times(out, RECORD_STEPS, 4);
	if (i == 2) {
		put_init(&eval, bytes, sizeof(bytes));
		put_eval(&eval, EVAL_LOGITS);
		put_record_head(out, RECORD_OUTPUT, (uint32_t)eval.len);
		put_bytes(out, bytes, eval.len);
	}
	start = out->len - start;
	put_record_head(out, RECORD_END, 8);
	put_u64(out, start);
}

static void seed_eval(unsigned i, struct put *out)
{
	put_u8(out, INPUT_EVAL);
	put_eval(out, i);
}

/* ---- texts */

static const char *const boots[] = {
	"Welcome to pi\r\nhawser-boot hello Linux aarch64\nhawser-boot send\n"
	"hawser-boot ready\n",
	"hawser-boot hello Linux aarch64\nhawser-boot have\nhawser-boot ready\n",
	"hawser-boot hello Linux ../../x86_64\n",
	"hawser-boot hello Darwin arm64\n",
	"hawser-boot hello Linux aarch64\nhawser-boot fail store No space left on device\n",
	"hawser-boot hello Linux aarch64\nhawser-boot send\nhawser-boot fail run "
	"\x1b[31mPermission denied\n",
};
static const char *const complaints[] = {
	"@@@@@\r\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key for pi has "
	"changed\r\nHost key verification failed.\r\n",
	"pi@host: Permission denied (publickey).\r\n",
	"ssh: Could not resolve hostname nowhere: Name or service not known\r\n",
	"ssh: connect to host pi port 22: Connection refused\r\n",
	"Timeout, server pi not responding.\r\n",
	"ssh://user@[fe80::1%eth0]:2222",
	"ssh://pi@raspberrypi.local/",
};

static void seed_text(uint8_t reader, const char *text, struct put *out)
{
	put_u8(out, reader);
	put_bytes(out, text, strlen(text));
}

size_t input_seed(unsigned i, uint8_t *bytes)
{
	static const struct {
		unsigned n;
		void (*make)(unsigned i, struct put *out);
	} kinds[] = {
		{N_ELEMENTS(messages), seed_frame},
		{N_ELEMENTS(messages), seed_message},
		{6, seed_link},
		{2, seed_agent},
		{4, seed_records},
		{4, seed_eval},
	};
	struct put out;

	put_init(&out, bytes, INPUT_MAX);
	for (size_t k = 0; k < N_ELEMENTS(kinds); i -= kinds[k++].n)
		if (i < kinds[k].n) {
			kinds[k].make(i, &out);
			return out.len;
		}
	if (i < N_ELEMENTS(boots))
		seed_text(INPUT_BOOT, boots[i], &out);
	else if (i - N_ELEMENTS(boots) < N_ELEMENTS(complaints))
		seed_text(INPUT_SSH, complaints[i - N_ELEMENTS(boots)], &out);
	return out.len;
}
