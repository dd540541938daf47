/* What an instrument beside the board has recorded: energy in samples of one length, and
 * edges of the pin that is high while the board infers. From it the energy between the two
 * edges of a run, or the reason why there is none: a wrong figure is worse.
 *
 * The rules go beyond MLPerf Tiny's (windows of at least 10 s between two edges): what the
 * board draws while it waits is measured before and after the run, taken off and given
 * apart; a figure has an error; a lost sample voids the window, as does an edge too many or
 * too few, an unsteady idle level, a window that does not last as long as by the board's own
 * clock. No figure when the window is shorter than 10 s, 1000 samples, or 100 times what is
 * known of its edges (one sample each).
 *
 * Energy in uJ, power in uW. Memory: a bin for every `per_bin` samples, TRACE_BINS at most.
 */
#ifndef HAWSER_DEVICES_INSTRUMENT_TRACE_H
#define HAWSER_DEVICES_INSTRUMENT_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_EDGES 8
#define TRACE_BINS (1u << 22)
#define TRACE_SETTLE_S 0.25 /* of an acquisition's begin that is not used */
#define TRACE_IDLE_S 2.0    /* of idle time before and after a run */
#define TRACE_WHY 160	    /* bytes of a reason */

enum trace_kind {
	TRACE_FALL,
	TRACE_RISE,
	TRACE_MARK /* the instrument tells one kind of edge only: both ends look alike */
};

struct trace_edge {
	enum trace_kind kind;
	uint64_t at;		 /* samples before it */
	double sum_uj, doubt_uj; /* of those */
};

struct trace {
	double interval_ns; /* of a sample; 0: not known yet */
	uint32_t per_bin;
	uint64_t n, n_sure; /* samples; of them surely without a gap */
	double sum_uj;
	double doubt_uj; /* how wrong the sum may be for samples that are hard to trust */
	double *bins;	 /* sum_uj after each per_bin samples; owned */
	size_t n_bins, cap_bins;
	struct trace_edge edges[TRACE_EDGES];
	uint32_t n_edges;      /* may be more than are kept */
	char fault[TRACE_WHY]; /* the first one voids the trace; "" none */
};

void trace_init(struct trace *t, uint32_t per_bin);
void trace_release(struct trace *t);
void trace_sample(struct trace *t, double uj, double doubt_uj);
void trace_add_edge(struct trace *t, enum trace_kind kind);
void trace_fault(struct trace *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct trace_run {
	uint64_t idle_end;   /* samples before it are idle time */
	uint64_t idle_begin; /* those from it on are again */
	double n_inferences;
	double board_ns; /* the window by the board's clock; 0: not known */
};

struct trace_energy {
	double energy_uj;	   /* per inference, idle taken off */
	double error_uj;	   /* half-width: edges, idle level, doubtful samples; the
				      instrument's own accuracy comes on top */
	double idle_uw, active_uw; /* drawn while waiting; in the window */
	double window_ns;
};

/* 1 and the figures; 0 and the reason. */
int trace_result(const struct trace *t, const struct trace_run *run,
	struct trace_energy *out, char why[TRACE_WHY]);

#endif
