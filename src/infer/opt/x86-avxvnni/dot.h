/* vpdpbusd of 256 bits: sum[v] += w[v] . x, unsigned bytes of w by the four signed ones at
 * x. Written out because gcc 12 moves accumulators through the stack around the
 * intrinsic. Compiled for AVX-512VL instead of AVX-VNNI it is the same instruction in that
 * encoding: so it is tested where only that is to be had.
 */
#ifndef HAWSER_INFER_OPT_X86_AVXVNNI_DOT_H
#define HAWSER_INFER_OPT_X86_AVXVNNI_DOT_H

#include "src/infer/opt/x86-avx2/vector.h"

#if defined(__AVXVNNI__)
#define DOT "%{vex%} vpdpbusd "
#else
#define DOT "vpdpbusd "
#endif

ALWAYS_INLINE void dot4(__m256i *sum, const __m256i *w, const void *x, const int V)
{
	__m256i xv = four_bytes(x);

	__asm__(DOT "%2, %1, %0" : "+x"(sum[0]) : "x"(w[0]), "x"(xv));
	if (V == 2)
		__asm__(DOT "%2, %1, %0" : "+x"(sum[1]) : "x"(w[1]), "x"(xv));
}

#endif
