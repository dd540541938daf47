/* What Nordic's program exports of a PPK2: a heading, then a line a sample, "0.01,45.120,0...":
 * time in ms, current in uA, logic inputs as one column "D0-D7" or as eight.
 *
 * It leaves out what it lost, so that the next time stamp tells. Times and the column of D0
 * have to be there.
 */
#ifndef HAWSER_DEVICES_INSTRUMENT_PPK2_CSV_H
#define HAWSER_DEVICES_INSTRUMENT_PPK2_CSV_H

#include "devices/instrument/trace.h"

#define PPK2_CSV_LINE 256

struct ppk2_csv {
	struct trace *t; /* borrowed; per_bin PPK2_BIN */
	double volt;
	char line[PPK2_CSV_LINE];
	size_t len;
	int headed;
	uint32_t ampere_at, level_at; /* columns; the first is the time */
	double last_ms;
	int level; /* of the sample before; -1: none */
};

void ppk2_csv_init(struct ppk2_csv *p, struct trace *t, uint32_t mv);
void ppk2_csv_feed(struct ppk2_csv *p, const uint8_t *data, size_t n);

#endif
