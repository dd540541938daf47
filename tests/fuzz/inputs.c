#include "tests/fuzz/inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/eval_record.h"
#include "devices/proto/record.h"
#include "devices/result.h"
#include "devices/transport/ssh.h"
#include "devices/transport/transport.h"
#include "tests/fuzz/inputs_peer.h"

static void must(int holds)
{
	if (!holds)
		abort();
}

static void printable(const char *s)
{
	for (; *s; s++)
		must(*s >= 32 && *s < 127);
}

/* ---- messages */

/* Decoders accept exactly what encoders write; texts become printable first. */
#define SAME_AS(kind, type)                                                              \
	do {                                                                             \
		struct wire_##type m, again;                                             \
		memset(&m, 0, sizeof(m));                                                \
		memset(&again, 0, sizeof(again));                                        \
		if (!get_##kind(&g, &m))                                                 \
			return;                                                          \
		put_init(&p, wire, sizeof(wire));                                        \
		put_##kind(&p, &m);                                                      \
		must(!p.failed && p.len == g.len);                                       \
		get_init(&g, wire, p.len);                                               \
		must(get_##kind(&g, &again));                                            \
	} while (0)
#define SAME(kind) SAME_AS(kind, kind)

static void read_message(uint8_t type, const uint8_t *body, size_t len)
{
	static uint8_t wire[INPUT_MAX + 16];
	struct wire_data d;
	struct put p;
	struct get g;

	get_init(&g, body, len);
	switch (type) {
	case WIRE_HELLO:
		SAME(hello);
		return;
	case WIRE_HELLO | WIRE_ANSWER:
		SAME(welcome);
		return;
	case WIRE_OFFER:
		SAME(offer);
		return;
	case WIRE_OFFER | WIRE_ANSWER:
	case WIRE_PUT | WIRE_ANSWER:
	case WIRE_VERIFY | WIRE_ANSWER:
		SAME(have);
		return;
	case WIRE_PUT:
		SAME(put);
		return;
	case WIRE_COPY:
		SAME_AS(copy, put);
		return;
	case WIRE_RUN:
		SAME(run);
		return;
	case WIRE_FETCH:
		SAME(fetch);
		return;
	case INPUT_BOARD:
		SAME(board);
		return;
	case WIRE_DONE:
		SAME(done);
		return;
	case WIRE_ERROR:
		SAME(error);
		return;
	case WIRE_DATA:
		must(!get_data(&g, &d) || (d.len == len - 4 && d.data == body + 4));
		return;
	default:
		return;
	}
}

static void read_frames(const uint8_t *data, size_t len)
{
	size_t cap = 64 + len / 2, n = 0;
	uint8_t *buf = malloc(cap); /* its end is watched by the sanitiser */
	struct frame_decoder d;
	size_t piece = 1 + len % 61;

	must(buf != NULL);
	frame_decoder_init(&d, buf, cap);
	for (size_t at = 0; at < len;) {
		size_t most = len - at < piece ? len - at : piece;
		struct wire_header h;
		struct get g;

		at += frame_decoder_take(&d, data + at, most, &n);
		if (!n)
			continue;
		get_init(&g, d.buf, n);
		if (get_header(&g, &h))
			read_message(h.type, d.buf + g.pos, n - g.pos);
	}
	free(buf);
}

/* ---- results */

static void check_times(const float *wall, const float *cpu, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		must(isfinite(wall[i]) && wall[i] > 0 && isfinite(cpu[i]) && cpu[i] >= 0);
}

/* The first byte: mode, whether simulated, phase, outcome. */
static void read_records(const uint8_t *data, size_t len)
{
	struct device_info info = {.clock_resolution_ns = 1, .sensor = "x"};
	struct device_profile profile = {.timeout_ms = 1000};
	struct run_request rq = {.n_samples = 4};
	struct answer a = {.rq = &rq, .info = &info, .profile = &profile, .seen_ms = 1};
	struct err_ctx ctx = {{0}};
	struct run_result r;

	if (!len)
		return;
	rq.mode = (enum run_mode)(data[0] % 3);
	info.simulated = data[0] >> 2 & 1;
	rq.phase = data[0] >> 3 & 1;
	a.done.outcome = data[0] >> 4 & 1;
	a.done.energy_uj = 1;
	a.blob = data + 1;
	a.len = len - 1;
	memset(&r, 0, sizeof(r));
	if (result_fill(&r, &a, &ctx)) {
		printable(ctx.msg);
	} else {
		must(!r.run.n || (r.run.n == 4 && rq.mode == RUN_TIME));
		check_times(r.run.wall_ns, r.run.cpu_ns, r.run.n);
		check_times(r.run.steps.wall_ns, r.run.steps.cpu_ns, r.run.steps.n);
		must(r.output_len <= len);
		printable(r.detail);
	}
	run_result_release(&r);
}

static void read_eval(const uint8_t *data, size_t len)
{
	struct eval_reader reader;
	struct eval_result e;

	if (!eval_output_open(&reader, data, len))
		return;
	while (eval_output_next(&reader, &e) == 1) {
		must(e.n > 0 && e.n <= EVAL_MAX_TOKENS);
		for (uint32_t i = 0; reader.n_tags && i < e.n; i++)
			must(eval_tag(&e, i) < reader.n_tags);
		for (uint32_t i = 0; e.intent_logits && i < reader.n_intents; i++)
			must(isfinite(eval_logit(e.intent_logits, i)));
	}
}

/* ---- shells and SSH clients */

static char agent_file[300];

static void remove_agent_file(void)
{
	unlink(agent_file);
}

static enum err find_agent(
	const char *machine, char *path, size_t cap, struct err_ctx *ctx)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	if (strcmp(machine, "aarch64") != 0)
		return err_set(ctx, ERR_DEVICE, "no agent for a '%s'", machine);
	if (!agent_file[0]) {
		snprintf(agent_file, sizeof(agent_file), "%s/hawser-input-XXXXXX",
			tmp && tmp[0] ? tmp : "/tmp");
		fd = mkstemp(agent_file);
		must(fd >= 0 && write(fd, "agent", 5) == 5 && close(fd) == 0);
		atexit(remove_agent_file);
	}
	snprintf(path, cap, "%s", agent_file);
	return ERR_OK;
}

static void read_boot(const uint8_t *data, size_t len)
{
	static const char *const args[] = {"--cpu", "auto", NULL};
	const struct boot b = {"", args, find_agent};
	struct err_ctx ctx = {{0}};
	struct input_peer peer;

	input_peer_text(&peer, data, len);
	if (boot_dialog(&peer.base, &b, "user@host", &ctx))
		printable(ctx.msg);
}

static void read_complaint(const uint8_t *data, size_t len)
{
	struct ssh_address a = {"user", "host", 22};
	struct err_ctx ctx = {{0}};
	char *text = malloc(len + 1);

	must(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	ssh_explain(&a, text, ERR_LINK, &ctx);
	printable(ctx.msg);
	if (ssh_address_parse(&a, text, &ctx) == ERR_OK) {
		printable(a.user);
		printable(a.host);
		must(a.host[0] != '-' && a.user[0] != '-');
	}
	free(text);
}

/* ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	switch (data[0] % N_INPUT_READERS) {
	case INPUT_FRAMES:
		read_frames(data + 1, len - 1);
		break;
	case INPUT_MESSAGE:
		read_message(data[1], data + 2, len - 2);
		break;
	case INPUT_RECORDS:
		read_records(data + 1, len - 1);
		break;
	case INPUT_EVAL:
		read_eval(data + 1, len - 1);
		break;
	case INPUT_LINK:
		input_through_link(data + 1, len - 1);
		break;
	case INPUT_AGENT:
		input_through_agent(data + 1, len - 1);
		break;
	case INPUT_BOOT:
		read_boot(data + 1, len - 1);
		break;
	default:
		read_complaint(data + 1, len - 1);
		break;
	}
	return 0;
}
