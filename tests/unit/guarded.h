#ifndef GUARDED_H
#define GUARDED_H

#include <stddef.h>
#include <stdint.h>

/*
 * A place that ends right before a page nobody may touch: one byte too many kills the test, with or
 * without a sanitizer. `len` at most GUARDED_MAX; each call gives the same memory.
 */
enum { GUARDED_MAX = 4096 };

uint8_t *test_guarded(size_t len);

#endif
