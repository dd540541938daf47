#include "tests/serial/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define NEVER INT64_MAX
#define PIECE_S 0.5 /* of samples between two looks at the line */
#define PAUSE_MS 2

static void say(struct meter_player *p, const char *data, size_t n)
{
	while (n && p->master >= 0) {
		struct pollfd q = {p->master, POLLOUT, 0};
		ssize_t k = write(p->master, data, n);

		if (k > 0) {
			data += k;
			n -= (size_t)k;
			continue;
		}
		poll(&q, 1, 20);
		pthread_mutex_lock(&p->lock);
		n = p->quit ? 0 : n;
		pthread_mutex_unlock(&p->lock);
	}
}

static void say_text(struct meter_player *p, const char *text)
{
	say(p, text, strlen(text));
}

static void start(struct meter_player *p)
{
	const struct scene *s = &p->scene;

	p->recording = 1;
	p->n_starts++;
	p->at = 0;
	p->start = p->end = p->fault = NEVER;
	if (!p->whole)
		return;
	p->start = (int64_t)(scene_start_s(s) * p->hz);
	p->end = (int64_t)((scene_start_s(s) + s->window_s) * p->hz);
	p->fault = (p->start + p->end) / 2;
}

static void lpm01a_command(struct meter_player *p, const char *c)
{
	char answer[128];
	unsigned hz;

	if (p->faults.refuses &&
		!strncmp(c, p->faults.refuses, strlen(p->faults.refuses))) {
		snprintf(answer, sizeof(answer),
			"PowerShield > error %s\r\nError detail: not now\r\n", c);
		say_text(p, answer);
		return;
	}
	if (!strcmp(c, "stop")) {
		if (p->recording)
			say_text(p, "\r\nend\r\nPowerShield > Acquisition completed\r\n");
		p->recording = 0;
		return;
	}
	if (sscanf(c, "freq %u", &hz) == 1)
		p->hz = p->faults.other_hz ? p->faults.other_hz : hz;
	snprintf(answer, sizeof(answer), "PowerShield > ack %s\r\n", c);
	say_text(p, answer);
	if (!strcmp(c, "start"))
		start(p);
}

/* 1: the command was complete. */
static int ppk2_command(struct meter_player *p)
{
	const uint8_t *c = (const uint8_t *)p->command;
	size_t need = c[0] == 0x0d ? 3 : c[0] == 0x11 || c[0] == 0x0c ? 2 : 1;

	if (p->len < need)
		return 0;
	/* With and without an end of its last line. */
	if (c[0] == 0x19)
		say(p, SCENE_PPK2, strlen(SCENE_PPK2) - (size_t)(p->n_asked++ % 2));
	else if (c[0] == 0x06)
		start(p);
	else if (c[0] == 0x07)
		p->recording = 0;
	return 1;
}

static void take(struct meter_player *p, char c)
{
	if (p->faults.mute)
		return;
	if (p->faults.greets) {
		say_text(p, p->faults.greets);
		return;
	}
	if (p->len + 1 == sizeof(p->command))
		p->len = 0;
	if (p->kind == METER_PPK2) {
		p->command[p->len++] = c;
		if (ppk2_command(p))
			p->len = 0;
	} else if (c != '\n') {
		p->command[p->len++] = c;
	} else {
		p->command[p->len] = '\0';
		p->len = 0;
		lpm01a_command(p, p->command);
	}
}

static void listen_to(struct meter_player *p)
{
	struct pollfd q = {p->master, POLLIN, 0};
	char c;

	if (poll(&q, 1, PAUSE_MS) > 0 && !(q.revents & POLLIN))
		poll(NULL, 0, PAUSE_MS); /* nobody is there */
	while (read(p->master, &c, 1) == 1)
		take(p, c);
}

/* Samples from `p->at` to `to`, with the scene's edges where they are wanted. */
static void send_samples(struct meter_player *p, int64_t to)
{
	struct scene s = p->scene;
	struct buf b;

	if (p->start == NEVER) {
		s.before_s = 1e4;
	} else if (p->faults.no_edge) {
		s.before_s = (double)p->at / p->hz;
		s.busy_s = 1e4;
	} else if (p->faults.no_end && p->kind == METER_PPK2) {
		s.window_s = 1e4;
	}
	buf_init(&b);
	if (p->kind == METER_PPK2)
		scene_ppk2(&s, (int)p->at, (int)to, &b);
	else
		scene_lpm01a(&s, p->hz, 0, (int)p->at, (int)to, &b);
	say(p, buf_str(&b), b.len);
	buf_release(&b);
	p->at = to;
}

static void unplug(struct meter_player *p)
{
	close(p->master);
	p->master = -1;
	p->recording = 0;
}

/* A sample of the coarsest range with all its bits. */
static void send_hot(struct meter_player *p)
{
	uint32_t w = 4u << 14 | 0x3fff | (uint32_t)(p->at & 63) << 18 | 1u << 24;
	char b[4];

	for (int k = 0; k < 4; k++)
		b[k] = (char)(w >> 8 * k & 255);
	say(p, b, sizeof(b));
	p->at++;
}

static void go_wrong(struct meter_player *p)
{
	const struct meter_faults *f = &p->faults;

	p->fault = NEVER;
	p->at += f->loses;
	if (f->says)
		say_text(p, f->says);
	if (f->hot)
		send_hot(p);
	if (f->silent)
		p->recording = 0;
	if (f->unplug)
		unplug(p);
}

static void step(struct meter_player *p)
{
	int64_t to = p->at + (int64_t)(PIECE_S * p->hz), all = NEVER;

	if (p->whole)
		all = (int64_t)(scene_length_s(&p->scene) * p->hz);
	to = to > all ? all : to;
	if (p->at < p->fault && p->fault <= to) {
		send_samples(p, p->fault);
		go_wrong(p);
		return;
	}
	send_samples(p, to);
	if (to < all)
		return;
	p->recording = 0;
	if (p->kind == METER_LPM01A) {
		/* A time stamp shows that the samples before it were all. */
		say_text(p, "end\r\nPowerShield > Acquisition completed\r\n");
	}
}

/* The board begins: the scene's activity is from now on. */
static void begin_run(struct meter_player *p)
{
	struct scene *s = &p->scene;

	s->before_s = (double)p->at / p->hz;
	s->after_s = 1e4;
	p->start = (int64_t)(scene_start_s(s) * p->hz);
	p->end = (int64_t)((scene_start_s(s) + s->window_s) * p->hz) + 1;
	p->fault = (p->start + p->end) / 2;
}

static void *play(void *self)
{
	struct meter_player *p = self;
	int quit = 0, run;

	while (!quit && p->master >= 0) {
		listen_to(p);
		pthread_mutex_lock(&p->lock);
		run = p->run;
		quit = p->quit;
		pthread_mutex_unlock(&p->lock);
		if (run && p->recording && p->start == NEVER)
			begin_run(p);
		if (p->recording)
			step(p);
		pthread_mutex_lock(&p->lock);
		if (p->run && (!p->recording || (p->end != NEVER && p->at > p->end)))
			p->run = 0;
		pthread_cond_signal(&p->news);
		pthread_mutex_unlock(&p->lock);
	}
	pthread_mutex_lock(&p->lock);
	p->run = 0;
	pthread_cond_signal(&p->news);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int meter_player_start(struct meter_player *p)
{
	struct termios t;
	int slave;

	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->master < 0 || grantpt(p->master) || unlockpt(p->master) ||
		ptsname_r(p->master, p->path, sizeof(p->path)))
		return -1;
	/* Not kept open: it would stay locked for the one who had it first. */
	slave = open(p->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &t) != 0)
		return -1;
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	close(slave);
	p->hz = p->kind == METER_PPK2 ? 100000 : 1000;
	p->start = p->end = p->fault = NEVER;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->news, NULL);
	return pthread_create(&p->thread, NULL, play, p) ? -1 : 0;
}

void meter_player_run(struct meter_player *p)
{
	pthread_mutex_lock(&p->lock);
	p->run = 1;
	while (p->run)
		pthread_cond_wait(&p->news, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void meter_player_stop(struct meter_player *p)
{
	pthread_mutex_lock(&p->lock);
	p->quit = 1;
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->news);
	pthread_mutex_destroy(&p->lock);
	if (p->master >= 0)
		close(p->master);
}
