/* One writer a database: an flock on "<path>.lock", which the kernel frees when its
 * holder dies, however it dies. The file's text (pid, host) is only for the message.
 * Private to src/store.
 */
#ifndef HAWSER_STORE_LOCK_H
#define HAWSER_STORE_LOCK_H

#include "src/base/err.h"

/* ERR_BUSY names the holder. *fd is closed by lock_release. */
enum err lock_take(const char *path, int *fd, struct err_ctx *ctx);
void lock_release(int fd); /* -1 is allowed */

#endif
