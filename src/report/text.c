#include "src/report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Calls `put` for every byte of valid text, and writes U+FFFD for what is not. */
static void each_byte(struct buf *out, const char *s, void (*put)(struct buf *, char))
{
	size_t len = strlen(s);

	while (len) {
		size_t valid = utf8_valid_prefix(s, len);

		for (size_t i = 0; i < valid; i++)
			put(out, s[i]);
		s += valid;
		len -= valid;
		if (len) {
			buf_puts(out, REPLACEMENT);
			s++;
			len--;
		}
	}
}

static int is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static void put_html(struct buf *out, char c)
{
	switch (c) {
	case '&':
		buf_puts(out, "&amp;");
		break;
	case '<':
		buf_puts(out, "&lt;");
		break;
	case '>':
		buf_puts(out, "&gt;");
		break;
	case '"':
		buf_puts(out, "&quot;");
		break;
	case '\'':
		buf_puts(out, "&#39;");
		break;
	default:
		buf_putc(out, is_control(c) && c != '\n' && c != '\t' ? ' ' : c);
	}
}

static void put_json(struct buf *out, char c)
{
	if (c == '"' || c == '\\')
		buf_printf(out, "\\%c", c);
	else if (c == '\n')
		buf_puts(out, "\\n");
	else if (is_control(c))
		buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
	else
		buf_putc(out, c);
}

static void put_plain(struct buf *out, char c)
{
	buf_putc(out, is_control(c) && c != '\n' && c != '\t' ? ' ' : c);
}

static void put_csv(struct buf *out, char c)
{
	if (c == '"')
		buf_putc(out, '"');
	put_plain(out, c);
}

void text_html(struct buf *out, const char *s)
{
	each_byte(out, s, put_html);
}

void text_json(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	each_byte(out, s, put_json);
	buf_putc(out, '"');
}

void text_csv(struct buf *out, const char *s)
{
	int quote = s[strcspn(s, ",\"\r\n")] != 0;

	if (quote)
		buf_putc(out, '"');
	each_byte(out, s, put_csv);
	if (quote)
		buf_putc(out, '"');
}

void text_plain(struct buf *out, const char *s)
{
	each_byte(out, s, put_plain);
}

void number_csv(struct buf *out, double v)
{
	if (isfinite(v))
		buf_printf(out, "%.12g", v == 0 ? 0.0 : v); /* no "-0" */
}

void number_json(struct buf *out, double v)
{
	if (isfinite(v))
		number_csv(out, v);
	else
		buf_puts(out, "null");
}

void number_metric(char *out, size_t cap, const struct metric *m, double v)
{
	const char *unit = m->unit;

	if (!isfinite(v))
		snprintf(out, cap, "-");
	else if (!strcmp(unit, "%"))
		snprintf(out, cap, "%.2f", v);
	else if (!strcmp(unit, "us") || !strcmp(unit, "uJ"))
		snprintf(out, cap, "%.*f", v < 10 ? 3 : v < 1000 ? 1 : 0, v);
	else if (!m->quality)
		snprintf(out, cap, "%.0f", v); /* bytes, counts */
	else
		snprintf(out, cap, "%.4f", v);
}

static int hash_is_zero(const struct hash *h)
{
	static const struct hash zero;

	return hash_equal(h, &zero);
}

void hash_csv(struct buf *out, const struct hash *h)
{
	char hex[HASH_HEX + 1];

	if (hash_is_zero(h))
		return;
	hash_to_hex(h, hex);
	buf_puts(out, hex);
}

void hash_json(struct buf *out, const struct hash *h)
{
	if (hash_is_zero(h)) {
		buf_puts(out, "null");
		return;
	}
	buf_putc(out, '"');
	hash_csv(out, h);
	buf_putc(out, '"');
}

const char *hash_short(const struct hash *h, int n, char out[HASH_HEX + 1])
{
	hash_to_hex(h, out);
	out[n] = 0;
	return out;
}

void time_text(int64_t unix_s, char out[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(out, 32, "?");
}

/* "64" or "64-256" */
static void range_text(char *out, size_t cap, unsigned lo, unsigned hi)
{
	if (lo == hi)
		snprintf(out, cap, "%u", lo);
	else
		snprintf(out, cap, "%u-%u", lo, hi);
}

void genome_gist(const struct genome *g, char *out, size_t cap)
{
	unsigned ff[2] = {UINT16_MAX, 0}, heads[2] = {UINT16_MAX, 0}, bits[2] = {32, 0};
	char f[16], h[16], b[16];

	for (unsigned l = 0; l < g->n_layers; l++) {
		const struct layer_genes *x = &g->layer[l];

		ff[0] = x->d_ff < ff[0] ? x->d_ff : ff[0];
		ff[1] = x->d_ff > ff[1] ? x->d_ff : ff[1];
		heads[0] = x->n_heads < heads[0] ? x->n_heads : heads[0];
		heads[1] = x->n_heads > heads[1] ? x->n_heads : heads[1];
		bits[0] = x->bits < bits[0] ? x->bits : bits[0];
		bits[1] = x->bits > bits[1] ? x->bits : bits[1];
	}
	range_text(f, sizeof(f), ff[0], ff[1]);
	range_text(h, sizeof(h), heads[0], heads[1]);
	range_text(b, sizeof(b), bits[0], bits[1]);
	snprintf(out, cap, "%u layer%s, d %u, ffn %s, heads %s, %s bit", g->n_layers,
		g->n_layers == 1 ? "" : "s", g->d_model, f, h, b);
}
