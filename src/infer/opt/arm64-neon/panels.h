/* How the matrices of the Arm sets lie, as their rows in src/codegen/kernel_sets.c have
 * it: what differs from arm64-neon comes as a definition from the row's flags.
 */
#ifndef HAWSER_INFER_OPT_ARM64_NEON_PANELS_H
#define HAWSER_INFER_OPT_ARM64_NEON_PANELS_H

#ifndef PANEL_WIDTH
#define PANEL_WIDTH 16
#endif
#define PANEL_ROUND 8
#define PANEL_ZERO 0
#define PANEL_NIBBLE_ZERO 0
#ifndef PANEL_STEP_I8
#define PANEL_STEP_I8 16
#define PANEL_STEP_I4 32
#endif

#include "src/infer/opt/look_up.h"

#endif
