/* How the report writes text and numbers for people, JSON, CSV and HTML. Private to
 * src/report.
 *
 * Names and messages in the store come from files, devices and compilers: whatever they
 * hold, the output is well formed. Bytes that are not UTF-8 and control
 * characters become U+FFFD or a space.
 */
#ifndef HAWSER_REPORT_TEXT_H
#define HAWSER_REPORT_TEXT_H

#include "src/base/buf.h"
#include "src/base/hash.h"
#include "src/model/genome.h"
#include "src/model/objective.h"

void text_html(struct buf *out, const char *s);
void text_json(struct buf *out, const char *s);	 /* with the quotes */
void text_csv(struct buf *out, const char *s);	 /* quoted when it must be */
void text_plain(struct buf *out, const char *s); /* for terminals: no escape sequences */

/* Up to 12 significant digits; the same for the same value. NAN: "" and null. */
void number_csv(struct buf *out, double v);
void number_json(struct buf *out, double v);
/* For people, by metric: "87.31", "1234.5", "271360"; "-" for NAN. */
void number_metric(char *out, size_t cap, const struct metric *m, double v);

void hash_csv(struct buf *out, const struct hash *h);  /* "" for the zero hash */
void hash_json(struct buf *out, const struct hash *h); /* null for the zero hash */
/* The first `n` digits. */
const char *hash_short(const struct hash *h, int n, char out[HASH_HEX + 1]);

/* "2024-05-01 12:00:00" (UTC). */
void time_text(int64_t unix_s, char out[32]);
/* "3 layers, d 64, ffn 128, 2 heads, int8": the gist of a genome. */
void genome_gist(const struct genome *g, char *out, size_t cap);

#endif
