#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

/*
 * The time as the caller sees it, passed to every function that needs it; nobody else reads a
 * clock. `boot` never jumps and counts suspended time: all ages and deadlines are in it. `real` is
 * the wall clock: only handshake stamps and what people read use it.
 */
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define TIME_NEVER UINT64_MAX

struct moment {
	uint64_t boot; /* ns since some start; never 0 */
	uint64_t real; /* ns since 1970 */
};

#endif
