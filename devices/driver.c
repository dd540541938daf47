#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/device.h"
#include "devices/transport/transport.h"

/* The agent's program: $HAWSER_AGENT, or beside this executable, or one folder up
 * (tests). */
static enum err find_agent(char *out, size_t cap, struct err_ctx *ctx)
{
	static const char *const places[] = {"/hawser-agent", "/../hawser-agent"};
	const char *own = getenv("HAWSER_AGENT");
	char exe[4096], *slash;
	ssize_t n;

	if (own && own[0]) {
		if (access(own, X_OK) != 0)
			return err_set(ctx, ERR_DEVICE,
				"'%s', named by HAWSER_AGENT, is not a program", own);
		if ((size_t)snprintf(out, cap, "%s", own) >= cap)
			return err_set(ctx, ERR_INVALID, "HAWSER_AGENT is too long");
		return ERR_OK;
	}
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(out, cap, "%s%s", exe, places[i]);

		if (len > 0 && (size_t)len < cap && access(out, X_OK) == 0)
			return ERR_OK;
	}
	return err_set(ctx, ERR_DEVICE,
		"no program 'hawser-agent' beside this one: run make, or set "
		"HAWSER_AGENT");
}

static enum err start_local(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	char agent[4200];
	const char *const argv[] = {agent, "--cpu", p->cpu, "--sensor", p->sensor,
		"--sysfs", p->sysfs_root, NULL};
	enum err e = find_agent(agent, sizeof(agent), ctx);

	return e ? e : transport_pipe_open(out, argv, ctx);
}

static enum err start_sim(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	char agent[4200];
	const char *const argv[] = {agent, "--sim", p->sim_law, NULL};
	enum err e = find_agent(agent, sizeof(agent), ctx);

	return e ? e : transport_pipe_open(out, argv, ctx);
}

static const struct device_driver driver_local = {
	"local", "this machine: the agent is a child process", start_local};
static const struct device_driver driver_sim = {
	"sim", "simulated: a known latency law with noise", start_sim};

static const struct device_driver *const drivers[] = {
	&driver_local,
	&driver_sim,
};
#define N_DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

const struct device_driver *device_driver_at(size_t i)
{
	return i < N_DRIVERS ? drivers[i] : NULL;
}

const struct device_driver *device_driver_find(const char *name)
{
	for (size_t i = 0; i < N_DRIVERS; i++)
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	return NULL;
}
