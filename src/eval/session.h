/* A running job: everything that is open while it searches, and the steps on it.
 *
 * A session answers the search's questions (search/evaluator.h) as pure functions of the
 * job and the stored facts: what is in the store is not done again.
 */
#ifndef HAWSER_EVAL_SESSION_H
#define HAWSER_EVAL_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "cost_models/cost_model.h"
#include "cost_models/features.h"
#include "cost_models/transfer.h"
#include "devices/device.h"
#include "search/evaluator.h"
#include "src/base/progress.h"
#include "src/eval/job.h"
#include "src/eval/wisdom.h"
#include "src/model/artefact.h"
#include "src/model/reference.h"
#include "src/store/store.h"
#include "src/train/train.h"

#define SESSION_MAX_DEVICES 4
#define SESSION_MAX_TRACKED (OBJECTIVES_MAX + JOB_MAX_LIMITS)

/* A device of the job, leased while the session lives. */
struct session_device {
	char name[METRIC_NAME_MAX];
	struct device_profile profile;
	struct device *dev;
	struct artefact reference; /* interleaved with everything that is measured */
	struct wisdom wisdom;	   /* for candidates; the reference is built without */
	struct store_device_state state; /* as last written to the store */
};

/* A metric that the search must know of every candidate: objectives first, then what only
 * limits need. */
struct tracked {
	struct objective o;
	int device; /* index, of a group the first one's; or -1 */
	struct device_group group;
	int member[DEVICE_GROUP_MAX]; /* indices of the group's */
	struct fitted fit;	      /* of this job's rows alone */
	struct cost_score score;      /* of `fit` */
	/* A model of what was measured before the job began, of another device or other
	 * data, and what it is worth here; in use unless choice.use is TRANSFER_OWN. */
	struct fitted prior; /* kind NULL: there is none */
	char prior_name[METRIC_NAME_MAX];
	struct transfer_choice choice;
};

/* A candidate with real values, for the models. */
struct known {
	struct hash hash;
	double features[COST_FEATURES_MAX];
	double value[SESSION_MAX_TRACKED]; /* NAN: none */
};

struct session {
	struct job job;
	char results[1024];
	char database[1100];
	struct store *store;
	int64_t job_id;
	struct corpus corpus;
	int has_corpus;
	struct task_shape task;
	struct space *space;
	struct supernet *supernet;
	size_t n_devices;
	struct session_device device[SESSION_MAX_DEVICES];
	size_t n_tracked;
	struct tracked tracked[SESSION_MAX_TRACKED];
	struct known *known;
	size_t n_known, cap_known;
	struct inherited *inherited; /* qualities already computed: quality.c */
	size_t n_inherited, cap_inherited;
	uint32_t n_measured;	   /* looks taken or reused, for the progress line */
	const char *broken_kernel; /* session_options */
	struct progress *progress;
	volatile const int *cancel;
	/* While devices are in threads of their own: of the store and of what counts for all
	 * of them. */
	pthread_mutex_t lock;
	atomic_int gave_up; /* a device cannot be opened, and waiting does not help */
	uint64_t started_ns;
	double hours_before; /* what earlier runs of the job took, to their last generation */
};

struct session_options {
	const char *results;  /* folder; borrowed */
	const char *database; /* path */
	const char *job_text; /* the job file's text */
	const char *job_file; /* its name, for errors */
	struct progress *progress;
	volatile const int *cancel;
	/* Test hook, as in struct codegen_input: candidates (not the reference build) get
	 * this kernel. NULL as a rule. */
	const char *broken_kernel;
};

/* Opens store (as its one writer), data, space and devices, and trains or loads the
 * supernet. */
enum err session_open(
	struct session *s, const struct session_options *o, struct err_ctx *ctx);
/* Only the job, its space and its data: for what works on results (export). Nothing is
 * leased or locked. */
enum err session_open_data(
	struct session *s, const struct session_options *o, struct err_ctx *ctx);
/* Adds the supernet, training it if it is not there. */
enum err session_open_supernet(struct session *s, struct err_ctx *ctx);
void session_close(struct session *s);

/* The evaluator that searches on this session. */
void session_evaluator(struct session *s, struct evaluator *ev);

/* Trains the front's best alone, evaluates them on the unused test split, builds them
 * with those weights, verifies their answers on the device and measures them again. */
enum err session_finish(
	struct session *s, const struct search_result *found, struct err_ctx *ctx);

/* ---- parts, each in its own file */

/* Quality with inherited weights on the validation split. quality.c */
enum err session_quality(struct session *s, const struct genome *g, size_t n,
	struct quality *out, struct err_ctx *ctx);
/* The supernet's weights of a network: *flat is malloc'd and given, *n_floats long.
 * quality.c */
enum err session_inherit(struct session *s, const struct genome *g, float **flat,
	size_t *n_floats, struct err_ctx *ctx);
/* A quality metric's value and interval. quality.c */
struct value quality_value(
	const struct quality *q, const struct metric *m, enum provenance prov);
/* Whether a task has that quality metric. quality.c */
int quality_has(enum task_kind kind, const struct metric *m);
/* Where a quality comes from; see struct store_accuracy. */
struct quality_origin {
	enum split split;
	const char *method;
	uint64_t seed;
	const struct hash *source;
	const struct session_device *device; /* that answered; NULL: none */
};
/* Stores every metric of a quality. quality.c */
enum err session_put_quality(struct session *s, const struct hash *candidate,
	const struct quality *q, const struct quality_origin *from, struct err_ctx *ctx);

/* Weights for a build: a flat vector and its identity. */
struct build_weights {
	float *flat; /* layout_init(g) floats, owned by the caller */
	struct hash hash;
};
/* Builds a candidate for a device, golden inputs from the validation split. build.c */
enum err session_build(struct session *s, size_t device, const struct genome *g,
	const struct build_weights *w, struct artefact *out, struct err_ctx *ctx);
/* Loads what is known of the fastest schedules for these candidates on every device; with
 * the job's `tune` lets them find out what is not, all at once. tune_all.c */
enum err session_tune(
	struct session *s, const struct genome *g, size_t n, struct err_ctx *ctx);
/* Hands the generator's input for a candidate to `use`: vocabulary, names, golden
 * inputs. build.c */
struct codegen_input;
typedef enum err (*session_codegen_fn)(
	void *self, const struct codegen_input *in, struct err_ctx *ctx);
enum err session_codegen_input(struct session *s, const struct genome *g,
	const struct build_weights *w, session_codegen_fn use, void *self,
	struct err_ctx *ctx);
/* Length in tokens of the typical validation input with this vocabulary: what is timed.
 * build.c */
enum err session_timed_tokens(
	struct session *s, const struct genome *g, uint32_t *out, struct err_ctx *ctx);
/* What a device said of one candidate. */
struct hardware {
	enum verdict verdict;
	struct artefact artefact; /* all 0: it was not built (build-error, no-fit) */
	double latency_us, step_us, wall_p99_us, energy_uj, peak_rss_bytes;
	double instructions, step_instructions;
	struct interval latency_ci, step_ci, energy_ci; /* us, uJ */
};
/* Builds with inherited weights (or the given ones: weights[i]) for every device of the job,
 * measures what the store does not have on all of them at once, stores it. out[d]: [n], what
 * device d said. A device that stays lost does not keep the others from finishing: then
 * ERR_DEVICE. hardware.c */
enum err session_measure(struct session *s, const struct genome *g,
	const struct build_weights *weights, size_t n, uint32_t look,
	struct hardware *const *out, struct err_ctx *ctx);

/* What a job that ended with `e` leaves in the store: "stopped" when the same command goes
 * on, else "failed"; and why. */
void session_note_end(struct session *s, enum err e, const struct err_ctx *why);

/* Devices of a job that runs. health.c
 *
 * Leases all devices at once, with the reference build on each, checked. One that cannot be
 * had is waited for; ERR_REFUSED, without a wait for any, when that would not help. */
enum err session_open_devices(struct session *s, struct err_ctx *ctx);
/* Writes a device's state down; with the lock held while others measure. */
void session_note_device(
	struct session *s, size_t device, enum device_state state, const char *reason);
/* Does the reference build answer rightly, and no slower than the profile's health_factor
 * times what is expected of it (expected.h)? ERR_DEVICE when not. */
enum err session_check_health(struct session *s, size_t device, struct err_ctx *ctx);
/* A device that failed for `why` is quarantined and tried again with growing pauses.
 * ERR_OK: it is back and healthy. ERR_DEVICE, with what to do in `why`: not within the
 * job's device_wait_s. ERR_CANCELLED: the job is to end. */
enum err session_await_device(struct session *s, size_t device, struct err_ctx *why);
/* For a step on a device that goes on where it was: do it again? When it ended because the
 * device was lost (*e, with `why`), waits as above and says yes with *e ERR_OK, unless the
 * device was lost a few times in a row with n_done, what the step has done, as it was. Else
 * *e is what ends the step. `p` starts zeroed. */
struct device_patience {
	size_t n_done;
	int n_futile;
};
int session_may_repeat(struct session *s, size_t device, size_t n_done,
	struct device_patience *p, enum err *e, struct err_ctx *why);

/* Models. predictor.c */
enum err session_add_known(struct session *s, const struct genome *g,
	const double value[SESSION_MAX_TRACKED], struct err_ctx *ctx);
enum err session_refit(struct session *s, struct err_ctx *ctx);
enum err session_predict(struct session *s, const struct genome *g, size_t n,
	struct prediction *out, struct err_ctx *ctx);
/* Fits priors of measured metrics from what other jobs of this kind of task measured before
 * this one began; a job from before there were priors keeps having none. prior.c */
enum err session_open_priors(struct session *s, struct err_ctx *ctx);
/* The model in use: "huber", "prior of pi, 4 rows", and what cross-validation says of it
 * (NAN where it does not). 0: there is none yet. predictor.c */
struct model_note {
	char name[sizeof(((struct store_generation *)0)->model)];
	double mape, tau;
};
int session_model_note(const struct tracked *t, struct model_note *out);
/* An analytic metric's value; NAN for the others. predictor.c */
double analytic_value(
	const struct session *s, const struct genome *g, const struct metric *m);

#endif
