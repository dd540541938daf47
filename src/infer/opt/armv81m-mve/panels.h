/* How this set's matrices lie, as its row in src/codegen/kernel_sets.c has it: the sixteen
 * int8, or the group of int4, of a column are a vector, four columns a panel. */
#ifndef HAWSER_INFER_OPT_ARMV81M_MVE_PANELS_H
#define HAWSER_INFER_OPT_ARMV81M_MVE_PANELS_H

#define PANEL_WIDTH 4
#define PANEL_ROUND 4
#define PANEL_ZERO 0
#define PANEL_NIBBLE_ZERO 0
#define PANEL_STEP_I8 16
#define PANEL_STEP_I4 32

#include "src/infer/opt/look_up.h"

#endif
