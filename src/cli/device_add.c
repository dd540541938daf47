#include "src/cli/device_probe.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/cpu_arch.h"
#include "devices/transport/ssh.h"
#include "src/codegen/codegen.h"
#include "src/codegen/kernel_sets.h"
#include "src/eval/target_flags.h"

#define MOST_MEMORY ((uint64_t)4 << 30)

/* What was found out on the way. */
struct finding {
	char path[4400];
	char about[160];
	char compiler[256];   /* its version line; "" when it is not here */
	const char *packages; /* that bring it */
	const char *kernels;  /* the kernel set that fits */
	const char *refused;  /* better flags that the compiler does not know, or NULL */
	struct device_info info;
	struct line_quality line;
	struct device_health health; /* when the compiler is here */
};

/* The first label of a host's name; all of a number, with '-' for what a name cannot
 * have. */
static void name_of_host(const char *host, char *out, size_t cap)
{
	int number = host[strspn(host, "0123456789.:")] == '\0' || strchr(host, ':');
	size_t n = number ? strlen(host) : strcspn(host, ".");

	snprintf(out, cap, "%s%.*s", number ? "ssh-" : "", (int)n, host);
	for (char *c = out; *c; c++)
		if (strchr(".:%", *c))
			*c = '-';
}

static enum err describe(struct device_profile *p, const char *uri,
	const struct device_add_options *o, struct err_ctx *ctx)
{
	struct device_profile q = {.driver = "ssh",
		.isa = "auto",
		.cpu = "auto",
		.threads = 1,
		.timeout_ms = 60000,
		.sensor = "auto"};
	char full[PATH_MAX] = "";
	struct ssh_address a;
	enum err e = ssh_address_parse(&a, uri, ctx);

	if (e)
		return ERR_USAGE;
	if (o->name)
		snprintf(q.name, sizeof(q.name), "%s", o->name);
	else
		name_of_host(a.host, q.name, 40);
	if (o->ssh_config[0] && !realpath(o->ssh_config, full))
		return err_set(ctx, ERR_NOTFOUND, "cannot read '%s'", o->ssh_config);
	if (o->cache[0] && o->cache[0] != '/')
		return err_set(ctx, ERR_USAGE, "--cache must be a whole path, from '/'");
	if ((size_t)snprintf(q.ssh_config, sizeof(q.ssh_config), "%s", full) >=
			sizeof(q.ssh_config) ||
		(size_t)snprintf(q.cache, sizeof(q.cache), "%s", o->cache) >=
			sizeof(q.cache))
		return err_set(ctx, ERR_USAGE, "a path is too long");
	snprintf(q.uri, sizeof(q.uri), "%s", uri);
	*p = q;
	return ERR_OK;
}

/* A model may use half of the machine's memory. */
static uint64_t half_of_memory(const char *description)
{
	char text[64];
	unsigned long long mib = 0;

	cpu_arch_line(description, "memory", text, sizeof(text));
	if (sscanf(text, "about %llu MiB", &mib) != 1 || mib > 1u << 30)
		return 0;
	return mib << 19 < MOST_MEMORY ? mib << 19 : MOST_MEMORY;
}

/* Flags that processor and compiler know; without a compiler the processor's alone. */
static enum err fit_compiler(struct device_profile *p, const struct cpu_arch *arch,
	const struct device_info *info, struct finding *f, struct err_ctx *ctx)
{
	struct target_flags flags = {
		cpu_arch_level_after(arch, NULL, info->description)->cflags, NULL};
	const struct kernel_set *set = NULL;
	enum err e = ERR_OK;

	if (codegen_probe_compiler(p->cc, f->compiler, sizeof(f->compiler), NULL))
		f->compiler[0] = '\0';
	else
		e = target_flags_find(arch, p->cc, info->description, &flags, ctx);
	f->refused = flags.refused;
	snprintf(p->cflags, sizeof(p->cflags), "%s", flags.cflags);
	if (!e && f->compiler[0] &&
		kernel_set_choose("auto", p->cc, p->cflags, &set, NULL) == ERR_OK)
		f->kernels = set->isa[0] ? set->isa : "portable C";
	return e;
}

static enum err fit(struct device_profile *p, const struct device_info *info,
	struct finding *f, struct err_ctx *ctx)
{
	char machine[64], model[100], kernel[100];
	const struct cpu_arch *arch;

	cpu_arch_line(info->description, "arch", machine, sizeof(machine));
	arch = cpu_arch_find(machine);
	if (!arch)
		return err_set(ctx, ERR_UNSUPPORTED,
			"there is no compiler known for a '%s' machine", machine);
	f->packages = cpu_arch_is_native(arch) ? "gcc" : arch->packages;
	snprintf(p->cc, sizeof(p->cc), "%s", cpu_arch_is_native(arch) ? "gcc" : arch->cc);
	p->memory_bytes = half_of_memory(info->description);
	cpu_arch_line(info->description, "board", model, sizeof(model));
	if (!model[0])
		cpu_arch_line(info->description, "model name", model, sizeof(model));
	cpu_arch_line(info->description, "kernel", kernel, sizeof(kernel));
	snprintf(f->about, sizeof(f->about), "%.70s%s%.10s, %.70s", model,
		model[0] ? ", " : "", machine, kernel);
	return fit_compiler(p, arch, info, f, ctx);
}

static json_t *health_json(const struct finding *f)
{
	const struct device_health *h = &f->health;

	if (!f->compiler[0])
		return json_null();
	if (h->verdict != VERDICT_OK)
		return json_pack("{s:s, s:s}", "verdict", verdict_names[h->verdict],
			"detail", h->detail);
	return json_pack("{s:s, s:f, s:f}", "verdict", verdict_names[h->verdict],
		"latency_us", h->latency_us, "golden_error", h->golden_error);
}

static enum err print_json(
	const struct device_profile *p, const struct finding *f, struct err_ctx *ctx)
{
	json_t *doc = device_probe_json(p, &f->info, &f->line);

	json_object_set_new(doc, "profile", json_string(f->path));
	json_object_set_new(doc, "uri", json_string(p->uri));
	json_object_set_new(doc, "cc", json_string(p->cc));
	json_object_set_new(doc, "cflags", json_string(p->cflags));
	json_object_set_new(doc, "compiler", json_string(f->compiler));
	json_object_set_new(doc, "refused_cflags",
		f->refused ? json_string(f->refused) : json_null());
	json_object_set_new(
		doc, "kernels", f->kernels ? json_string(f->kernels) : json_null());
	json_object_set_new(doc, "health", health_json(f));
	return device_print_json(doc, ctx);
}

static void print_text(const struct device_profile *p, const struct finding *f)
{
	const struct device_health *h = &f->health;

	device_print_probe(p, &f->info, &f->line);
	printf("compiler          %s %s\n", p->cc, p->cflags);
	if (f->compiler[0])
		printf("                  %s\n", f->compiler);
	else
		printf("                  is not here: apt-get install %s\n",
			f->packages);
	if (f->refused)
		printf("                  does not know %s, a newer one may be faster\n",
			f->refused);
	printf("kernels           %s\n", f->kernels ? f->kernels : "?");
	if (!f->compiler[0])
		printf("health            not checked without the compiler\n");
	else if (h->verdict == VERDICT_OK)
		printf("health            a known network's answers agree (largest "
		       "difference %.1e), %.4g us\n",
			h->golden_error, h->latency_us);
	else
		printf("health            %s: %s\n", verdict_names[h->verdict],
			h->detail);
	printf("profile           %s\n", f->path);
	printf("\nTry it: hawser measure --preset tinybert-4 --device %s\n", p->name);
	printf("In a job: objectives: [slot_f1, latency_us@%s]\n", p->name);
}

static enum err find_out(struct device_profile *p, struct finding *f, struct err_ctx *ctx)
{
	struct device *d = NULL;
	enum err e = device_open(&d, p, ctx);

	e = e ? e : device_time_line(d, &f->line, ctx);
	if (!e) {
		f->info = *device_info(d);
		e = fit(p, &f->info, f, ctx);
	}
	device_close(d);
	return e;
}

enum err device_add(
	const char *uri, const struct device_add_options *o, struct err_ctx *ctx)
{
	struct finding f = {.kernels = NULL};
	struct device_profile p;
	enum err e = describe(&p, uri, o, ctx);

	e = e ? e : device_profile_check_new(p.name, f.path, sizeof(f.path), ctx);
	e = e ? e : find_out(&p, &f, ctx);
	e = e ? e : device_profile_write(&p, f.about, f.path, ctx);
	if (!e && f.compiler[0])
		e = device_check_health(p.name, &f.health, ctx);
	if (e)
		return e;
	if (o->json)
		e = print_json(&p, &f, ctx);
	else
		print_text(&p, &f);
	if (!e && f.compiler[0] && f.health.verdict != VERDICT_OK)
		e = err_set(ctx, ERR_DEVICE,
			"device '%s' was added, but fails its check: %s (%s)", p.name,
			verdict_names[f.health.verdict], f.health.detail);
	return e;
}
