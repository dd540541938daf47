/* For files of hot loops, included last: O3 with reductions that may be reordered, and HOT
 * functions compiled for several x86 levels, chosen when the program starts. The
 * Makefile's own level stays O2 and portable. */
#ifndef HAWSER_TRAIN_HOT_H
#define HAWSER_TRAIN_HOT_H

#include "src/train/clones.h"

#define HOT CLONES

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math", "no-signed-zeros", \
	"associative-math", "fp-contract=fast")
#endif

#endif
