#ifndef CLI_DESCENT_H
#define CLI_DESCENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

/* Is it our parent, or one of its parents? What cannot be known is not so. */
MUST_CHECK bool descends_from(pid_t process);

#endif
