/* How this set's matrices lie, as its row in src/codegen/kernel_sets.c has it. */
#ifndef HAWSER_INFER_OPT_X86_AVX512VNNI_PANELS_H
#define HAWSER_INFER_OPT_X86_AVX512VNNI_PANELS_H

#define PANEL_WIDTH 48
#define PANEL_ROUND 16
#define PANEL_ZERO 128 /* added to int8 */

#include "src/infer/opt/look_up.h"

#endif
