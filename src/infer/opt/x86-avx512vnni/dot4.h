/* Any four bytes of a row by vectors of weights: what the products' tiles are made of. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_DOT4_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_DOT4_H

#include "src/infer/opt/x86-avx512vnni/vector.h"

struct __attribute__((packed, may_alias)) four {
	int32_t v;
};

/* sum[v] += w[v] (unsigned) . x (signed). The instructions are written out because gcc 12
 * moves accumulators through the stack around the intrinsic. */
ALWAYS_INLINE void dot4(__m512i *sum, const __m512i *w, const void *x, const int V)
{
	const struct four *four = x;
	__m512i xv;

	if (V == 3)
		__asm__("vpbroadcastd %4, %3\n\tvpdpbusd %3, %5, %0\n\t"
			"vpdpbusd %3, %6, %1\n\tvpdpbusd %3, %7, %2"
			: "+v"(sum[0]), "+v"(sum[1]), "+v"(sum[2]), "=&v"(xv)
			: "m"(*four), "v"(w[0]), "v"(w[1]), "v"(w[2]));
	else if (V == 2)
		__asm__("vpbroadcastd %3, %2\n\tvpdpbusd %2, %4, %0\n\t"
			"vpdpbusd %2, %5, %1"
			: "+v"(sum[0]), "+v"(sum[1]), "=&v"(xv)
			: "m"(*four), "v"(w[0]), "v"(w[1]));
	else
		__asm__("vpbroadcastd %2, %1\n\tvpdpbusd %1, %3, %0"
			: "+v"(sum[0]), "=&v"(xv)
			: "m"(*four), "v"(w[0]));
}

#endif
