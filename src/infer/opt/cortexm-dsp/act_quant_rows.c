#include "src/infer/opt/cortexm-dsp/gelu.h"
#include "src/infer/opt/cortexm-dsp/rows.h"

#define PIECE(r) "usat " r ", #7, " r "\n\t"
#define LOOK_UP(r, pair)                                                                 \
	"add " r ", %[table], " r ", lsl #3\n\t"                                         \
	"vldmia " r ", {" pair "}\n\t"
#define STEP(x, size, at)                                                                \
	"vabs.f32 " size ", " x "\n\t"                                                   \
	"vmul.f32 " at ", " size ", %[steps]\n\t"                                        \
	"vcvt.s32.f32 " at ", " at "\n\t"
#define PUT(x, size, at, slope, r)                                                       \
	"vfma.f32 " at ", " slope ", " size "\n\t"                                       \
	"vfma.f32 " at ", " x ", %[half]\n\t"                                            \
	"vmov " r ", " at "\n\t" LARGER(r)

static float gelu_piece(float x)
{
	float size = fmath_abs(x), at = size * GELU_STEPS;
	uint32_t i = at < GELU_PIECES - 1 ? (uint32_t)at : GELU_PIECES - 1;

	return x * 0.5f + (gelu_pieces[i][0] + gelu_pieces[i][1] * size);
}

/* In place; returns the largest magnitude. */
static float gelu_row(float *x, uint32_t d)
{
	float *end = x + d / 4 * 4;
	uint32_t m = 0;

	if (d >= 4)
		__asm volatile(
			"1:\n\t"
			"vldmia %[x], {s0-s3}\n\t" STEP("s0", "s4", "s8") STEP(
				"s1", "s5", "s9") STEP("s2", "s6", "s10") STEP("s3", "s7",
				"s11") "vmov r4, r5, s8, s9\n\t"
				       "vmov r6, r8, s10, s11\n\t" PIECE("r4") PIECE(
					       "r5") PIECE("r6") PIECE("r8") LOOK_UP("r4",
					       "s8-s9") LOOK_UP("r5",
					       "s10-s11") LOOK_UP("r6",
					       "s12-s13") LOOK_UP("r8",
					       "s14-s15") PUT("s0", "s4", "s8", "s9",
					       "r4") PUT("s1", "s5", "s10", "s11",
					       "r5") PUT("s2", "s6", "s12", "s13",
					       "r6") PUT("s3", "s7", "s14", "s15",
					       "r8") "stmia %[x]!, {r4-r6, r8}\n\t"
						     "cmp %[x], %[end]\n\t"
						     "bne 1b"
			: [x] "+r"(x), [m] "+r"(m)
			: [end] "r"(end), [table] "r"(gelu_pieces),
			[steps] "t"(GELU_STEPS), [half] "t"(0.5f)
			: "r4", "r5", "r6", "r8", "s0", "s1", "s2", "s3", "s4", "s5",
			"s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15",
			"cc", "memory");
	for (uint32_t i = 0; i < d % 4; i++) {
		x[i] = gelu_piece(x[i]);
		m = twice_bits(x[i]) > m ? twice_bits(x[i]) : m;
	}
	return from_twice_bits(m);
}

static float other_row(float *x, uint32_t d, uint8_t act)
{
	for (uint32_t i = 0; i < d; i++)
		x[i] = act == KERNEL_SILU ? x[i] * fmath_sigmoid(x[i])
		       : x[i] > 0	  ? x[i]
					  : 0;
	return row_largest(x, d);
}

void act_quant_rows(
	uint32_t n, uint32_t d, uint8_t act, float *x, int8_t *q, float *scale)
{
	for (uint32_t t = 0; t < n; t++, x += d, q += d) {
		float largest =
			act == KERNEL_GELU ? gelu_row(x, d) : other_row(x, d, act);

		quantise_row(x, d, inverse_of(largest), q);
		scale[t] = largest / 127;
	}
}
