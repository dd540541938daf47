#include "src/model/task.h"

const char *const task_kind_names[N_TASK_KINDS] = {"classify", "intent-slots", "lm"};
