/* The grammar of builtin:home, a smart-home assistant: what may be said, as static
 * tables.
 *
 * A text is words with
 *   (a|b|)       one of the alternatives, which may nest
 *   <class>      a production of a class, in place
 *   {slot}       the same, marked as slot `slot` of class `slot`
 *   {slot=class} a slot whose values come from another class
 *   *word        at the beginning of a value: no "the" before it ("emmas room")
 * A template belongs to one split. A slot's value belongs to one split as well, by the
 * hash of (class, value): so held-out splits use templates and values that train never
 * has, and test others than valid.
 */
#ifndef HAWSER_TRAIN_DATA_HOME_H
#define HAWSER_TRAIN_DATA_HOME_H

#include <stddef.h>

#include "src/train/dataset.h"

struct home_class {
	const char *name;
	const char *const *productions; /* NULL-terminated */
};

struct home_template {
	const char *intent;
	enum split split;
	const char *text; /* a leading '!' : no request, takes no politeness before it */
};

/* What people put around a request. */
struct home_wrapper {
	const char *text;
	unsigned splits; /* bit per split that uses it */
};

extern const struct home_class home_classes[]; /* ends with a NULL name */
/* Templates by topic, and in a topic grouped by intent; a NULL intent ends each. */
extern const struct home_template home_house[], home_day[];
extern const struct home_template *const home_topics[]; /* ends with NULL */
extern const struct home_wrapper home_openers[], home_requests[], home_closers[],
	home_fillers[]; /* each ends with a NULL text */

#endif
