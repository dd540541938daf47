#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/device.h"
#include "devices/cpu_arch.h"
#include "devices/transport/ssh.h"
#include "devices/transport/transport.h"

/* `name` beside this executable, or one folder up (tests). */
static int find_beside(const char *name, char *out, size_t cap)
{
	static const char *const places[] = {"", "/.."};
	char exe[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(out, cap, "%s%s/%s", exe, places[i], name);

		if (len > 0 && (size_t)len < cap && access(out, X_OK) == 0)
			return 1;
	}
	return 0;
}

/* This machine's agent: $HAWSER_AGENT, or beside this executable. */
static enum err find_agent(char *out, size_t cap, struct err_ctx *ctx)
{
	const char *own = getenv("HAWSER_AGENT");

	if (own && own[0]) {
		if (access(own, X_OK) != 0)
			return err_set(ctx, ERR_DEVICE,
				"'%s', named by HAWSER_AGENT, is not a program", own);
		if ((size_t)snprintf(out, cap, "%s", own) >= cap)
			return err_set(ctx, ERR_INVALID, "HAWSER_AGENT is too long");
		return ERR_OK;
	}
	if (find_beside("hawser-agent", out, cap))
		return ERR_OK;
	return err_set(ctx, ERR_DEVICE,
		"no program 'hawser-agent' beside this one: run make, or set "
		"HAWSER_AGENT");
}

/* The agent of a machine that `uname -m` calls so. */
static enum err find_agent_for(
	const char *machine, char *out, size_t cap, struct err_ctx *ctx)
{
	const struct cpu_arch *t = cpu_arch_find(machine);
	char name[64];

	if (!t)
		return err_set(
			ctx, ERR_DEVICE, "there is no agent for a '%s' machine", machine);
	if (cpu_arch_is_native(t))
		return find_agent(out, cap, ctx);
	snprintf(name, sizeof(name), "hawser-agent-%s", t->name);
	if (find_beside(name, out, cap))
		return ERR_OK;
	return err_set(ctx, ERR_DEVICE,
		"no program '%s' beside this one: install the compiler of %s machines "
		"(Debian and Ubuntu: apt-get install %s) and run make",
		name, t->name, t->packages);
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

/* A controller that is gone behind a cut line must not keep the device; one that only
 * trained for so long reconnects. */
#define IDLE_S "3600"

/* The agent's name for this controller: of the same one, a new agent ends an old one. */
static void name_controller(const struct device_profile *p, char *out, size_t cap)
{
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(out, cap, "'%.40s' of pid %d on %s", p->name, (int)getpid(), host);
}

static enum err start_ssh(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	char controller[160];
	const char *const args[] = {"--cpu", p->cpu, "--sensor", p->sensor, "--sysfs",
		p->sysfs_root, "--for", controller, "--idle-s", IDLE_S, NULL};
	const struct boot boot = {p->cache, args, find_agent_for};
	struct ssh_address a;
	enum err e = ssh_address_parse(&a, p->uri, ctx);

	name_controller(p, controller, sizeof(controller));
	return e ? e : transport_ssh_open(out, &a, p->ssh_config, &boot, ctx);
}

#define EMULATOR_WORDS 48

/* Words between blanks; argv leads into `text`. */
static size_t split(char *text, const char *argv[], size_t n, size_t cap)
{
	char *rest;

	for (char *w = strtok_r(text, " ", &rest); w && n < cap;
		w = strtok_r(NULL, " ", &rest))
		argv[n++] = w;
	return n;
}

/* A fresh folder for the socket of an emulator's debugger: who reaches that has the emulator.
 * The guard removes it. */
static enum err make_probe(char *path, size_t cap, struct err_ctx *ctx)
{
	static const char name[] = "/hawser-probe-XXXXXX";
	const char *tmp = getenv("TMPDIR");

	/* A comma would end the path for the emulator; a long one is no socket's. */
	if (!tmp || !tmp[0] || strchr(tmp, ',') || strlen(tmp) > 64)
		tmp = "/tmp";
	snprintf(path, cap, "%s%s", tmp, name);
	if (!mkdtemp(path))
		return err_set(ctx, ERR_IO, "cannot make a folder '%s': %s", path,
			strerror(errno));
	strcat(path, "/gdb");
	return ERR_OK;
}

static void remove_probe(char *path)
{
	char *slash = strrchr(path, '/');

	unlink(path);
	if (slash)
		*slash = '\0';
	rmdir(path);
}

/* An emulator with the board's firmware, the line at its standard input and output; it ends
 * with this process. */
static enum err start_emulator(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	static const char *const line[] = {"-display", "none", "-nodefaults", "-nic",
		"none", "-monitor", "none", "-chardev", "stdio,id=line,signal=off",
		"-serial", "chardev:line", "-kernel"};
	const size_t n_line = sizeof(line) / sizeof(line[0]);
	char agent[4200], firmware[4200], name[128], words[sizeof(p->emulator)];
	char probe[100] = "", chardev[160];
	const char *argv[EMULATOR_WORDS] = {agent, "--guard", probe};
	enum err e = find_agent(agent, sizeof(agent), ctx);
	size_t n;

	if (e)
		return e;
	snprintf(name, sizeof(name), "hawser-agent-%s.elf", p->board);
	if (!find_beside(name, firmware, sizeof(firmware)))
		return err_set(ctx, ERR_DEVICE,
			"no firmware '%s' beside this program: install the compiler of "
			"its boards (Debian and Ubuntu: apt-get install "
			"gcc-arm-none-eabi libnewlib-arm-none-eabi) and run make",
			name);
	snprintf(words, sizeof(words), "%s", p->emulator);
	n = split(words, argv, 3, EMULATOR_WORDS - n_line - 6);
	if (!p->probe[0]) {
		e = make_probe(probe, sizeof(probe), ctx);
		snprintf(chardev, sizeof(chardev),
			"socket,id=probe,path=%s,server=on,wait=off", probe);
		argv[n++] = "-chardev";
		argv[n++] = chardev;
		argv[n++] = "-gdb";
		argv[n++] = "chardev:probe";
	}
	memcpy(argv + n, line, sizeof(line));
	argv[n + n_line] = firmware;
	e = e ? e : transport_pipe_open(out, argv, ctx);
	if (!e)
		snprintf((*out)->probe, sizeof((*out)->probe), "%s", probe);
	else if (probe[0])
		remove_probe(probe);
	return e;
}

static enum err start_serial(
	const struct device_profile *p, struct transport **out, struct err_ctx *ctx)
{
	enum err e;

	e = p->emulator[0] ? start_emulator(p, out, ctx)
			   : transport_serial_open(out, p->port, p->baud, ctx);
	if (!e && p->probe[0] && strcmp(p->probe, "none") != 0)
		snprintf((*out)->probe, sizeof((*out)->probe), "%s", p->probe);
	return e;
}

static const struct device_driver driver_local = {
	"local", "this machine: the agent is a child process", start_local};
static const struct device_driver driver_sim = {
	"sim", "simulated: a known latency law with noise", start_sim};

static const struct device_driver driver_ssh = {
	"ssh", "a Linux machine, by the user's own SSH client", start_ssh};

static const struct device_driver driver_serial = {
	"serial", "a microcontroller on a serial line, or emulated here", start_serial};

static const struct device_driver *const drivers[] = {
	&driver_local,
	&driver_sim,
	&driver_ssh,
	&driver_serial,
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
