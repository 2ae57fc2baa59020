#ifndef CLI_CHECK_FIX_H
#define CLI_CHECK_FIX_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/check_run.h"

/*
 * What `check --fix` does: the edits of findings that have exactly one safe answer. They are shown
 * as a diff (with secrets masked), asked about, and then written: each file whole or not at all,
 * never to be read by more people than before.
 */
enum fix_result { FIX_NOTHING, FIX_DONE, FIX_REFUSED, FIX_FAILED };

/* `yes`: do not ask. What fails is told of on standard error. */
enum fix_result check_fix(const struct check_run *r, bool yes);

#endif
