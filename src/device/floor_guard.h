#ifndef DEVICE_FLOOR_GUARD_H
#define DEVICE_FLOOR_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

/*
 * Which stamp floors the monitor keeps for an engine. One that is not itself any more could ask for
 * a floor in the year 2262, and the key would be of no use from then on. What an honest engine asks
 * for is a little ahead of the clock (wg/stamp.h); where the clock has gone back it is a little
 * above the floor that is kept, and seldom. Pure.
 */
#define FLOOR_GUARD_AHEAD (60 * NS_PER_S) /* of the clock */
#define FLOOR_GUARD_STEP (2 * NS_PER_S)   /* above what is kept, */
#define FLOOR_GUARD_PAUSE (1 * NS_PER_S)  /* so often */

struct floor_guard {
	uint64_t stepped_at; /* boot time; zero it to begin */
};

MUST_CHECK bool floor_guard_allows(struct floor_guard *g, uint64_t floor, uint64_t kept,
				   struct moment now);

#endif
