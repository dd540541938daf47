/* A program of its own for the emulated board: runs one kernel RUNS times on random
 * numbers and ends QEMU by semihosting. tests/bench/mcu counts the instructions of two
 * runs less those of one. KERNEL: 8 or 4, a product of TOKENS by IN by OUT; 32, attention
 * of HEADS by HEAD; 31, the same with int8 products. */
#include <stdint.h>

#include "src/infer/kernels.h"

#define TOKENS 16
#define HEADS 4
#define HEAD 16
#define WIDTH (HEADS * HEAD)
#define CPACR (*(volatile uint32_t *)0xe000ed88)
#define STACK_TOP 0x20400000

static uint32_t seed = 1;

static int random_number(int limit)
{
	seed = seed * 1664525 + 1013904223;
	return (int)(seed >> 16) % (2 * limit + 1) - limit;
}

#if KERNEL <= 8
static int8_t x[TOKENS * IN] __attribute__((aligned(4)));
static int8_t w[OUT * IN] __attribute__((aligned(4)));
static uint16_t scales[OUT * (IN / KERNEL_GROUP + 1)];
static float bias[OUT], x_scale[TOKENS], y[TOKENS * OUT];

static void prepare(void)
{
	for (uint32_t i = 0; i < sizeof(x); i++)
		x[i] = (int8_t)random_number(127);
	for (uint32_t i = 0; i < sizeof(w); i++)
		w[i] = (int8_t)random_number(127);
}

static void run(void)
{
	const struct linear l = {IN, OUT, w, scales, bias, 1, 0, 0};

	(KERNEL == 8 ? linear_i8 : linear_i4)(&l, TOKENS, x, x_scale, 0, y);
}
#else
static float q[TOKENS * WIDTH], k[TOKENS * WIDTH], v[TOKENS * WIDTH], out[TOKENS * WIDTH];
static _Alignas(64) float row[4096];

static void prepare(void)
{
	for (uint32_t i = 0; i < TOKENS * WIDTH; i++) {
		q[i] = (float)random_number(1000) * 2e-3f;
		k[i] = (float)random_number(1000) * 2e-3f;
		v[i] = (float)random_number(1000) * 2e-3f;
	}
}

static void run(void)
{
	const struct attention a = {
		.n_heads = HEADS, .n_kv_heads = HEADS, .d_head = HEAD, .scale = 0.25f};
	const struct attention_data data = {
		.q = q, .k = k, .v = v, .row = row, .out = out};

	if (KERNEL == 32)
		attention(&a, TOKENS, 0, &data);
	else
		attention_dot8(&a, TOKENS, &data);
}
#endif

/* SYS_EXIT, all is well; what faults never comes here and runs into the time limit. */
static _Noreturn void end(void)
{
	register uint32_t what __asm("r0") = 0x18;
	register uint32_t why __asm("r1") = 0x20026;

	for (;;)
		__asm volatile("bkpt #0xab" : : "r"(what), "r"(why) : "memory");
}

void reset(void);
void reset(void)
{
	CPACR |= 0xfu << 20; /* the FPU */
	__asm volatile("dsb\n\tisb");
	seed = 1;
	prepare();
	for (volatile int i = 0; i < RUNS; i++)
		run();
	end();
}

extern const uintptr_t vectors[];
__attribute__((section(".vectors")))
const uintptr_t vectors[] = {STACK_TOP, (uintptr_t)reset};
