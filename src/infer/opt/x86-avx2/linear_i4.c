/* Pairs of vpmaddubsw are at most 2 * 15 * 127, so a group of 32 columns adds up in sixteen
 * bits. */
#include "src/infer/opt/x86-avx2/vector.h"

/* sum[v] += w[v] . x in pairs; written out so that sums stay in registers. */
ALWAYS_INLINE void dot4(__m256i *sum, const __m256i *w, const int8_t *x, const int V)
{
	__m256i xv = four_bytes(x), pairs;

	if (V == 2)
		__asm__("vpmaddubsw %[x], %[w0], %[p]\n\tvpaddw %[p], %[s0], %[s0]\n\t"
			"vpmaddubsw %[x], %[w1], %[x]\n\tvpaddw %[x], %[s1], %[s1]"
			: [s0] "+x"(sum[0]), [s1] "+x"(sum[1]), [p] "=&x"(pairs),
			[x] "+x"(xv)
			: [w0] "x"(w[0]), [w1] "x"(w[1]));
	else
		__asm__("vpmaddubsw %[x], %[w0], %[x]\n\tvpaddw %[x], %[s0], %[s0]"
			: [s0] "+x"(sum[0]), [x] "+x"(xv)
			: [w0] "x"(w[0]));
}

ALWAYS_INLINE __m256i group_sums(__m256i sum)
{
	return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
}

#include "src/infer/opt/x86-avx2/linear_i4.h"
