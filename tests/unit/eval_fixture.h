/* A session on a tiny space, in a folder of its own.
 *
 * Included by one test file each, after cmocka's headers.
 */
#ifndef HAWSER_TESTS_UNIT_EVAL_FIXTURE_H
#define HAWSER_TESTS_UNIT_EVAL_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/eval/session.h"

static const char tiny_space[] =
	"name: tiny\narch: enc\ngenes:\n  vocab_size: [300]\n  seq_len: 24\n"
	"  d_model: [16, 24]\n  embed_bits: 8\n  n_layers: [1, 2]\n  n_heads: [1, 2]\n"
	"  d_head: 8\n  d_ff: [16, 32]\n  bits: [32, 8, 4]\n  act: relu\n";
static const char tiny_job[] =
	"job: tiny\ndata: \"builtin:home?n=300\"\nspace: %s/tiny.yaml\nseed: 3\n"
	"objectives: [slot_f1, latency_us@%s]\n"
	"search: {initial: 4, batch: 2, population: 8, evolve: 2, refine: 4}\n"
	"stop: {candidates: 6}\nsupernet: {epochs: 0.5}\n"
	"measure: {min_processes: 2, max_processes: 3, samples: 5, warmup: 1}\n";

struct fixture {
	char dir[64], database[96], text[1024], kernel[128];
	struct session_options o;
};

static void prepare(struct fixture *f, const char *device)
{
	char path[96];

	strcpy(f->dir, "/tmp/hawser-eval.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	/* an agent's cache and lease of our own: others may be measuring */
	assert_int_equal(setenv("XDG_CACHE_HOME", f->dir, 1), 0);
	snprintf(path, sizeof(path), "%s/tiny.yaml", f->dir);
	assert_int_equal(
		file_write_atomic(path, tiny_space, strlen(tiny_space), 0644, NULL),
		ERR_OK);
	snprintf(f->database, sizeof(f->database), "%s/hawser.db", f->dir);
	snprintf(f->text, sizeof(f->text), tiny_job, f->dir, device);
	memset(&f->o, 0, sizeof(f->o));
	f->o.results = f->dir;
	f->o.database = f->database;
	f->o.job_text = f->text;
	f->o.job_file = "tiny";
}

static void open_session(struct session *s, struct fixture *f)
{
	struct err_ctx ctx = {""};

	if (session_open(s, &f->o, &ctx))
		fail_msg("session: %s", ctx.msg);
}

#endif
