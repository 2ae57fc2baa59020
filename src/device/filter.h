#ifndef DEVICE_FILTER_H
#define DEVICE_FILTER_H

#include <stddef.h>

#include "base/attr.h"

/*
 * The system calls of an engine after its set-up: an allow list for this process and its threads
 * to come; any other call kills the process. Wants no_new_privs. A build with a sanitizer has no
 * list (filter_sanitized.c): its run time calls what it likes.
 */
MUST_CHECK int filter_install(void); /* 0 or -errno */
size_t filter_size(void);            /* how many calls are allowed */

#endif
