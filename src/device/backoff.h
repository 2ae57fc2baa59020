#ifndef DEVICE_BACKOFF_H
#define DEVICE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

/*
 * How soon an engine that died is started again: at once, unless it keeps dying within
 * BACKOFF_QUICK of its start. From the fifth such death in a row on it waits 1, 2, 4 .. seconds, a
 * minute at most. It is never given up: the interface and its routes would go with the monitor, and
 * whoever can crash an engine again and again could have packets leave in clear. Pure.
 */
enum { BACKOFF_FREE = 5, BACKOFF_LAST = 11 };
#define BACKOFF_QUICK (10 * NS_PER_S)
#define BACKOFF_MAX (60 * NS_PER_S)

struct backoff {
	unsigned int quick; /* deaths in a row, up to BACKOFF_LAST; zero it to begin */
};

/* lived: ns since its start. How long to wait, ns. */
MUST_CHECK uint64_t backoff_died(struct backoff *b, uint64_t lived);

#endif
