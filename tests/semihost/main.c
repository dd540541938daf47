/* The smallest harness on an emulated Cortex-M board, its input and output by semihosting. */
#include "tests/codegen_harness/main.c"
