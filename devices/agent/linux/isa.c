#include "devices/agent/linux/isa.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/sensors/sysfs.h"

#ifndef HWCAP2_I8MM /* of an older C library */
#define HWCAP2_I8MM (1ul << 13)
#define HWCAP2_BF16 (1ul << 14)
#endif

/* x86: all that gcc may use unasked, as the levels of x86-64 and -march=native have it. */
static const char *const wanted[] = {"pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "avx",
	"avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe", "fma4", "xop", "gfni",
	"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512ifma",
	"avx512vbmi", "avx512_vbmi2", "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq",
	"avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16",
	/* Arm */
	"asimd", "asimdhp", "asimdrdm", "asimddp", "atomics", "crc32", "i8mm", "bf16",
	"sve", "sve2", "vfp", "neon", "vfpv4", "idiva"};

int isa_cpuinfo(const char *root, const char *key, char *out, size_t cap)
{
	static char text[16384];
	char *p, *end;

	out[0] = '\0';
	if (sysfs_text(root, "/proc/cpuinfo", text, sizeof(text)) < 0)
		return 0;
	for (p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, strlen(key)) == 0 && strchr("\t :", p[strlen(key)]))
			break;
	}
	if (!p || !(p = strchr(p, ':')))
		return 0;
	p++;
	p += strspn(p, " ");
	end = strchr(p, '\n');
	snprintf(out, cap, "%.*s", end ? (int)(end - p) : (int)strlen(p), p);
	return 1;
}

static void add(char *out, size_t cap, const char *word, size_t n)
{
	size_t len = strlen(out);

	if (len + n + 2 <= cap)
		snprintf(out + len, cap - len, "%s%.*s", len ? " " : "", (int)n, word);
}

static int has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(list, word); p; p = strstr(p + 1, word))
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return 1;
	return 0;
}

/* "rv64imafdcv_zba_zbb": letters, then words. */
static void split_riscv(const char *isa, char *out, size_t cap)
{
	isa += strncmp(isa, "rv64", 4) == 0 || strncmp(isa, "rv32", 4) == 0 ? 4 : 0;
	for (; *isa && *isa != '_'; isa++)
		add(out, cap, isa, 1);
	while (*isa == '_') {
		size_t n = strcspn(++isa, "_ ");

		add(out, cap, isa, n);
		isa += n;
	}
}

int isa_features(const char *root, char *out, size_t cap)
{
	static char flags[8192];

	out[0] = '\0';
	if (isa_cpuinfo(root, "flags", flags, sizeof(flags)) ||
		isa_cpuinfo(root, "Features", flags, sizeof(flags))) {
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (has(flags, wanted[i]))
				add(out, cap, wanted[i], strlen(wanted[i]));
		return 1;
	}
	if (!isa_cpuinfo(root, "isa", flags, sizeof(flags)))
		return 0;
	split_riscv(flags, out, cap);
	return 1;
}

/* AT_HWCAP and AT_HWCAP2; of RISC-V a letter is a bit. */
struct bit {
	unsigned long first, second;
	const char *word;
};

static const struct bit bits[] = {
#if defined(__aarch64__)
	{HWCAP_ASIMD, 0, "asimd"},
	{HWCAP_ASIMDHP, 0, "asimdhp"},
	{HWCAP_ASIMDRDM, 0, "asimdrdm"},
	{HWCAP_ASIMDDP, 0, "asimddp"},
	{HWCAP_ATOMICS, 0, "atomics"},
	{HWCAP_CRC32, 0, "crc32"},
	{0, HWCAP2_I8MM, "i8mm"},
	{0, HWCAP2_BF16, "bf16"},
	{HWCAP_SVE, 0, "sve"},
	{0, HWCAP2_SVE2, "sve2"},
#elif defined(__arm__)
	{HWCAP_ARM_VFP, 0, "vfp"},
	{HWCAP_ARM_NEON, 0, "neon"},
	{HWCAP_ARM_VFPv4, 0, "vfpv4"},
	{HWCAP_ARM_IDIVA, 0, "idiva"},
#elif defined(__riscv)
	{1ul << ('i' - 'a'), 0, "i"},
	{1ul << ('m' - 'a'), 0, "m"},
	{1ul << ('a' - 'a'), 0, "a"},
	{1ul << ('f' - 'a'), 0, "f"},
	{1ul << ('d' - 'a'), 0, "d"},
	{1ul << ('c' - 'a'), 0, "c"},
	{1ul << ('v' - 'a'), 0, "v"},
#endif
	{0, 0, NULL},
};

int isa_emulated_features(char *out, size_t cap)
{
	unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);

	out[0] = '\0';
	for (const struct bit *b = bits; b->word; b++)
		if (first & b->first || second & b->second)
			add(out, cap, b->word, strlen(b->word));
	return bits[0].word != NULL;
}

static int file_of(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ok = fd >= 0 && fstat(fd, st) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* An emulator answers for /proc/self/exe, lest programs find it there; the kernel still
 * tells by the thread's own name. */
int isa_is_emulated(void)
{
	struct stat told, real;

	return file_of("/proc/self/exe", &told) &&
	       file_of("/proc/thread-self/exe", &real) &&
	       (told.st_dev != real.st_dev || told.st_ino != real.st_ino);
}
