#include <stdio.h>
#include <string.h>

#include "src/codegen/codegen.h"
#include "src/codegen/kernel_sets.h"
#include "tests/bench/bench.h"
#include "tests/bench/blas.h"
#include "tests/bench/rates.h"

const size_t read_sizes[N_READ_SIZES] = {32u << 10, 512u << 10, 1u << 20, 4u << 20,
	8u << 20, 16u << 20, 24u << 20, 128u << 20};

static void cpu_name(char *out, size_t cap)
{
	char line[512];
	FILE *f = fopen("/proc/cpuinfo", "r");

	snprintf(out, cap, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (!colon || strncmp(line, "model name", 10))
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		snprintf(out, cap, "%.*s", (int)strcspn(colon, "\n"), colon);
		break;
	}
	if (f)
		fclose(f);
}

/* The sets whose instructions this machine has, in the order of the table, which goes
 * from general to special. All are built for this machine, but the AVX2 set beside a
 * better one for a machine that has no more: that is what its figure is for. */
static void find_sets(struct machine *m)
{
	const struct kernel_set *s;

	for (size_t i = 0; (s = kernel_set_at(i)) && m->n_sets < MAX_SETS; i++) {
		struct set_choice *c = &m->set[m->n_sets];

		if (!cpu_runs_set(s))
			continue;
		snprintf(c->name, sizeof(c->name), "%s", *s->isa ? s->isa : "ref");
		c->isa = s->isa;
		c->cflags = "-march=native";
		c->optimised = *s->isa != 0;
		m->n_sets++;
	}
	for (unsigned i = 0; i + 1 < m->n_sets; i++)
		if (!strcmp(m->set[i].isa, "x86-avx2"))
			m->set[i].cflags = "-march=x86-64-v3";
}

enum err machine_init(struct machine *m, const struct options *o, struct err_ctx *ctx)
{
	memset(m, 0, sizeof(*m));
	cpu_name(m->cpu, sizeof(m->cpu));
	blas_core_name(m->blas_core, sizeof(m->blas_core));
	find_sets(m);
	for (unsigned i = 0; i < N_READ_SIZES; i++)
		m->read_bytes_s[i] = read_bandwidth(read_sizes[i], o->quick ? 2 : 9);
	return codegen_probe_compiler("gcc", m->compiler, sizeof(m->compiler), ctx);
}
