/* For files of hot loops, included last: O3 with reductions that may be reordered, and HOT
 * functions compiled for several x86 levels, chosen when the program starts. The
 * Makefile's own level stays O2 and portable. */
#ifndef HAWSER_TRAIN_HOT_H
#define HAWSER_TRAIN_HOT_H

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
	!defined(__SANITIZE_ADDRESS__)
#define HOT                                                                              \
	__attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define HOT
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math", "no-signed-zeros", \
	"associative-math", "fp-contract=fast")
#endif

#endif
