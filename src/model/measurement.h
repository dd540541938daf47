/* What was seen on a device: raw samples by process, their summary, and how a candidate
 * can fail. Measured values only; predictions are never put in these structs.
 */
#ifndef HAWSER_MODEL_MEASUREMENT_H
#define HAWSER_MODEL_MEASUREMENT_H

#include <stdint.h>

#include "src/base/hash.h"
#include "src/base/stats.h"

/* Part of every result's key: raised when the way of measuring changes. */
#define MEASURE_PROTOCOL 1

/* Why a candidate has no number. The first group is the candidate's fault and is
 * stored as its result; the second is the device's or the link's and never blames it. */
enum verdict {
	VERDICT_OK,
	VERDICT_BUILD_ERROR,  /* generator or compiler refused */
	VERDICT_NO_FIT,	      /* flash, RAM or arena larger than the device has */
	VERDICT_WRONG_OUTPUT, /* golden check failed: never timed */
	VERDICT_CRASH,	      /* signal or fault */
	VERDICT_EXIT,	      /* ended with an exit code or without its results */
	VERDICT_TIMEOUT,      /* killed after its time limit */
	VERDICT_OOM,	      /* ran into its memory limit */
	VERDICT_DEVICE_LOST,  /* device failure from here on: not the candidate's */
	VERDICT_LINK_LOST,
	N_VERDICTS
};
extern const char *const verdict_names[N_VERDICTS]; /* "ok" "build-error" ... */
int verdict_blames_candidate(enum verdict v);

/* Single tokens of a decoder, each after n_cached others, in the process that timed the
 * whole input too. n 0: none were timed. */
struct step_samples {
	uint32_t n, inner, n_cached;
	float *wall_ns, *cpu_ns; /* [n], as process_run's */
	double instructions;	 /* of one, counted; 0: none was, or times were taken */
};

/* One process's run of a build. Times are per inference. Where an emulator counts
 * instructions there are no times: n is 0, as are the fields of the system. */
struct process_run {
	uint32_t index; /* 0.. within its measurement */
	uint32_t order; /* position in the interleaved schedule of the session */
	uint32_t n;	/* samples */
	uint32_t inner; /* inferences timed together in one sample (short ones are
			   batched) */
	float *wall_ns; /* [n] monotonic clock, per inference; owned by the measurement */
	float *cpu_ns;	/* [n] thread CPU clock, per inference */
	struct step_samples steps;
	uint32_t n_vcsw, n_ivcsw; /* context switches, voluntary and not, during timing */
	uint64_t peak_rss_bytes;  /* of a board: data, bss and stack; 0: unknown */
	uint32_t stack_bytes;	  /* the most that a board's stack held; 0: unknown */
	uint32_t freq_khz;	  /* 0: the OS does not tell */
	int32_t temp_mc;	  /* INT32_MIN: the OS does not tell */
	uint32_t n_quota;	/* periods whose CPU quota was used up */
	uint32_t quota_us;	/* time lost so */
	uint32_t n_slowed;	/* times that heat or a weak supply slowed the core */
	double reference_ratio; /* this process / reference build beside it; 0: none */
	double energy_uj;	/* per inference; NAN: no sensor */
	double idle_uw;		/* drawn while waiting, and taken off; NAN: unknown */
	double window_ns;	/* between a meter's edges; NAN: not by a meter */
	double instructions;	/* per inference, counted; 0: times were taken */
};

struct measurement {
	struct hash candidate;
	struct hash build;
	struct hash device; /* fingerprint */
	uint32_t protocol;  /* MEASURE_PROTOCOL */
	uint32_t look;	    /* 1: first, 2: re-measured after selection, ... */
	int resolved;	    /* the interval became narrow enough */
	uint32_t n_runs;
	uint32_t n_throttled;	  /* of them, as process_throttled says */
	struct process_run *runs; /* owned */
	/* Summary. latency: thread CPU time of one inference, minimum within a process,
	 * median over processes: the figure that a noisy host disturbs least. */
	double latency_ns; /* NAN: instructions were counted */
	struct interval latency_ci; /* 95 %, calibrated bootstrap over processes */
	double wall_p50_ns, wall_p90_ns, wall_p99_ns; /* pooled over processes */
	/* A decoder's next token after n_cached ones, as latency; NAN: none was timed. */
	double step_ns;
	struct interval step_ci;
	double step_instructions; /* the same, counted; 0: none was */
	uint32_t n_cached;
	uint64_t peak_rss_bytes; /* largest */
	uint32_t stack_bytes;	 /* largest; 0: unknown */
	double energy_uj;	 /* per inference; NAN where no sensor measured it */
	struct interval energy_ci;
	double idle_uw, window_ns; /* medians of the runs; NAN: unknown */
	char energy_source[64]; /* "rapl:package-0"; "" when none */
	double instructions; /* median over the runs; 0: times were taken */
};

void measurement_init(struct measurement *m);
void measurement_release(struct measurement *m);
/* Appends a zeroed run with room for n samples; NULL when out of memory. */
struct process_run *measurement_add_run(struct measurement *m, uint32_t n);
/* Gives a run room for n step samples; -1 when out of memory. */
int measurement_add_steps(struct process_run *r, uint32_t n);
/* A process's latency: the least thread CPU time of an inference, or the least wall time
 * where the device has no CPU clock (all zero). NAN without samples. */
double process_latency_ns(const struct process_run *r);
/* The same of its single tokens. */
double process_step_ns(const struct process_run *r);
/* Whether the most that a stack held is in the last 5 % of what is reserved for it: a deeper
 * input would overflow it. */
int stack_is_tight(uint64_t used_bytes, uint64_t reserved_bytes);
/* Whether the device was kept from its full speed while the process ran. */
int process_throttled(const struct process_run *r);
/* Fills the summary from the runs; `rng` drives the bootstrap. */
void measurement_summarise(struct measurement *m, struct rng *rng);

#endif
