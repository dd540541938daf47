/* Registers that every Armv7-M and Armv8-M core has at the same place. */
#ifndef HAWSER_DEVICES_AGENT_MCU_REGISTERS_H
#define HAWSER_DEVICES_AGENT_MCU_REGISTERS_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define SYST_CSR REG(0xE000E010u)
#define SYST_RVR REG(0xE000E014u)
#define SYST_CVR REG(0xE000E018u)
#define SCB_CPUID REG(0xE000ED00u)
#define SCB_ICSR REG(0xE000ED04u)
#define SCB_VTOR REG(0xE000ED08u)
#define SCB_AIRCR REG(0xE000ED0Cu)
#define SCB_CFSR REG(0xE000ED28u)
#define SCB_HFSR REG(0xE000ED2Cu)
#define SCB_MMFAR REG(0xE000ED34u)
#define SCB_BFAR REG(0xE000ED38u)
#define SCB_CPACR REG(0xE000ED88u)
#define MPU_TYPE REG(0xE000ED90u)
#define MPU_CTRL REG(0xE000ED94u)
#define MPU_RNR REG(0xE000ED98u)
#define MPU_RBAR REG(0xE000ED9Cu)
#define MPU_RASR REG(0xE000EDA0u) /* v7-M */
#define MPU_RLAR REG(0xE000EDA0u) /* v8-M */
#define MPU_MAIR0 REG(0xE000EDC0u)
#define SCB_DEMCR REG(0xE000EDFCu)
#define FPU_FPCCR REG(0xE000EF34u)
#define FPU_MVFR0 REG(0xE000EF40u)
#define FPU_MVFR1 REG(0xE000EF44u)
#define DWT_CTRL REG(0xE0001000u)
#define DWT_CYCCNT REG(0xE0001004u)

#endif
