#include "src/base/progress.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "src/base/clock.h"

#define REDRAW_NS 100000000u /* ten times a second */
#define LINE_MAX_BYTES 512
#define BAR_CELLS 20

struct progress {
	FILE *out;
	int terminal;
	uint64_t log_every_ns;
	pthread_mutex_t lock;
	char task[64];
	int active; /* a task is open */
	int drawn;  /* the live line is on the screen */
	uint64_t total, begin_ns, last_ns;
	char line[LINE_MAX_BYTES]; /* the live line, to draw it again below a message */
};

struct progress *progress_new(FILE *out, double log_every_s)
{
	struct progress *p;

	if (!out)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->out = out;
	p->terminal = isatty(fileno(out));
	p->log_every_ns = log_every_s > 0 ? (uint64_t)(log_every_s * 1e9) : 0;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void erase(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", p->out);
	p->drawn = 0;
}

static size_t terminal_width(const struct progress *p)
{
	struct winsize w;

	if (ioctl(fileno(p->out), TIOCGWINSZ, &w) == 0 && w.ws_col > 10)
		return w.ws_col;
	return 80;
}

/* Never cuts a UTF-8 character in two; counts bytes as columns, so it errs on the short
 * side. */
static void draw(struct progress *p)
{
	size_t len = strlen(p->line), width = terminal_width(p) - 1;

	if (len > width) {
		len = width;
		while (len && ((unsigned char)p->line[len] & 0xc0) == 0x80)
			len--;
	}
	erase(p);
	fwrite(p->line, 1, len, p->out);
	fflush(p->out);
	p->drawn = 1;
}

static void format_duration(char *out, size_t cap, double seconds)
{
	unsigned long s;

	if (!(seconds < 8.64e6)) { /* a hundred days, or not a number */
		snprintf(out, cap, "?");
		return;
	}
	s = (unsigned long)(seconds + 0.5);
	if (s < 60)
		snprintf(out, cap, "%lus", s);
	else if (s < 3600)
		snprintf(out, cap, "%lum%02lus", s / 60, s % 60);
	else
		snprintf(out, cap, "%luh%02lum", s / 3600, s / 60 % 60);
}

/* "task [####....] 40% 4/10  note  ETA 12s"; the bar only on a terminal. */
static void format_line(struct progress *p, uint64_t done, const char *note, uint64_t now)
{
	char bar[BAR_CELLS + 4] = "", count[96], eta[48] = "", left[24];
	double share;
	size_t n;

	if (p->total == 0) {
		snprintf(count, sizeof(count), "%llu", (unsigned long long)done);
	} else {
		done = done > p->total ? p->total : done;
		share = (double)done / (double)p->total;
		snprintf(count, sizeof(count), "%3d%% %llu/%llu", (int)(share * 100),
			(unsigned long long)done, (unsigned long long)p->total);
		if (done > 0 && done < p->total) {
			format_duration(left, sizeof(left),
				(double)(now - p->begin_ns) * 1e-9 * (1 - share) / share);
			snprintf(eta, sizeof(eta), "  ETA %s", left);
		}
		if (p->terminal) {
			n = (size_t)(share * BAR_CELLS);
			bar[0] = '[';
			memset(bar + 1, '#', n);
			memset(bar + 1 + n, '.', BAR_CELLS - n);
			strcpy(bar + 1 + BAR_CELLS, "] ");
		}
	}
	snprintf(p->line, sizeof(p->line), "%s %s%s%s%s%s", p->task, bar, count,
		note[0] ? "  " : "", note, eta);
}

static void print_line(struct progress *p, const char *text)
{
	erase(p);
	fprintf(p->out, "%s\n", text);
	fflush(p->out);
}

/* Ends the open task; without a note its last state stays readable. */
static void close_task(struct progress *p, const char *note)
{
	char took[24];

	if (!p->active)
		return;
	format_duration(
		took, sizeof(took), (double)(clock_mono_ns() - p->begin_ns) * 1e-9);
	erase(p);
	fprintf(p->out, "%s: %s (%s)\n", p->task, note[0] ? note : "done", took);
	fflush(p->out);
	p->active = 0;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	erase(p);
	fflush(p->out);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void progress_begin(struct progress *p, const char *task, uint64_t total)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	close_task(p, "");
	snprintf(p->task, sizeof(p->task), "%s", task);
	p->total = total;
	p->active = 1;
	p->begin_ns = clock_mono_ns();
	p->last_ns = p->begin_ns;
	if (p->terminal) {
		format_line(p, 0, "", p->begin_ns);
		draw(p);
	}
	pthread_mutex_unlock(&p->lock);
}

void progress_update(struct progress *p, uint64_t done, const char *fmt, ...)
{
	char note[LINE_MAX_BYTES / 2] = "";
	uint64_t now;
	va_list ap;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	now = clock_mono_ns();
	if (p->active &&
		now - p->last_ns >= (p->terminal ? REDRAW_NS : p->log_every_ns)) {
		va_start(ap, fmt);
		if (fmt)
			vsnprintf(note, sizeof(note), fmt, ap);
		va_end(ap);
		p->last_ns = now;
		format_line(p, done, note, now);
		if (p->terminal)
			draw(p);
		else
			print_line(p, p->line);
	}
	pthread_mutex_unlock(&p->lock);
}

void progress_end(struct progress *p, const char *fmt, ...)
{
	char note[LINE_MAX_BYTES / 2] = "";
	va_list ap;

	if (!p)
		return;
	va_start(ap, fmt);
	if (fmt)
		vsnprintf(note, sizeof(note), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&p->lock);
	close_task(p, note);
	pthread_mutex_unlock(&p->lock);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	if (!p)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&p->lock);
	print_line(p, text);
	if (p->terminal && p->active)
		draw(p);
	pthread_mutex_unlock(&p->lock);
}
