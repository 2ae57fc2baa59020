#ifndef DEVICE_BACKOFF_H
#define DEVICE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

/*
 * How soon an engine that died is started again: at once, unless it keeps dying within
 * BACKOFF_QUICK of its start. From the fifth such death in a row on it waits 1, 2, 4 .. seconds,
 * and after BACKOFF_DEATHS of them it is not started any more. Pure.
 */
enum { BACKOFF_FREE = 5, BACKOFF_DEATHS = 10 };
#define BACKOFF_QUICK (10 * NS_PER_S)

struct backoff {
	unsigned int quick; /* deaths in a row; zero it to begin */
};

/* lived: ns since its start. False: no more. */
MUST_CHECK bool backoff_died(struct backoff *b, uint64_t lived, uint64_t *ret_pause);

#endif
