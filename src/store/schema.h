/* The tables, and how an older database becomes a newer one. Private to src/store and its
 * tests.
 *
 * PRAGMA application_id says that a file is ours, PRAGMA user_version which schema it
 * has. Steps run in order, all in one transaction; a published step is never
 * changed, a new one is appended.
 */
#ifndef HAWSER_STORE_SCHEMA_H
#define HAWSER_STORE_SCHEMA_H

#include "src/store/store.h"

#define STORE_APPLICATION_ID 0x48575352 /* "HWSR" */

/* steps[i] makes version i + 1 of version i. */
struct schema {
	const char *const *steps;
	int n_steps;
};
extern const struct schema store_schema;

/* Brings the database, open for writing, to the newest version; version 0 is empty. */
enum err schema_migrate(
	struct store *s, const struct schema *schema, int version, struct err_ctx *ctx);
/* store_open with another schema: how the tests see a migration. */
enum err store_open_schema(struct store **out, const char *path, enum store_mode mode,
	const struct schema *schema, struct err_ctx *ctx);

#endif
