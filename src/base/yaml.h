/* Typed access to a YAML document, parsed by libfyaml. Every error names file, line and
 * column: "spaces/x.yaml:7:3: unknown key 'd_modle' (did you mean 'd_model'?)".
 *
 * Nodes are borrowed from the document and live as long as it does.
 */
#ifndef HAWSER_BASE_YAML_H
#define HAWSER_BASE_YAML_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"

struct yaml_doc;
struct yaml_node; /* opaque: a mapping, sequence or scalar */

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

/* Parses a file, at most 1 MiB; `name` is what errors call it. */
enum err yaml_open(struct yaml_doc **out, const char *path, struct err_ctx *ctx);
enum err yaml_parse(
	struct yaml_doc **out, const char *text, const char *name, struct err_ctx *ctx);
void yaml_close(struct yaml_doc *doc); /* NULL is allowed */
const struct yaml_node *yaml_root(const struct yaml_doc *doc);

enum yaml_kind yaml_kind(const struct yaml_node *n);
/* Number of items of a sequence or pairs of a mapping; 0 for a scalar. */
size_t yaml_count(const struct yaml_node *n);
const struct yaml_node *yaml_item(const struct yaml_node *n, size_t i);
/* Key text (NUL-terminated) and value of a mapping's i-th pair. */
const char *yaml_key(const struct yaml_node *n, size_t i);
const struct yaml_node *yaml_value(const struct yaml_node *n, size_t i);
/* The value of a key; NULL when absent. */
const struct yaml_node *yaml_get(const struct yaml_node *n, const char *key);

/* An error at a node: fills file, line and column in. */
enum err yaml_err(const struct yaml_doc *doc, const struct yaml_node *n, enum err code,
	struct err_ctx *ctx, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* ERR_INVALID at the first key of mapping `n` not in the NULL-terminated list, with the
 * nearest known key as a hint. Also fails when `n` is not a mapping. */
enum err yaml_check_keys(const struct yaml_doc *doc, const struct yaml_node *n,
	const char *const *known, struct err_ctx *ctx);
/* ERR_INVALID with a "missing key" message when absent. */
enum err yaml_require(const struct yaml_doc *doc, const struct yaml_node *n,
	const char *key, const struct yaml_node **out, struct err_ctx *ctx);

/* Scalars. Numbers must be finite, complete and in [lo, hi]. Strings are borrowed. */
enum err yaml_str(const struct yaml_doc *doc, const struct yaml_node *n, const char **out,
	struct err_ctx *ctx);
enum err yaml_int(const struct yaml_doc *doc, const struct yaml_node *n, int64_t lo,
	int64_t hi, int64_t *out, struct err_ctx *ctx);
enum err yaml_double(const struct yaml_doc *doc, const struct yaml_node *n, double lo,
	double hi, double *out, struct err_ctx *ctx);

#endif
