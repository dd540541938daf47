/* The messages of devices/PROTOCOL.md as structs, and their bytes. Decoders accept
 * exactly what encoders write: a short, long or out-of-range message is refused (0).
 *
 * Freestanding. Pointers in decoded messages lead into the frame and live as long as it.
 */
#ifndef HAWSER_DEVICES_PROTO_MESSAGE_H
#define HAWSER_DEVICES_PROTO_MESSAGE_H

#include <stdint.h>

#include "devices/proto/bytes.h"
#include "devices/proto/sha256.h"

#define WIRE_VERSION 4
#define WIRE_MIN_PAYLOAD                                                                 \
	512 /* every agent takes so much; only WELCOME and DATA are longer */
#define WIRE_HEADER_BYTES 9
#define WIRE_DESCRIPTION_BYTES 2048
#define WIRE_PUT_OVERHEAD (WIRE_HEADER_BYTES + 4)  /* PUT without its bytes */
#define WIRE_DATA_OVERHEAD (WIRE_HEADER_BYTES + 4) /* DATA without its bytes */

enum wire_type {
	WIRE_HELLO = 0x01,
	WIRE_OFFER = 0x02,
	WIRE_PUT = 0x03,
	WIRE_VERIFY = 0x04,
	WIRE_RUN = 0x05,
	WIRE_FETCH = 0x06,
	WIRE_CANCEL = 0x07,
	WIRE_PING = 0x08,
	WIRE_RESET = 0x09,
	WIRE_COPY = 0x0a,
	WIRE_ANSWER = 0x80, /* answer to a request: its type with this bit */
	WIRE_BEAT = 0x85,   /* the RUN goes on */
	WIRE_DONE = 0x90,   /* the RUN has ended */
	WIRE_DATA = 0x86,
	WIRE_ERROR = 0xff
};

enum wire_code {
	WIRE_E_UNKNOWN = 1, /* a request this agent does not have */
	WIRE_E_REQUEST = 2, /* malformed, or a field out of range */
	WIRE_E_SESSION = 3, /* say HELLO first */
	WIRE_E_VERSION = 4, /* no common version */
	WIRE_E_LEASED = 5,  /* another controller holds the device; the text says who */
	WIRE_E_BUSY = 6,    /* a RUN is going on */
	WIRE_E_TOO_LARGE = 7,
	WIRE_E_NO_SPACE = 8,
	WIRE_E_NOT_FOUND = 9, /* no such image, input or result */
	WIRE_E_HASH = 10,     /* the bytes received are not those offered */
	WIRE_E_IO = 11	      /* the device's own storage failed */
};

enum wire_outcome {
	OUTCOME_OK,
	OUTCOME_WRONG_OUTPUT,
	OUTCOME_CRASH,	   /* code: signal or fault number */
	OUTCOME_EXIT,	   /* code: exit code */
	OUTCOME_NO_RESULT, /* ended well, but its records are not sound */
	OUTCOME_TIMEOUT,
	OUTCOME_OOM,
	OUTCOME_CANCELLED,
	OUTCOME_UNSUPPORTED, /* this device cannot do that mode */
	OUTCOME_AGENT_FAULT, /* the device's own failure: not the image's */
	OUTCOME_KILLED,	     /* by someone else there; code: the signal */
	N_OUTCOMES
};

enum wire_mode { MODE_GOLDEN, MODE_TIME, MODE_EVAL, N_MODES };

struct wire_header {
	uint8_t type;
	uint32_t session; /* 0 in HELLO */
	uint32_t request; /* grows by one with each request of a session */
};

struct wire_hello {
	uint16_t version_lo, version_hi;
	uint32_t host_nonce;
};

#define WIRE_CAN_EVAL 1u
#define WIRE_IS_SIMULATED 2u
#define WIRE_CAN_COPY 4u
/* A small agent that does not look into records: it gives them after an exit of any code,
 * and says OUTCOME_OK after 0. */
#define WIRE_HOST_JUDGES 8u
/* Its description is a board's record, struct wire_board, and its clock's unit a tick. */
#define WIRE_IS_BOARD 16u

struct wire_welcome {
	uint16_t version;
	uint32_t host_nonce; /* as in the HELLO */
	uint32_t session;
	uint32_t max_payload;
	/* About the machine, for put_about. */
	uint16_t window; /* PUTs that may be under way unanswered */
	uint32_t flags;
	uint32_t storage_bytes; /* largest image */
	uint32_t output_bytes;	/* largest result */
	uint32_t clock_resolution_ns;
	char agent[64];
	char sensor[64];
	char sensor_note[192]; /* why there is none, or what it covers */
	char description
		[WIRE_DESCRIPTION_BYTES]; /* to the end; as it came, 0 behind it */
	uint32_t description_len;
};

/* What a board's agent tells of itself. */
struct wire_board {
	uint32_t window_base, window_bytes; /* where images go */
	uint32_t code_base, code_bytes;	    /* what they may read besides */
	uint32_t clock_hz;
	uint32_t cpuid, mvfr0, mvfr1; /* registers of the core */
	uint32_t found;		      /* WIRE_RAN_FPU and so on */
	uint32_t boots, reset;
	char core[32], name[32];
};
#define WIRE_RAN_FPU 1u /* instructions of that kind were executed */
#define WIRE_RAN_DSP 2u
#define WIRE_RAN_MVE 4u
#define WIRE_CYCLES 8u /* the cycle counter moves */

struct wire_offer {
	const uint8_t *hash; /* SHA256_BYTES */
	uint32_t size;
	uint32_t crc; /* CRC-32 of the whole, for agents that do not hash */
};

struct wire_have {
	uint32_t have;	  /* bytes the agent holds: go on from there */
	uint8_t complete; /* all there and verified */
};

/* PUT, or COPY: bytes that the device has already. */
struct wire_put {
	uint32_t offset;
	const uint8_t *data; /* NULL: COPY */
	uint32_t len;
	uint32_t
		held; /* wire_hash_start of a verified content; 0: none, but its memory */
	uint32_t from; /* offset there, or address */
};

struct wire_run {
	const uint8_t *image; /* SHA256_BYTES */
	const uint8_t *input; /* MODE_EVAL; else zeros */
	uint8_t mode;
	uint8_t phase;
	uint32_t process_index;
	uint32_t attempt;
	uint32_t n_warmup, n_samples, min_sample_ns, n_tokens;
	uint32_t timeout_ms;
	uint64_t memory_bytes; /* 0: no limit */
};

#define WIRE_TEMP_UNKNOWN INT32_MIN

#define WIRE_MAX_WORDS 8
#define WIRE_DONE_BYTES (WIRE_MIN_PAYLOAD - WIRE_HEADER_BYTES) /* no body is longer */
#define WIRE_DONE_OUTPUT_LEN 6 /* where output_len stands in the body */
struct wire_done {
	uint8_t outcome;
	uint8_t n_words;
	int32_t code;
	uint32_t output_len;
	uint32_t output_crc;
	uint64_t wall_ns;     /* of the whole process; ticks with WIRE_IS_BOARD */
	uint32_t stack_bytes; /* the most that the image's stack has held; 0: unknown */
	uint32_t words[WIRE_MAX_WORDS]; /* where it failed: pc lr cfsr hfsr address */
	uint8_t brief; /* a small agent's: without the rest, which is unknown */
	char detail[200];
	uint64_t cpu_ns;			  /* of the whole process */
	uint64_t peak_rss_bytes;		  /* 0: unknown */
	uint32_t n_vcsw, n_ivcsw;		  /* of the whole process */
	uint32_t freq_before_khz, freq_after_khz; /* 0: unknown */
	int32_t temp_before_mc, temp_after_mc;	  /* WIRE_TEMP_UNKNOWN */
	uint32_t n_quota;  /* periods whose CPU quota was used up */
	uint32_t quota_us; /* time lost so */
	uint32_t n_slowed; /* times that heat or a weak supply slowed the core */
	char governor[32];
	double energy_uj; /* per inference, idle taken off; NaN: not measured */
	double idle_uw;
	char energy_note[96]; /* why there is no figure */
};

struct wire_fetch {
	uint32_t run; /* request id of the RUN */
	uint32_t offset, len;
};

struct wire_data {
	uint32_t offset;
	const uint8_t *data;
	uint32_t len;
};

/* Of PING, which comes back as it is. */
#define WIRE_PING_BYTES 64

struct wire_error {
	uint16_t code;
	char text[200]; /* "": wire_code_text says it all */
};

/* The first four bytes of a hash, by which COPY names what it copies from. */
static inline uint32_t wire_hash_start(const uint8_t hash[SHA256_BYTES])
{
	return load_u32(hash);
}

/* What a code means; never empty. */
const char *wire_code_text(uint16_t code);

void put_header(struct put *p, const struct wire_header *h);
void put_hello(struct put *p, const struct wire_hello *m);
void put_welcome(struct put *p, const struct wire_welcome *m);
/* The part of a WELCOME behind max_payload. */
void put_about(struct put *p, const struct wire_welcome *m);
void put_board(struct put *p, const struct wire_board *m);
void put_offer(struct put *p, const struct wire_offer *m);
void put_have(struct put *p, const struct wire_have *m);
void put_put(struct put *p, const struct wire_put *m);
void put_copy(struct put *p, const struct wire_put *m);
void put_run(struct put *p, const struct wire_run *m);
void put_done(struct put *p, const struct wire_done *m);
void put_fetch(struct put *p, const struct wire_fetch *m);
void put_error(struct put *p, const struct wire_error *m);

/* The header is followed by a body; every body's decoder wants the end after it. */
int get_header(struct get *g, struct wire_header *h);
int get_hello(struct get *g, struct wire_hello *m);
int get_welcome(struct get *g, struct wire_welcome *m);
int get_board(struct get *g, struct wire_board *m);
int get_offer(struct get *g, struct wire_offer *m);
int get_have(struct get *g, struct wire_have *m);
int get_put(struct get *g, struct wire_put *m);
int get_copy(struct get *g, struct wire_put *m);
int get_run(struct get *g, struct wire_run *m);
int get_done(struct get *g, struct wire_done *m);
int get_fetch(struct get *g, struct wire_fetch *m);
int get_data(struct get *g, struct wire_data *m);
int get_error(struct get *g, struct wire_error *m);

#endif
