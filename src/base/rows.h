#ifndef BASE_ROWS_H
#define BASE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * Room for one more row in a growing array of `count` rows of `size` bytes, which has room for
 * *room. Not for secrets: the old place of rows that move is not wiped. False: out of memory;
 * nothing has changed.
 */
MUST_CHECK bool rows_grow(void **rows, size_t size, size_t count, size_t *room);

#endif
