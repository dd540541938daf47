#include "src/infer/opt/x86-avxvnni/dot.h"

ALWAYS_INLINE __m256i group_sums(__m256i sum)
{
	return sum;
}

#include "src/infer/opt/x86-avx2/linear_i4.h"
