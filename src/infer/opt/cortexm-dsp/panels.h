/* How matrices lie for this set: row after row, of int8 and int4 a row's columns rounded up
 * to eight. To look_up.h that is a panel a row. */
#ifndef HAWSER_INFER_OPT_CORTEXM_DSP_PANELS_H
#define HAWSER_INFER_OPT_CORTEXM_DSP_PANELS_H

#define PANEL_WIDTH 1
#define PANEL_ROUND 1
#define PANEL_ZERO 0
#define PANEL_NIBBLE_ZERO 0
#define PANEL_STEP_I8 8
#define PANEL_STEP_I4 8

#include "src/infer/opt/look_up.h"

#endif
