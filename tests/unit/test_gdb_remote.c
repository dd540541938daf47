/* The client of debug probes, against answers that were written before it asks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/transport/gdb_remote.h"
#include "src/base/rng.h"

#define MOST 65536

/* The server's end: all it will ever say lies ready, then it hangs up. */
struct server {
	int fd;
	struct gdb_remote *g;
	struct err_ctx ctx;
};

static enum err begin(struct server *s, const void *says, size_t len)
{
	int fd[2];

	memset(s, 0, sizeof(*s));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(write(fd[1], says, len), (ssize_t)len);
	assert_int_equal(shutdown(fd[1], SHUT_WR), 0);
	s->fd = fd[1];
	return gdb_remote_attach(&s->g, fd[0], "lab:3333", &s->ctx);
}

/* What the client has sent, terminated. */
static size_t heard(struct server *s, char *out, size_t cap)
{
	ssize_t n = recv(s->fd, out, cap - 1, MSG_DONTWAIT);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void finish(struct server *s)
{
	gdb_remote_close(s->g, NULL);
	close(s->fd);
}

#define OK "$OK#9a"
#define NONE "$#00"
/* Agreed: packets of 0x400, no X; acknowledgements stay. */
#define PLAIN "+$PacketSize=400#c4+" NONE "+"

static void write_is_hex_where_the_server_takes_no_binary(void **state)
{
	const uint8_t data[] = {0x00, 0x24, 0xff};
	struct server s;
	char out[MOST];

	(void)state;
	assert_int_equal(begin(&s, PLAIN OK, strlen(PLAIN OK)), ERR_OK);
	assert_int_equal(gdb_remote_write(s.g, 0x21000000, data, 3, &s.ctx), ERR_OK);
	heard(&s, out, sizeof(out));
	assert_string_equal(out, "$qSupported#37+$X0,0:#1e+$M21000000,3:0024ff#fb+");
	finish(&s);
}

static void write_escapes_what_frames_packets(void **state)
{
	static const char says[] = "+$QStartNoAckMode+;PacketSize=1000#07+" OK OK OK;
	const uint8_t data[] = {'#', '$', '}', '*', 'a', 0};
	struct server s;
	char out[MOST];
	size_t n;

	(void)state;
	assert_int_equal(begin(&s, says, strlen(says)), ERR_OK);
	assert_int_equal(gdb_remote_write(s.g, 0x10, data, 6, &s.ctx), ERR_OK);
	n = heard(&s, out, sizeof(out));
	/* Nothing is acknowledged any more behind the agreement. */
	assert_memory_equal(out + n - 23, "#1e$X10,6:}\x03}\x04}]}\na\0#", 21);
	finish(&s);
}

static void write_is_cut_into_packets_of_the_agreed_size(void **state)
{
	static uint8_t data[1000];
	char says[256] = PLAIN, out[MOST];
	struct server s;
	int packets = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		strcat(says, "+" OK);
	assert_int_equal(begin(&s, says, strlen(says)), ERR_OK);
	assert_int_equal(gdb_remote_write(s.g, 0, data, sizeof(data), &s.ctx), ERR_OK);
	heard(&s, out, sizeof(out));
	for (char *at = strstr(out, "$M"), *next; at; at = next, packets++) {
		next = strstr(at + 1, "$M");
		assert_true((next ? (size_t)(next - at) : strlen(at)) <= 0x400 + 5);
	}
	assert_int_equal(packets, 3);
	finish(&s);
}

static void answer_may_have_runs_and_come_late_among_others(void **state)
{
	/* A stop reply before the first answer, a notification, console output, and a
	 * packet that arrives whole only the second time. */
	static const char says[] =
		"$T05thread:01;#07" PLAIN "%Stop:T05#00$O4142#1a$00ff#00$00ff#2c$0* #7a";
	struct server s;
	uint8_t got[4] = {1, 1, 1, 1};
	char out[MOST];

	(void)state;
	assert_int_equal(begin(&s, says, strlen(says)), ERR_OK);
	assert_int_equal(gdb_remote_read(s.g, 0x40, got, 2, &s.ctx), ERR_OK);
	assert_int_equal(got[0], 0);
	assert_int_equal(got[1], 0xff);
	assert_int_equal(gdb_remote_read(s.g, 0x40, got, 2, &s.ctx), ERR_OK);
	assert_int_equal(got[0] | got[1], 0);
	heard(&s, out, sizeof(out));
	assert_non_null(strstr(out, "+-+"));
	finish(&s);
}

static void request_that_was_damaged_is_sent_again(void **state)
{
	static const char says[] = PLAIN "-+" OK;
	struct server s;
	char out[MOST], *first;

	(void)state;
	assert_int_equal(begin(&s, says, strlen(says)), ERR_OK);
	assert_int_equal(
		gdb_remote_write(s.g, 0, (const uint8_t *)"x", 1, &s.ctx), ERR_OK);
	heard(&s, out, sizeof(out));
	first = strstr(out, "$M0,1:78#");
	assert_non_null(first);
	assert_non_null(strstr(first + 1, "$M0,1:78#"));
	finish(&s);
}

/* Each of these is a lost probe with a reason, and none keeps the client waiting. */
static void server_that_lies_is_a_lost_link(void **state)
{
	static const struct {
		const char *says, *why;
	} cases[] = {
		{"", "hangs up"},
		{"+", "hangs up"},
		{"HTTP/1.1 400 Bad Request\r\n", "hangs up"},
		{PLAIN "$E01#a6", "cannot read memory at 0x00000040"},
		{PLAIN "$#00", "cannot read memory at 0x00000040"},
		{PLAIN "$00#60", "cannot read memory at 0x00000040"},
		{PLAIN "$0000000000#e0", "cannot read memory at 0x00000040"},
		{PLAIN "$0g00#f7", "cannot read memory at 0x00000040"},
		{PLAIN "$0000#zz$0000#zz$0000#zz$0000#zz", "sends damaged packets"},
		{PLAIN "----", "does not understand"},
		{PLAIN "$*~#a8", "make no sense"},
		{PLAIN "$0*\x01#5b", "make no sense"},
		{PLAIN "$00}#dd", "hangs up"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server s;
		uint8_t got[2];
		enum err e = begin(&s, cases[i].says, strlen(cases[i].says));

		e = e ? e : gdb_remote_read(s.g, 0x40, got, 2, &s.ctx);
		assert_int_equal(e, ERR_LINK);
		if (!strstr(s.ctx.msg, cases[i].why))
			fail_msg("case %zu: %s", i, s.ctx.msg);
		assert_non_null(strstr(s.ctx.msg, "debug probe 'lab:3333': "));
		finish(&s);
	}
}

static void server_that_never_comes_to_the_point_is_left(void **state)
{
	static char says[60000];
	struct server s;

	(void)state;
	memset(says, '0', sizeof(says)); /* one packet without an end */
	says[0] = '$';
	assert_int_equal(begin(&s, says, sizeof(says)), ERR_LINK);
	assert_non_null(strstr(s.ctx.msg, "make no sense"));
	finish(&s);
	says[0] = '\0';
	for (int i = 0; i < 200; i++)
		strcat(says, "$S05#b8");
	assert_int_equal(begin(&s, says, strlen(says)), ERR_LINK);
	assert_non_null(strstr(s.ctx.msg, "talks and does not answer"));
	finish(&s);
}

/* Whatever it says, every call comes back, and no sanitiser complains. */
static void answers_damaged_anyhow_do_no_harm(void **state)
{
	static const char says[] =
		"$T05thread:01;#07+$PacketSize=1000;QStartNoAckMode+#07+" OK NONE OK
		"$00112233#8c$O48#bb" OK OK;
	struct rng rng;

	(void)state;
	rng_init(&rng, 7);
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[sizeof(says)], got[4];
		const uint8_t data[4] = {1, 2, 3, 4};
		struct server s;
		size_t n = rng_below(&rng, sizeof(says));

		memcpy(bytes, says, sizeof(says));
		for (uint64_t i = rng_below(&rng, 6); i > 0; i--)
			bytes[rng_below(&rng, sizeof(says) - 1)] =
				rng_below(&rng, 2)
					? (uint8_t) "$#%*}+-OE0f~"[rng_below(&rng, 12)]
					: (uint8_t)rng_below(&rng, 256);
		if (begin(&s, bytes, n) == ERR_OK) {
			gdb_remote_write(s.g, 0x20, data, 4, NULL);
			gdb_remote_read(s.g, 0x20, got, 4, NULL);
		}
		finish(&s);
	}
}

static void address_is_a_host_and_port_or_a_socket(void **state)
{
	static const struct {
		const char *where;
		enum err e;
		const char *why;
	} cases[] = {
		{"localhost", ERR_INVALID, "use HOST:PORT"},
		{"localhost:", ERR_INVALID, "use HOST:PORT"},
		{":3333", ERR_INVALID, "use HOST:PORT"},
		{"localhost:99x", ERR_INVALID, "use HOST:PORT"},
		{"/nowhere/probe.sock", ERR_LINK, "cannot be reached"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gdb_remote *g;
		struct err_ctx ctx = {{0}};

		assert_int_equal(gdb_remote_open(&g, cases[i].where, &ctx), cases[i].e);
		assert_non_null(strstr(ctx.msg, cases[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_is_hex_where_the_server_takes_no_binary),
		cmocka_unit_test(write_escapes_what_frames_packets),
		cmocka_unit_test(write_is_cut_into_packets_of_the_agreed_size),
		cmocka_unit_test(answer_may_have_runs_and_come_late_among_others),
		cmocka_unit_test(request_that_was_damaged_is_sent_again),
		cmocka_unit_test(server_that_lies_is_a_lost_link),
		cmocka_unit_test(server_that_never_comes_to_the_point_is_left),
		cmocka_unit_test(answers_damaged_anyhow_do_no_harm),
		cmocka_unit_test(address_is_a_host_and_port_or_a_socket),
	};

	return cmocka_run_group_tests_name("gdb remote", tests, NULL, NULL);
}
