#ifndef CLI_RUN_FILE_H
#define CLI_RUN_FILE_H

#include "base/attr.h"
#include "base/buffer.h"
#include "net/journal.h"

/*
 * Files beside a tunnel's journal, /run/warren/NAME.END, 0600 and root's: they hold keys, and mean
 * nothing without the journal. All are of the one who holds its lock.
 */
#define RUN_FILE_SYNC ".sync"       /* how it was before a sync that is under way */
#define RUN_FILE_CONFIRM ".confirm" /* where a sync hears that it may stay */
#define RUN_FILE_BASE ".conf"       /* what the file said when it became what runs */

/* Whole or not at all. 0 or negative errno. */
MUST_CHECK int run_file_write(const struct journal *j, const char *end, const struct buffer *b);
/* Appends to b. -ENOENT: there is none; -EPERM: somebody else may have written it. */
MUST_CHECK int run_file_read(const struct journal *j, const char *end, struct buffer *b);
void run_file_remove(const struct journal *j, const char *end);
/* All of them: the tunnel is gone. */
void run_file_remove_all(const struct journal *j);

#endif
