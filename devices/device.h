/* A device, whatever carries it: the one table that local, sim, SSH and serial drivers
 * share, and what the controller may ask of a device.
 *
 * Nothing that a device sends is trusted: every answer is bounded and checked here, and a
 * device that talks nonsense is a lost link, not a wrong number.
 *
 * Threads: one device handle belongs to one thread.
 */
#ifndef HAWSER_DEVICES_DEVICE_H
#define HAWSER_DEVICES_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "devices/instrument/instrument.h"
#include "src/base/err.h"
#include "src/base/hash.h"
#include "src/model/measurement.h"

/* A device as its YAML profile describes it (devices/profiles, or the user's folder). */
#define DEVICE_MAX_THREADS 16

/* Where in a board's flash the weights of images may lie that RAM cannot hold, and how they come
 * there: a shell command of this host with {file}, {address} and {size}, or "probe": through
 * an emulator's debugger, which writes anywhere. */
struct device_flash {
	uint32_t base, size; /* bytes; size 0: nowhere */
	char write[512];
};

struct device_profile {
	char name[64];
	char driver[16];      /* "local", "sim", "ssh", "serial" */
	char uri[300];	      /* ssh: "ssh://user@host:port" */
	char ssh_config[256]; /* ssh: a file instead of ~/.ssh/config; "" none */
	char cache[256];      /* ssh: the agent's folder there; "" its own choice */
	char port[256];	      /* serial: the line, "/dev/serial/by-id/..." */
	uint32_t baud;	      /* serial */
	char probe[128]; /* serial: a debug probe's GDB server, "localhost:3333"; "none":
				 nor an emulator's own; "" as it comes */
	char emulator[512]; /* serial: a command of this host instead of a port */
	char board[64]; /* serial: what the board has to call itself; an emulator runs its
			   firmware */
	char cpuid[16]; /* serial: what the agent has to report; "" anything */
	char window[32];
	char cc[256]; /* the target's compiler: "gcc"; "none" for sim (not compiled) */
	char cflags[512];    /* target flags: "-march=native" */
	char isa[32];	     /* kernel folder in src/infer/opt for KERNELS_OPT; "" none */
	char cpu[16];	     /* "auto", "any", or a core's number to pin to */
	uint32_t threads;    /* of a model, 1 as a rule: another device's figures */
	uint32_t timeout_ms; /* of one process run */
	uint64_t memory_bytes; /* address-space limit of a process; 0: none */
	uint64_t flash_bytes;  /* largest model the device takes; 0: no limit */
	uint64_t ram_bytes;    /* largest arena + state; 0: no limit */
	char sensor[64];       /* "auto", "none", or a sensor's name */
	char sysfs_root[256];  /* "" or a prefix for /sys and /proc (fixture trees) */
	char sim_law[1024];    /* sim: "key=value,..." (devices/sim/README.md) */
	struct device_flash flash; /* serial */
	double health_factor; /* a known build may take that many times as long; 0: any */
	char power_cycle[512]; /* shell command of this host: off and on again; "" none */
	struct instrument_setup meter; /* serial: in the board's supply; kind "" none */
};

/* By name ("local") from the user's folder ($XDG_CONFIG_HOME/hawser/devices) or Hawser's
 * devices/profiles, or by path when it ends in .yaml. */
enum err device_profile_load(
	struct device_profile *p, const char *name_or_path, struct err_ctx *ctx);
/* Is it a path in the sense of device_profile_load? */
int device_profile_is_path(const char *name_or_path);
/* As it is found from any folder: a path becomes absolute, where it fits; a name stays. */
void device_profile_full_name(const char *name_or_path, char *out, size_t cap);
/* Names of the profiles in both folders; NULL-terminated, freed as one block. */
enum err device_profile_list(char ***names, struct err_ctx *ctx);
/* The path in the user's folder that a new device's profile would get: ERR_EXISTS when the
 * name is taken, ERR_USAGE when it is none. */
enum err device_profile_check_new(
	const char *name, char *path, size_t cap, struct err_ctx *ctx);
/* Writes the profile of a device that is reached by a URI. */
enum err device_profile_write(const struct device_profile *p, const char *about,
	const char *path, struct err_ctx *ctx);

struct device_info {
	struct hash fingerprint; /* of the lines that tell what hardware and OS this is */
	char description[2048];	 /* those lines: "key: value\n" */
	uint32_t protocol;	 /* wire version of the agent */
	char agent[64];		 /* its version */
	int simulated;
	int emulated; /* runs images, but under an emulator: never times them */
	/* Of an emulator that counts: its clock goes on by so many ns with each instruction,
	 * so that "times" are instructions; 0: it does not count. */
	uint32_t instruction_ns;
	uint32_t max_frame_bytes;
	uint64_t clock_resolution_ns;
	char sensor[64];       /* the energy sensor or meter in use; "" none */
	char sensor_note[192]; /* what it covers, or why there is none */
	int can_evaluate;      /* offers RUN_EVAL */
	uint32_t boots;	       /* of a board since power was switched on; 0: not told */
	char reset[64];	       /* why it booted last; "" not told */
	int host_judges;       /* its agent leaves an image's records to us */
};

enum run_mode {
	RUN_GOLDEN, /* the embedded inputs, outputs compared on the device and returned */
	RUN_TIME,   /* golden first, then warm-up and timing */
	RUN_EVAL    /* inputs from the request, outputs returned */
};

struct run_request {
	enum run_mode mode;
	struct hash image;	/* must have been uploaded */
	uint32_t process_index; /* which noise the sim draws; recorded otherwise */
	uint32_t n_warmup;
	uint32_t n_samples;
	uint32_t min_sample_ns; /* inferences are batched until a sample lasts so long */
	uint32_t n_tokens;	/* length of the timed input; 0: the build's default */
	uint32_t phase; /* 0: whole input (prefill); 1: decoder, one token a step */
	int metered; /* RUN_TIME: the profile's meter, if any, records this run, which lasts
			as long as that needs */
	const uint8_t *input; /* RUN_EVAL: records as in devices/PROTOCOL.md; borrowed */
	size_t input_len;
};

struct run_result {
	enum verdict verdict;
	char detail[256];	/* "signal 11", "output 3 differs by 0.4" */
	double golden_error;	/* largest |d - r| / (1 + max |r|) seen */
	struct process_run run; /* RUN_TIME; samples owned by the result */
	double n_timed,
		timed_ns; /* inferences between the first and last sample's ends, and
				     how long those took by the device's clock */
	char energy_note[TRACE_WHY]; /* metered: why there is no energy; "" there is */
	uint8_t *output;	     /* RUN_EVAL; owned */
	size_t output_len;
};
void run_result_release(struct run_result *r);

struct device;

/* Starts the agent, says hello, leases the device. ERR_DEVICE when it cannot be had now;
 * ERR_REFUSED when somebody has to do something about it first (a host key, a user, a program
 * that is missing). */
enum err device_open(
	struct device **out, const struct device_profile *p, struct err_ctx *ctx);
/* The same with a driver that need not be in the table (borrowed; `p` is copied). */
struct device_driver;
enum err device_open_with(struct device **out, const struct device_profile *p,
	const struct device_driver *driver, struct err_ctx *ctx);
void device_close(struct device *d); /* NULL is allowed */
/* Once *cancel (borrowed) is not 0, what `d` waits for itself ends with ERR_CANCELLED: the
 * profile's commands, a run, a pause before it tries again. */
void device_set_cancel(struct device *d, volatile const int *cancel);
const struct device_info *device_info(const struct device *d);
const struct device_profile *device_profile(const struct device *d);
/* Sends an image unless the device has it already; verified by hash there. */
enum err device_upload(struct device *d, const char *path, const struct hash *image,
	struct err_ctx *ctx);
/* Why an upload took a slower way than the profile names, for the user to hear; "" when none
 * did since the last call. Valid until the next upload. */
const char *device_upload_note(struct device *d);
/* ERR_OK with a verdict for everything that the candidate or the device did; other
 * codes are faults of the caller or of this host. An image that someone else there killed
 * is run again, twice, before that is its crash. After VERDICT_DEVICE_LOST or
 * VERDICT_LINK_LOST the device is reopened by device_recover. */
enum err device_run(struct device *d, const struct run_request *rq,
	struct run_result *out, struct err_ctx *ctx);
/* Time of one request and its answer: what the carrier and the agent alone cost. */
enum err device_ping(struct device *d, uint64_t *round_trip_ns, struct err_ctx *ctx);
/* Sends `len` bytes that do not match their hash, so that nothing of them is kept; the
 * rate includes hashing them there. */
enum err device_measure_upload(
	struct device *d, size_t len, double *bytes_per_s, struct err_ctx *ctx);
/* Ladder: a new session, a new agent a few times with growing pauses, the profile's
 * power_cycle and the same again; then ERR_DEVICE. ERR_CANCELLED: device_set_cancel. */
enum err device_recover(struct device *d, struct err_ctx *ctx);

/* The driver table: how each kind of device starts its byte stream. */
struct transport; /* devices/transport/transport.h */
struct device_driver {
	const char *name;
	const char *summary; /* for `device list` */
	enum err (*start)(const struct device_profile *p, struct transport **out,
		struct err_ctx *ctx);
};
const struct device_driver *device_driver_find(const char *name);
const struct device_driver *device_driver_at(size_t i);

#endif
