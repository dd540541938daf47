#include "devices/sim/law.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct key {
	const char *name;
	size_t offset;
	double initial, lo, hi;
};

#define LAW(field, initial, lo, hi)                                                      \
	{                                                                                \
#field, offsetof(struct sim_law, field), initial, lo, hi                 \
	}

/* The defaults are of the order of a small in-order core with 4-wide fp32 and 16-wide
 * int8. */
static const struct key law_keys[] = {
	LAW(seed, 1, 0, 9007199254740992.0),
	LAW(base_ns, 1500, 0, 1e12),
	LAW(op_ns, 60, 0, 1e9),
	LAW(mac_f32_ns, 0.25, 0, 1e6),
	LAW(mac_i8_ns, 0.08, 0, 1e6),
	LAW(mac_i4_ns, 0.11, 0, 1e6),
	LAW(attention_ns, 0.4, 0, 1e6),
	LAW(conv_ns, 0.5, 0, 1e6),
	LAW(norm_ns, 1.2, 0, 1e6),
	LAW(act_ns, 2.5, 0, 1e6),
	LAW(softmax_ns, 4, 0, 1e6),
	LAW(quant_ns, 0.8, 0, 1e6),
	LAW(byte_ns, 0.02, 0, 1e6),
	LAW(cache_bytes, 262144, 0, 1e12),
	LAW(cache_penalty, 4, 0, 1e6),
	LAW(sigma, 0.01, 0, 3),
	LAW(process_sigma, 0.005, 0, 3),
	LAW(spike, 0.01, 0, 1),
	LAW(spike_size, 1.5, 1, 1e6),
	LAW(drift, 0, 0, 10),
	LAW(crash, 0, 0, 1),
	LAW(stall, 0, 0, 1),
	LAW(wrong, 0, 0, 1),
	LAW(lost, 0, 0, 1),
	LAW(lost_attempts, 1, 0, 1e9),
	LAW(ram_bytes, 0, 0, 1e15),
	LAW(power_mw, 0, 0, 1e9),
	LAW(sleep, 0, 0, 1),
};
#define N_LAW_KEYS (sizeof(law_keys) / sizeof(law_keys[0]))

static const struct {
	const char *name;
	size_t offset;
} card_keys[] = {
	{"macs_f32", offsetof(struct sim_card, macs_f32)},
	{"macs_i8", offsetof(struct sim_card, macs_i8)},
	{"macs_i4", offsetof(struct sim_card, macs_i4)},
	{"macs_attention", offsetof(struct sim_card, macs_attention)},
	{"n_conv", offsetof(struct sim_card, n_conv)},
	{"n_norm", offsetof(struct sim_card, n_norm)},
	{"n_act", offsetof(struct sim_card, n_act)},
	{"n_softmax", offsetof(struct sim_card, n_softmax)},
	{"n_quant", offsetof(struct sim_card, n_quant)},
	{"n_ops", offsetof(struct sim_card, n_ops)},
	{"weight_bytes", offsetof(struct sim_card, weight_bytes)},
	{"arena_bytes", offsetof(struct sim_card, arena_bytes)},
	{"state_bytes", offsetof(struct sim_card, state_bytes)},
	{"timed_tokens", offsetof(struct sim_card, timed_tokens)},
};
#define N_CARD_KEYS (sizeof(card_keys) / sizeof(card_keys[0]))

static double *field(void *base, size_t offset)
{
	return (double *)((char *)base + offset);
}

/* A number that ends exactly at text + len. */
static int number(const char *text, size_t len, double *out)
{
	char copy[64], *end;

	if (len == 0 || len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*out = strtod(copy, &end);
	return *end == '\0' && isfinite(*out);
}

static const char *set_key(
	struct sim_law *law, const char *item, size_t len, char why[160])
{
	const char *eq = memchr(item, '=', len);
	size_t name = eq ? (size_t)(eq - item) : len;

	for (size_t i = 0; i < N_LAW_KEYS; i++) {
		const struct key *k = &law_keys[i];
		double v;

		if (strlen(k->name) != name || memcmp(k->name, item, name) != 0)
			continue;
		if (!eq || !number(eq + 1, len - name - 1, &v) || v < k->lo ||
			v > k->hi) {
			snprintf(why, 160, "law key '%s' wants a number in %g..%g",
				k->name, k->lo, k->hi);
			return why;
		}
		*field(law, k->offset) = v;
		return NULL;
	}
	snprintf(why, 160, "unknown law key '%.*s'", (int)(name > 40 ? 40 : name), item);
	return why;
}

const char *sim_law_parse(struct sim_law *law, const char *text, char why[160])
{
	for (size_t i = 0; i < N_LAW_KEYS; i++)
		*field(law, law_keys[i].offset) = law_keys[i].initial;
	while (*text) {
		size_t n = strcspn(text, ",");
		const char *wrong = set_key(law, text, n, why);

		if (wrong)
			return wrong;
		text += n + (text[n] == ',');
	}
	return NULL;
}

/* Cards */

static const char *find_bytes(const char *hay, size_t len, const char *needle)
{
	return memmem(hay, len, needle, strlen(needle));
}

static int card_line(struct sim_card *card, const char *line, size_t len, int *known)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : 0;

	for (size_t i = 0; i < N_CARD_KEYS && colon; i++) {
		const char *v = colon + 1;
		double *out = field(card, card_keys[i].offset);

		if (strlen(card_keys[i].name) != name ||
			memcmp(card_keys[i].name, line, name) != 0)
			continue;
		while (v < line + len && *v == ' ')
			v++;
		++*known;
		return number(v, (size_t)(line + len - v), out) && *out >= 0;
	}
	return 1; /* cards say more than the law asks */
}

int sim_card_find(struct sim_card *card, const uint8_t *image, size_t len)
{
	static const char open[] = "HAWSER-CARD-BEGIN\n", close[] = "HAWSER-CARD-END\n";
	const char *text = (const char *)image;
	const char *a = find_bytes(text, len, open), *b;
	int known = 0;

	memset(card, 0, sizeof(*card));
	if (a) {
		a += sizeof(open) - 1;
		b = find_bytes(a, len - (size_t)(a - text), close);
		if (!b)
			return 0;
		text = a;
		len = (size_t)(b - a);
	}
	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;

		if (!card_line(card, text, n, &known))
			return 0;
		text += n + (nl != NULL);
		len -= n + (nl != NULL);
	}
	return known > 0;
}

/* Chance: a counter-based generator (splitmix64's finaliser over all inputs). */

enum purpose {
	DRAW_FATE = 1,
	DRAW_LOST,
	DRAW_PROCESS,
	DRAW_SAMPLE,
	DRAW_SPIKE,
	DRAW_WALL
};

static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t draw(const struct sim_law *law, const struct sim_run *run,
	enum purpose purpose, uint64_t process, uint64_t index)
{
	uint64_t h = mix((uint64_t)law->seed);

	for (size_t i = 0; i < SHA256_BYTES; i += 8) {
		uint64_t w = 0;

		for (size_t j = 8; j > 0; j--)
			w = w << 8 | run->image[i + j - 1];
		h = mix(h ^ w);
	}
	h = mix(h ^ (uint64_t)purpose);
	h = mix(h ^ process);
	return mix(h ^ index);
}

/* In (0, 1): never 0, so that its logarithm is finite. */
static double unit(uint64_t h)
{
	return ((double)(h >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller; the second number comes from mixing on. */
static double normal(uint64_t h)
{
	return sqrt(-2 * log(unit(h))) * cos(6.283185307179586 * unit(mix(h)));
}

enum sim_fate sim_fate(
	const struct sim_law *law, const struct sim_card *card, const struct sim_run *run)
{
	double u = unit(draw(law, run, DRAW_FATE, 0, 0));

	if (run->attempt < law->lost_attempts &&
		unit(draw(law, run, DRAW_LOST, run->process_index, run->attempt)) <
			law->lost)
		return SIM_LOST;
	if (law->ram_bytes > 0 && card->arena_bytes > law->ram_bytes)
		return SIM_OOM;
	if (u < law->crash)
		return SIM_CRASH;
	if (u < law->crash + law->stall)
		return SIM_STALL;
	if (u < law->crash + law->stall + law->wrong)
		return SIM_WRONG;
	return SIM_OK;
}

double sim_latency_ns(
	const struct sim_law *law, const struct sim_card *card, const struct sim_run *run)
{
	double base = card->timed_tokens > 0 ? card->timed_tokens : 1, r = 1, r2;
	double beyond = card->weight_bytes - law->cache_bytes;
	double per_token, per_pair;

	if (run->n_tokens > 0 && card->timed_tokens > 0)
		r = run->n_tokens / base;
	r2 = r * r;
	if (run->phase) { /* one token against a cache of that many */
		r2 = r / base;
		r = 1 / base;
	}
	per_token = card->macs_f32 * law->mac_f32_ns + card->macs_i8 * law->mac_i8_ns +
		    card->macs_i4 * law->mac_i4_ns + card->n_conv * law->conv_ns +
		    card->n_norm * law->norm_ns + card->n_act * law->act_ns +
		    card->n_quant * law->quant_ns;
	per_pair = card->macs_attention * law->attention_ns +
		   card->n_softmax * law->softmax_ns;
	return law->base_ns + card->n_ops * law->op_ns + r * per_token + r2 * per_pair +
	       (card->weight_bytes + (beyond > 0 ? beyond * law->cache_penalty : 0)) *
		       law->byte_ns;
}

void sim_sample(const struct sim_law *law, const struct sim_run *run, double truth,
	uint32_t i, double *wall_ns, double *cpu_ns)
{
	uint32_t p = run->process_index;
	double own = exp(law->process_sigma * normal(draw(law, run, DRAW_PROCESS, p, 0)));
	double noise = exp(law->sigma * normal(draw(law, run, DRAW_SAMPLE, p, i)));
	int spike = unit(draw(law, run, DRAW_SPIKE, p, i)) < law->spike;

	*cpu_ns = truth * (1 + law->drift * p) * own * noise;
	*wall_ns = *cpu_ns * (1 + 0.002 * unit(draw(law, run, DRAW_WALL, p, i)));
	if (spike) { /* a neighbour: mostly waiting, a little cache */
		*wall_ns *= law->spike_size;
		*cpu_ns *= 1 + (law->spike_size - 1) * 0.1;
	}
}
