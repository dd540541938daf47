/* What instructions the processor has, in the kernel's words, and whether there is such a
 * processor at all: under an emulator of programs (QEMU's user mode) /proc/cpuinfo is
 * another machine's, and times say nothing.
 */
#ifndef HAWSER_DEVICES_AGENT_LINUX_ISA_H
#define HAWSER_DEVICES_AGENT_LINUX_ISA_H

#include <stddef.h>

/* The value of the first line of /proc/cpuinfo (below `root`) that begins with `key`; 0
 * and "" when there is none. */
int isa_cpuinfo(const char *root, const char *key, char *out, size_t cap);
/* Blank-separated words, those that builds may depend on (devices/boards/isa/needs.c), as
 * in /proc/cpuinfo; of RISC-V all extensions: "i m a f d c v zba". 0 when not told. */
int isa_features(const char *root, char *out, size_t cap);
/* The same as the auxiliary vector has it: what an emulated processor claims. */
int isa_emulated_features(char *out, size_t cap);
/* Does this program run under another one, so that the kernel runs a different file? */
int isa_is_emulated(void);

#endif
