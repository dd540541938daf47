/* An instrument at a pseudo-terminal that plays its side of a real session: handshake, set-up,
 * samples of a scene (tests/unit/instrument_scene.h) whose energy is known, and what can go
 * wrong. Its samples go faster than time.
 */
#ifndef HAWSER_TESTS_SERIAL_METER_H
#define HAWSER_TESTS_SERIAL_METER_H

#include <pthread.h>

#include "tests/unit/instrument_scene.h"

enum meter_kind { METER_LPM01A, METER_PPK2 };

struct meter_faults {
	int mute;	     /* answers nothing, ever */
	const char *greets;  /* with that instead of its own words */
	const char *refuses; /* that command, with an error */
	/* In mid window: */
	int loses; /* so many samples */
	int unplug, silent, hot;
	const char *says;
	int no_edge, no_end; /* the pin stays low; stays high */
	uint32_t other_hz;   /* whatever it was set to */
};

struct meter_player {
	enum meter_kind kind;
	struct meter_faults faults;
	struct scene scene;
	int whole; /* plays the whole scene at every start, as a recording */
	/* The player's own. */
	char path[64];
	int master;
	uint32_t hz;
	int64_t at, start, end, fault; /* samples: sent, of the edges, of the fault */
	int recording, n_starts, n_asked;
	char command[64];
	size_t len;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t news;
	int quit, run;
};

/* kind, faults, scene and whole are set. -1: no pseudo-terminal here. */
int meter_player_start(struct meter_player *p);
/* The board infers now: returns when the samples of the scene's busy time and window have
 * been sent; idle ones go on. */
void meter_player_run(struct meter_player *p);
void meter_player_stop(struct meter_player *p);

#endif
