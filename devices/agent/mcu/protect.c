#include "devices/agent/mcu/protect.h"

#include "devices/agent/mcu/registers.h"
#include "devices/agent/mcu/store.h"

#define ON 1u
#define KEEP_DEFAULT_FOR_AGENT 4u

#if __ARM_ARCH >= 8
/* Regions must not overlap: the guard is what lies between two of them. */
#define ANY_WRITES (1u << 1)
#define ANY_READS (3u << 1)

static void region(uint32_t number, uint32_t base, uint32_t end, uint32_t access)
{
	MPU_RNR = number;
	MPU_RBAR = base | access;
	MPU_RLAR = ((end - 1) & ~31u) | ON;
}

static void set_regions(uint32_t guard)
{
	uint32_t end = BOARD_WINDOW_BASE + BOARD_WINDOW_BYTES;

	MPU_MAIR0 = 0xff; /* normal memory, as caches like it */
	region(0, BOARD_WINDOW_BASE, guard, ANY_WRITES);
	region(1, guard + STORE_GUARD_BYTES, end, ANY_WRITES);
	region(2, BOARD_CODE_BASE, BOARD_CODE_BASE + BOARD_CODE_BYTES, ANY_READS);
}
#else
/* Sizes are powers of two, and of two regions the higher number counts. A window of
 * another size lies in a region of which some eighths are left out. */
#define ALL 3u		       /* read and write, both */
#define READ 6u		       /* read only, both */
#define AGENT_ONLY (1u | 0x10) /* nothing executed */
#define SIZE(bytes) ((uint32_t)__builtin_ctz(bytes) - 1) << 1
#ifndef BOARD_REGION_BASE
#define BOARD_REGION_BASE BOARD_WINDOW_BASE
#define BOARD_REGION_BYTES BOARD_WINDOW_BYTES
#define BOARD_REGION_WITHOUT 0u /* a bit for each eighth */
#endif

#define NUMBER(n) (0x10u | (n)) /* of the region, in RBAR */
#define RASR(access, size) ((access) << 24 | 1u << 17 | (size) | ON)

static void set_regions(uint32_t guard)
{
	/* RBAR, RASR and two aliases of both; in this order one base register does. */
	volatile uint32_t *mpu = &MPU_RBAR;

	mpu[0] = BOARD_REGION_BASE | NUMBER(0);
	mpu[1] = RASR(ALL, SIZE(BOARD_REGION_BYTES) | BOARD_REGION_WITHOUT << 8);
	/* Without this the drop of privilege faults itself. */
	mpu[2] = BOARD_CODE_BASE | NUMBER(1);
	mpu[3] = RASR(READ, SIZE(BOARD_CODE_BYTES));
	mpu[4] = guard | NUMBER(2);
	mpu[5] = RASR(AGENT_ONLY, SIZE(STORE_GUARD_BYTES));
}
#endif

void protect_payload(uint32_t guard)
{
	MPU_CTRL = 0;
	set_regions(guard);
	MPU_CTRL = ON | KEEP_DEFAULT_FOR_AGENT;
	__asm volatile("dsb\n isb" ::: "memory");
}
