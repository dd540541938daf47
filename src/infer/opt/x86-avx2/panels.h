/* How this set's matrices lie, as its row in src/codegen/kernel_sets.c has it. */
#ifndef HAWSER_INFER_OPT_X86_AVX2_PANELS_H
#define HAWSER_INFER_OPT_X86_AVX2_PANELS_H

#define PANEL_WIDTH 16
#define PANEL_ROUND 8
#define PANEL_ZERO 0 /* added to int8 */

#include "src/infer/opt/look_up.h"

#endif
