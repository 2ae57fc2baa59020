#ifndef BASE_WRITE_ALL_H
#define BASE_WRITE_ALL_H

#include <stddef.h>

#include "base/attr.h"

/* All of it to a file, however many calls it takes; signals are waited out. 0 or a negative errno,
 * and then a part of it may be there. */
MUST_CHECK int write_all(int fd, const void *bytes, size_t len);

#endif
