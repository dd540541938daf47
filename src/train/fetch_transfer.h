/* One download under way: what fetch.c (the files) and fetch_transfer.c (libcurl) share.
 */
#ifndef HAWSER_TRAIN_FETCH_TRANSFER_H
#define HAWSER_TRAIN_FETCH_TRANSFER_H

#include <curl/curl.h>

#include "src/train/fetch.h"

#define PATH_BYTES 1024
#define MARK_BYTES 512

struct transfer {
	const char *url, *path;
	const struct fetch_options *o;
	char part[PATH_BYTES], from[PATH_BYTES];
	uint64_t max_bytes;
	int fd;
	uint64_t offset;       /* asked for; 0: the whole file */
	uint64_t have;	       /* bytes in the part */
	char mark[MARK_BYTES]; /* the version the part comes from; "" unknown */
	CURL *curl;
	/* of the answer */
	char etag[MARK_BYTES], modified[MARK_BYTES];
	uint64_t range_from;
	int has_range, started;
	enum err err; /* what a callback found */
	int write_errno;
	char curl_text[CURL_ERROR_SIZE];
};

/* Asks for the rest of the file and writes it to the part; starts over once when the
 * server refuses to resume. */
enum err transfer_run(struct transfer *t, struct err_ctx *ctx);

#endif
