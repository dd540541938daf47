/* A known latency law over an image's card, with noise: the truth that a simulated device
 * answers from, so that search, measuring and cost models can be checked against it.
 *
 * Law: "key=value,key=value" (devices/sim/README.md lists the keys). Card: "key: value"
 * lines between "HAWSER-CARD-BEGIN\n" and "HAWSER-CARD-END\n" in the image, or the whole
 * image. All noise is a pure function of (seed, image hash, process index, sample index,
 * attempt): nothing is remembered, so a repeated or resumed measurement gives the same
 * numbers. No heap, no clock.
 */
#ifndef HAWSER_DEVICES_SIM_LAW_H
#define HAWSER_DEVICES_SIM_LAW_H

#include <stddef.h>
#include <stdint.h>

#include "devices/proto/sha256.h"

struct sim_law {
	double seed;
	double base_ns, op_ns, mac_f32_ns, mac_i8_ns, mac_i4_ns, attention_ns, conv_ns;
	double norm_ns, act_ns, softmax_ns, quant_ns, byte_ns;
	double cache_bytes,
		cache_penalty;	     /* weights beyond the cache cost this much more */
	double sigma, process_sigma; /* of the logarithm */
	double spike, spike_size;    /* share of samples, and their factor on wall time */
	double drift;		     /* relative growth per process index */
	double crash, stall, wrong;  /* share of images */
	double lost, lost_attempts;  /* share of runs; attempts from here on survive */
	double ram_bytes;	     /* larger arenas run out of memory; 0: none do */
	double power_mw;	     /* 0: no energy figure */
	double sleep;		     /* 1: runs take their time */
};

struct sim_card {
	double macs_f32, macs_i8, macs_i4, macs_attention, n_conv;
	double n_norm, n_act, n_softmax, n_quant, n_ops;
	double weight_bytes, arena_bytes, state_bytes, timed_tokens;
};

enum sim_fate { SIM_OK, SIM_CRASH, SIM_STALL, SIM_WRONG, SIM_OOM, SIM_LOST };

/* Defaults, changed by the text. NULL, or what is wrong with it (in `why`, 160 bytes). */
const char *sim_law_parse(struct sim_law *law, const char *text, char why[160]);
/* 0 when the image holds no card, or a number of it is not one. */
int sim_card_find(struct sim_card *card, const uint8_t *image, size_t len);

struct sim_run {
	uint8_t image[SHA256_BYTES];
	uint32_t process_index, attempt;
	uint32_t n_tokens, phase;
};
enum sim_fate sim_fate(const struct sim_law *law, const struct sim_card *card,
	const struct sim_run *run);
/* The law without noise: what a perfect measurement would find. */
double sim_latency_ns(const struct sim_law *law, const struct sim_card *card,
	const struct sim_run *run);
/* Sample i of a run whose noise-free latency is `truth`. */
void sim_sample(const struct sim_law *law, const struct sim_run *run, double truth,
	uint32_t i, double *wall_ns, double *cpu_ns);

#endif
