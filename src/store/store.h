/* The store: one SQLite file (WAL) with every fact of every job. The only code that
 * includes sqlite3.h.
 *
 * Facts are permanent and inserted once: inserting a fact whose key exists is ERR_EXISTS.
 * Every store_put_* is one durable transaction (synchronous=FULL) unless said
 * otherwise. Fronts and fitted models are not kept: they are made from facts when asked
 * for. One writer: it holds an flock on "<path>.lock" that names its pid and host;
 * readers at any time, never blocking the writer. The schema has a version (PRAGMA
 * user_version) and migrates forward; a foreign or damaged file is ERR_CORRUPT and left untouched, a newer
 * schema ERR_UNSUPPORTED. A full disk is ERR_FULL: what was committed stays.
 *
 * Threads: a handle belongs to one thread at a time. Lists are arrays for free(), except
 * where a function to free them is named. Candidates must be known before facts about
 * them are put (ERR_NOTFOUND), and jobs (ERR_INVALID).
 */
#ifndef HAWSER_STORE_STORE_H
#define HAWSER_STORE_STORE_H

#include <stdint.h>

#include "src/base/err.h"
#include "src/base/hash.h"
#include "src/model/artefact.h"
#include "src/model/genome.h"
#include "src/model/measurement.h"
#include "src/model/objective.h"
#include "src/model/product.h"

struct store;

enum store_mode { STORE_READ, STORE_WRITE };

/* STORE_WRITE creates the file and takes the lock: ERR_BUSY with the holder's pid and
 * host. STORE_READ of a missing file is ERR_NOTFOUND. */
enum err store_open(
	struct store **out, const char *path, enum store_mode mode, struct err_ctx *ctx);
void store_close(struct store *s); /* NULL is allowed */
const char *store_path(const struct store *s);

/* Groups many facts into one durable transaction: a put that fails inside undoes only
 * itself. store_end commits when `e` is ERR_OK, rolls all back otherwise, and returns
 * what became of it. */
enum err store_begin(struct store *s, struct err_ctx *ctx);
enum err store_end(struct store *s, enum err e, struct err_ctx *ctx);
/* Between the two a reader sees one instant of the database, whatever is written. */
enum err store_snapshot(struct store *s, struct err_ctx *ctx);
void store_snapshot_end(struct store *s);

/* ---- jobs */
#define STORE_OBJECTIVES_MAX 512
struct store_job {
	int64_t id;
	char name[128];
	struct hash spec;		       /* of the job's canonical text */
	char *spec_text;		       /* owned; the YAML as given */
	char objectives[STORE_OBJECTIVES_MAX]; /* "slot_f1\nlatency_us@local"; "" unset */
	char state[16];			       /* "running" "stopped" "done" "failed" */
	int64_t started_s, updated_s;	       /* unix */
};
void store_job_release(struct store_job *j);
/* Finds the job by name or creates it. ERR_INVALID when it exists with another spec. */
enum err store_job_open(struct store *s, const char *name, const struct hash *spec,
	const char *spec_text, int64_t *id, struct err_ctx *ctx);
enum err store_job_set_state(
	struct store *s, int64_t job, const char *state, struct err_ctx *ctx);
/* By name; NULL: the one updated last, of those with objectives if any has some. */
enum err store_job_find(
	struct store *s, const char *name, struct store_job *out, struct err_ctx *ctx);
/* Release each item, then free() the list. */
enum err store_job_list(
	struct store *s, struct store_job **out, size_t *n, struct err_ctx *ctx);
/* One objective a line, as objective_format writes it. */
enum err store_set_objectives(
	struct store *s, int64_t job, const char *lines, struct err_ctx *ctx);
/* What else the report should tell of a job: key and text, replaced when it exists. The
 * keys that the report knows are listed in src/report/README.md. */
enum err store_put_meta(struct store *s, int64_t job, const char *key, const char *value,
	struct err_ctx *ctx);
/* *value is given to the caller (free); ERR_NOTFOUND, context untouched. */
enum err store_get_meta(
	struct store *s, int64_t job, const char *key, char **value, struct err_ctx *ctx);
struct store_meta {
	char key[96];
	char *value; /* owned by the list */
};
/* By key. */
enum err store_list_meta(struct store *s, int64_t job, struct store_meta **out, size_t *n,
	struct err_ctx *ctx);
void store_meta_free(struct store_meta *list, size_t n);

/* ---- candidates; not an error when it exists. `origin`: "init" "evolve" "preset"
 * "user"; generation as the search counts. Links the candidate to the job. */
enum err store_put_candidate(struct store *s, int64_t job, const struct genome *g,
	const char *origin, int generation, struct err_ctx *ctx);
/* By hash prefix (>= 4 hex digits); ERR_INVALID when ambiguous. */
enum err store_get_candidate(struct store *s, const char *prefix, struct genome *g,
	struct hash *hash, struct err_ctx *ctx);
struct store_candidate {
	struct hash hash;
	char *text; /* owned by the list */
	char origin[16];
	int generation;
	int finalist;
};
/* In order of first mention in the job. */
enum err store_list_candidates(struct store *s, int64_t job, struct store_candidate **out,
	size_t *n, struct err_ctx *ctx);
void store_candidates_free(struct store_candidate *list, size_t n);
enum err store_set_finalist(
	struct store *s, int64_t job, const struct hash *candidate, struct err_ctx *ctx);

/* ---- accuracy */
struct store_accuracy {
	struct hash candidate;
	struct hash data; /* data set content and tokeniser */
	char split[8];	  /* "train" "valid" "test" */
	char method[16];  /* "inherited" "trained" "device" */
	uint64_t seed;	  /* of the training */
	char metric[24];  /* a quality metric's name */
	double value;
	struct interval ci; /* binomial, 95 %; NAN where it has none */
	int64_t n;	    /* items it was computed from */
	struct hash source; /* supernet or weights file it came from */
	/* Of method "device": which answered, as in measurements; zero and "": unknown, in
	 * rows from before that was kept. */
	struct hash device;
	char device_name[96];
};
/* All rows in one transaction. */
enum err store_put_accuracy(struct store *s, const struct store_accuracy *rows, size_t n,
	struct err_ctx *ctx);
/* Every accuracy row of one candidate, or of all candidates of a job when it is NULL: in order
 * of storing, then those of devices by name. */
enum err store_list_accuracy(struct store *s, int64_t job, const struct hash *candidate,
	struct store_accuracy **out, size_t *n, struct err_ctx *ctx);

/* ---- builds, devices */
enum err store_put_build(struct store *s, const struct hash *candidate,
	const struct hash *weights, const char *target, const struct artefact *a,
	struct err_ctx *ctx); /* not an error when it exists */
enum err store_get_build(struct store *s, const struct hash *build, struct artefact *a,
	struct err_ctx *ctx);
struct store_build {
	struct hash build, candidate, weights, image;
	char target[64];
	char compiler[96]; /* the beginning of it */
	uint64_t image_bytes, text_bytes, weight_bytes, vocab_bytes, data_bytes;
	uint64_t bss_bytes, arena_bytes, state_bytes, flash_bytes;
	uint64_t stack_bytes; /* reserved, of a board's build; 0: the system's */
};
/* Builds of a job's candidates (candidate NULL) or of one candidate, oldest first. */
enum err store_list_builds(struct store *s, int64_t job, const struct hash *candidate,
	struct store_build **out, size_t *n, struct err_ctx *ctx);
/* `description`: lines of "key: value" from the agent; not an error when it exists. */
enum err store_put_device(struct store *s, const struct hash *fingerprint,
	const char *name, const char *description, int simulated, struct err_ctx *ctx);
struct store_device {
	struct hash fingerprint;
	char name[96];	   /* as the job's objectives have it, so in measurements */
	char *description; /* owned by the list */
	int simulated;
};
enum err store_list_devices(
	struct store *s, struct store_device **out, size_t *n, struct err_ctx *ctx);
void store_devices_free(struct store_device *list, size_t n);

/* In what state a profile's device was when a controller last had to do with it. A holder
 * that is gone (store_holder) holds nothing. */
enum device_state {
	DEVICE_IDLE,
	DEVICE_LEASED,
	DEVICE_RECOVERING,
	DEVICE_QUARANTINED, /* lost or unsound; `reason` says how */
	N_DEVICE_STATES
};
extern const char *const device_state_names[N_DEVICE_STATES];
struct store_device_state {
	char name[512]; /* the profile's; of one given by a path the absolute path */
	enum device_state state;
	char reason[256];      /* "" none */
	int64_t since_s;       /* unix; set by store_put_device_state */
	int64_t seen_s;	       /* unix: when it last answered */
	long pid;	       /* of the controller; set, 0 when idle */
	char host[80];	       /* the controller's; set */
	char job[128];	       /* it works for; "" none */
	int32_t temp_mc;       /* millidegrees; INT32_MIN unknown */
	uint32_t n_recoveries; /* since the controller began */
};
/* synchronous=NORMAL. Replaces; `since_s` stays while the state is the same. */
enum err store_put_device_state(
	struct store *s, const struct store_device_state *d, struct err_ctx *ctx);
/* By name; free() the list. */
enum err store_list_device_states(
	struct store *s, struct store_device_state **out, size_t *n, struct err_ctx *ctx);
/* The latencies by which a known build on a device is judged (src/eval/expected.h), ascending,
 * ns: none is no error. */
#define STORE_HEALTH_CHECKS 5
enum err store_get_health(struct store *s, const struct hash *device,
	const struct hash *build, double out[STORE_HEALTH_CHECKS], size_t *n,
	struct err_ctx *ctx);
/* Replaces them. */
enum err store_put_health(struct store *s, const struct hash *device,
	const struct hash *build, const double *latency_ns, size_t n,
	struct err_ctx *ctx);

/* ---- wisdom: the fastest schedule of a product on a device, found once by timing. Key:
 * device, the build that timed it (so kernels, compiler and flags), MEASURE_PROTOCOL,
 * shape. */
struct store_wisdom {
	struct hash device, tuner;
	char kernel_set[32];
	struct product shape;
	uint8_t n_schedules, schedule; /* there are; the fastest, 0 unless it is clear */
	double ratio;		       /* the fastest's time over that of schedule 0 */
	struct interval ratio_ci;
	double ns[PRODUCT_MAX_SCHEDULES]; /* of each, median over processes */
	uint32_t n_processes;
	int64_t taken_s; /* unix; set by store_put_wisdom */
};
/* All rows in one transaction. */
enum err store_put_wisdom(
	struct store *s, const struct store_wisdom *rows, size_t n, struct err_ctx *ctx);
/* Those of one device and tuner up to number `last` (INT64_MAX: all), oldest first. */
enum err store_list_wisdom(struct store *s, const struct hash *device,
	const struct hash *tuner, int64_t last, struct store_wisdom **out, size_t *n,
	struct err_ctx *ctx);
/* The number of the last row, of a device or (NULL) of all; 0: there is none. */
enum err store_last_wisdom(
	struct store *s, const struct hash *device, int64_t *last, struct err_ctx *ctx);

/* ---- measurements: one durable transaction with all raw samples */
enum err store_put_measurement(struct store *s, int64_t job, const char *device_name,
	const struct measurement *m, struct err_ctx *ctx);
/* Key: candidate, build, device, protocol, look. Without the raw samples unless `raw`.
 * ERR_NOTFOUND (context untouched) when there is none. */
enum err store_get_measurement(struct store *s, const struct hash *candidate,
	const struct hash *build, const struct hash *device, uint32_t look, int raw,
	struct measurement *out, struct err_ctx *ctx);
struct store_measurement {
	struct measurement m;
	char device_name[96];
	int simulated;
	int64_t job;	 /* that took it */
	int64_t taken_s; /* unix */
};
/* All measurements of a job's candidates in order of taking: those it took, and those of
 * other jobs over the same data (meta "data" is equal or absent in both). */
enum err store_list_measurements(struct store *s, int64_t job, int raw,
	struct store_measurement **out, size_t *n, struct err_ctx *ctx);
void store_measurements_free(struct store_measurement *list, size_t n);

/* ---- failures. Those that blame the candidate are facts with a key (candidate, build,
 * device, look): a second is ERR_EXISTS. Those of devices and links are appended. */
struct store_failure {
	struct hash candidate, build, device; /* zero where not reached */
	uint32_t look;
	enum verdict verdict;
	char detail[512];
	int64_t at_s;
};
enum err store_put_failure(
	struct store *s, int64_t job, const struct store_failure *f, struct err_ctx *ctx);
enum err store_get_failure(struct store *s, const struct hash *candidate,
	const struct hash *build, const struct hash *device, uint32_t look,
	struct store_failure *out, struct err_ctx *ctx); /* candidate's own faults only */
/* As store_list_measurements selects. */
enum err store_list_failures(struct store *s, int64_t job, struct store_failure **out,
	size_t *n, struct err_ctx *ctx);

/* ---- progress of a job */
struct store_generation {
	int generation;
	int n_candidates;	      /* evaluated so far */
	int n_measured;		      /* measurements so far, looks counted singly */
	double hv_claimed;	      /* share of the reference box, first looks */
	double hv_remeasured;	      /* the same front, second looks; NAN before any */
	char model[96];		      /* cost model in use */
	double model_mape, model_tau; /* cross-validated; NAN before the first fit */
};
/* synchronous=NORMAL. Replaces the row of that generation: a replayed generation is the
 * same. */
enum err store_put_generation(struct store *s, int64_t job,
	const struct store_generation *g, struct err_ctx *ctx);
enum err store_list_generations(struct store *s, int64_t job,
	struct store_generation **out, size_t *n, struct err_ctx *ctx);
/* What was predicted for a candidate before it was measured: for the report.
 * synchronous=NORMAL; replaces. */
enum err store_put_prediction(struct store *s, int64_t job, const struct hash *candidate,
	const char *objective, const char *model, double mean, double sd,
	struct err_ctx *ctx);
struct store_prediction {
	struct hash candidate;
	char objective[2 * METRIC_NAME_MAX];
	char model[96];
	double mean, sd;
};
enum err store_list_predictions(struct store *s, int64_t job,
	struct store_prediction **out, size_t *n, struct err_ctx *ctx);

/* ---- events: synchronous=NORMAL, for people */
enum err store_put_event(struct store *s, int64_t job, const char *kind, const char *text,
	struct err_ctx *ctx);
struct store_event {
	int64_t at_s;
	char kind[16];
	char *text; /* owned by the list */
};
/* The last `limit` events, oldest first. */
enum err store_list_events(struct store *s, int64_t job, size_t limit,
	struct store_event **out, size_t *n, struct err_ctx *ctx);
void store_events_free(struct store_event *list, size_t n);

/* ---- stopping a running controller: a request beside the database, so that a reader
 * can make it. */
enum err store_request_stop(const char *path, const char *job, struct err_ctx *ctx);
int store_stop_requested(const char *path, const char *job);
void store_clear_stop(const char *path, const char *job);
/* Who holds the lock: pid and host; 0 when nobody does. */
int store_holder(const char *path, long *pid, char *host, size_t cap);

#endif
