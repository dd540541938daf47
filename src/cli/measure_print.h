/* What `hawser measure` says of one network on one device, on standard output: for people, and
 * for programs. power_w: prints a modelled energy too; 0: none.
 */
#ifndef HAWSER_CLI_MEASURE_PRINT_H
#define HAWSER_CLI_MEASURE_PRINT_H

#include "src/eval/single.h"

void measure_text(const struct genome *g, const struct single_options *o,
	const struct single_result *r, double power_w);
enum err measure_json(const struct genome *g, const struct single_options *o,
	const struct single_result *r, double power_w, struct err_ctx *ctx);

#endif
