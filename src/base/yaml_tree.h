/* The tree behind yaml.h: built by yaml_parse.c from libfyaml's events, read by yaml.c.
 *
 * Private to src/base. Aliases are resolved by sharing the node, so a document never
 * grows when it is resolved. Every node is in the document's list and freed from it.
 */
#ifndef HAWSER_BASE_YAML_TREE_H
#define HAWSER_BASE_YAML_TREE_H

#include "src/base/yaml.h"

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 64
#define YAML_MAX_KEYS 4096 /* per mapping: finding duplicates is quadratic */
#define YAML_MAX_ANCHORS 1024

struct yaml_node {
	enum yaml_kind kind;
	int line, col; /* 1-based */
	int quoted;    /* a scalar in quotes or a block scalar: never "no value" */
	int open;      /* still being read: an alias to it would be a cycle */
	char *text;    /* scalar: NUL-terminated, no NUL inside */
	char *anchor;  /* or NULL */
	size_t n, cap;
	struct yaml_node **item;       /* sequence: items; mapping: values */
	struct yaml_node **key;	       /* mapping: scalars */
	struct yaml_node *next;	       /* all nodes of the document, latest first */
	struct yaml_node *next_anchor; /* those with an anchor, latest first */
};

struct yaml_doc {
	char *name;
	struct yaml_node *root;
	struct yaml_node *nodes;
	struct yaml_node *anchors;
	size_t n_anchors;
};

#endif
