#ifndef RELAY_LANE_H
#define RELAY_LANE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "impair.h"

/*
 * One direction of the relay: datagrams go in, and come out when and as the rules say. It has no
 * clock; whoever owns it says what time it is, so tests run it in no time. Not for several threads.
 *
 * What is held back for later datagrams does not wait for ever: after a second without one it goes.
 */
#define LANE_HOLD UINT64_C(1000000000)

struct datagram {
	uint64_t key;   /* the heap's order: a time, or a count */
	uint64_t order; /* of those with the same key */
	uint64_t due;
	size_t len;
	uint8_t tos;
	uint8_t data[];
};

struct heap {
	struct datagram **items;
	size_t count;
	size_t room;
};

struct lane_counts {
	uint64_t in;
	uint64_t out; /* copies too */
	uint64_t fates[IMPAIR_FATES];
	uint64_t reordered, duplicated, corrupted, truncated;
};

struct lane {
	struct impair impair;
	struct heap waiting; /* by when they are due */
	struct heap held;    /* by the count of datagrams that lets them go */
	uint64_t order;
	uint64_t last; /* when the last one came */
	struct lane_counts counts;
};

void lane_done(struct lane *lane);

/* Take a copy of a datagram of an IP packet that is header longer. IMPAIR_PASSED: it will leave. */
enum impair_fate lane_put(struct lane *lane, uint64_t now, const uint8_t *data, size_t len,
			  uint8_t tos, size_t header);

/* The next one to leave at this time, or NULL. The caller frees it. */
MUST_CHECK struct datagram *lane_take(struct lane *lane, uint64_t now);

/* When to ask again; UINT64_MAX: never, until something is put. */
uint64_t lane_next(const struct lane *lane);

#endif
