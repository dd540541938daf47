#include "devices/cpu_arch.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* All that the flags let a compiler use: a virtual machine may lack any part of a level. */
#define X86_V2 "pni ssse3 sse4_1 sse4_2 popcnt"
#define X86_V3 X86_V2 " avx avx2 fma f16c bmi1 bmi2 abm movbe"
#define X86_V4 X86_V3 " avx512f avx512cd avx512bw avx512dq avx512vl"
static const struct cpu_arch_level x86_64_levels[] = {
	{X86_V4 " avx512_vnni", "-march=x86-64-v4 -mavx512vnni"},
	{X86_V3 " avx_vnni", "-march=x86-64-v3 -mavxvnni"},
	{X86_V4, "-march=x86-64-v4"},
	{X86_V3, "-march=x86-64-v3"},
	{X86_V2, "-march=x86-64-v2"},
	{"", ""},
};
#define ARMV8_2 "atomics crc32 asimdrdm"
static const struct cpu_arch_level aarch64_levels[] = {
	{ARMV8_2 " asimddp i8mm", "-march=armv8.2-a+dotprod+i8mm"},
	{ARMV8_2 " asimddp", "-march=armv8.2-a+dotprod"},
	{"", "-march=armv8-a"},
};
static const struct cpu_arch_level armhf_levels[] = {
	{"neon vfpv4", "-march=armv7-a -mfpu=neon-vfpv4"},
	{"", "-march=armv7-a+fp"},
};
static const struct cpu_arch_level riscv64_levels[] = {
	{"v", "-march=rv64gcv"},
	{"", ""},
};

static const struct cpu_arch archs[] = {
	{"x86_64", "x86_64", "x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu",
		{EM_X86_64, EM_386}, x86_64_levels},
	{"aarch64", "aarch64", "aarch64-linux-gnu-gcc",
		"gcc-aarch64-linux-gnu libc6-dev-arm64-cross", {EM_AARCH64, EM_ARM},
		aarch64_levels},
	{"armhf", "armv7l armv8l", "arm-linux-gnueabihf-gcc",
		"gcc-arm-linux-gnueabihf libc6-dev-armhf-cross", {EM_ARM, 0},
		armhf_levels},
	{"riscv64", "riscv64", "riscv64-linux-gnu-gcc",
		"gcc-riscv64-linux-gnu libc6-dev-riscv64-cross", {EM_RISCV, 0},
		riscv64_levels},
};
#define N_CPU_ARCHS (sizeof(archs) / sizeof(archs[0]))

#define FEATURES 1024 /* the longest line of them that is read */

/* Is the word `w` of `len` characters among the blank-separated ones of `list`? */
static int has_word(const char *list, const char *w, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == len && strncmp(list, w, n) == 0)
			return 1;
		list += n;
		list += strspn(list, " ");
	}
	return 0;
}

static int has_all(const char *list, const char *words)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (!has_word(list, words, n))
			return 0;
		words += n;
		words += strspn(words, " ");
	}
	return 1;
}

const struct cpu_arch *cpu_arch_find(const char *machine)
{
	for (size_t i = 0; i < N_CPU_ARCHS; i++)
		if (has_word(archs[i].machines, machine, strlen(machine)))
			return &archs[i];
	return NULL;
}

int cpu_arch_is_native(const struct cpu_arch *t)
{
	struct utsname u;

	return uname(&u) == 0 && cpu_arch_find(u.machine) == t;
}

void cpu_arch_line(const char *description, const char *key, char *out, size_t cap)
{
	size_t len = strlen(key);

	out[0] = '\0';
	for (const char *s = description; *s; s += *s == '\n') {
		size_t n = strcspn(s, "\n");

		if (n >= len + 2 && strncmp(s, key, len) == 0 && s[len] == ':') {
			snprintf(out, cap, "%.*s", (int)(n - len - 2), s + len + 2);
			return;
		}
		s += n;
	}
}

const struct cpu_arch_level *cpu_arch_level_after(const struct cpu_arch *t,
	const struct cpu_arch_level *last, const char *description)
{
	const struct cpu_arch_level *l = last ? last + 1 : t->levels;
	char features[FEATURES];

	if (last && !last->features[0])
		return NULL;
	cpu_arch_line(description, "features", features, sizeof(features));
	while (!has_all(features, l->features))
		l++;
	return l;
}

static const char *kind_of(unsigned machine)
{
	for (size_t i = 0; i < N_CPU_ARCHS; i++)
		if (archs[i].elf[0] == machine)
			return archs[i].name;
	return "another kind of machine";
}

/* What the image says of itself (devices/boards/isa/needs.c), against what the device
 * reports; one that reports nothing has the last word. */
static enum err check_needs(const char *description, const char *machine,
	const void *image, size_t len, struct err_ctx *ctx)
{
	static const char mark[] = "hawser-needs:";
	const char *s = memmem(image, len, mark, strlen(mark)), *end;
	char features[FEATURES];

	cpu_arch_line(description, "features", features, sizeof(features));
	if (!s || !features[0])
		return ERR_OK;
	s += strlen(mark);
	end = memchr(s, '\n', len - (size_t)(s - (const char *)image));
	while (end && s < end) {
		const char *word = s + (*s == ' '), *next, *flag;

		next = memchr(word, ' ', (size_t)(end - word));
		s = next ? next : end;
		flag = memchr(word, '=', (size_t)(s - word));
		if (!flag || has_word(features, word, (size_t)(flag - word)))
			continue;
		return err_set(ctx, ERR_UNSUPPORTED,
			"the build needs '%.*s', which this %s processor does not "
			"report: take '%.*s', or what implies it, out of 'cflags' (or "
			"change 'isa') in the device profile",
			(int)(flag - word), word, machine, (int)(s - flag - 1), flag + 1);
	}
	return ERR_OK;
}

enum err cpu_arch_check_image(
	const char *description, const void *image, size_t len, struct err_ctx *ctx)
{
	const unsigned char *b = image;
	const struct cpu_arch *t;
	char machine[64], board[64];
	unsigned is;

	cpu_arch_line(description, "arch", machine, sizeof(machine));
	cpu_arch_line(description, "board", board, sizeof(board));
	if (board[0]) /* a flat image */
		return check_needs(description, machine, image, len, ctx);
	t = cpu_arch_find(machine);
	if (!t || len < 20 || memcmp(b, ELFMAG, SELFMAG) != 0)
		return ERR_OK;
	is = b[EI_DATA] == ELFDATA2MSB ? b[18] * 256u + b[19] : b[19] * 256u + b[18];
	if (is == t->elf[0])
		return check_needs(description, machine, image, len, ctx);
	if (is == t->elf[1]) /* its features have other names */
		return ERR_OK;
	return err_set(ctx, ERR_UNSUPPORTED,
		"it is %s, but the build is for %s: 'cc' in the device profile has to be "
		"that machine's compiler (%s)",
		machine, kind_of(is), cpu_arch_is_native(t) ? "gcc" : t->cc);
}
