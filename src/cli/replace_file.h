#ifndef CLI_REPLACE_FILE_H
#define CLI_REPLACE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * A file's new bytes in the place of its old ones: whole or not at all, also when the power fails.
 * They are written to a new file beside it (never through a link), synced, given the old owner,
 * access list and at most the old mode, and renamed. A path that is a link is followed first, so
 * that the link stays. What a killed one left beside it is removed in passing.
 */

/* -ESTALE: the file no longer has the old bytes. Private: mode 0600. 0 or negative errno; after a
 * failure the file is as it was. */
MUST_CHECK int replace_file(const char *path, const char *old, size_t old_len, const char *bytes,
			    size_t len, bool private);
/* Only the mode: 0600. */
MUST_CHECK int replace_mode(const char *path);

#endif
