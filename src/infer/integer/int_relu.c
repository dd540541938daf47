#include "src/infer/integer/integer.h"

static const uint16_t delta[] = {0, 0};

const struct int_act int_relu = {delta, 0};
