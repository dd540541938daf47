/* The runner of tests/fuzz for a single model that codegen_build links. */
#include "tests/fuzz/genome_runner/main.c"

const struct model models[] = {{0, &model_info, model_golden, &model_n_golden,
	&model_golden_tolerance, 0, model_run, model_reset}};
const uint32_t n_models = 1;
