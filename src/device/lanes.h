#ifndef DEVICE_LANES_H
#define DEVICE_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "device/ring.h"
#include "wg/core.h"

/*
 * How handshake messages come to the brain: from the two lanes (udp.h) and, where the host has
 * none, from the workers' ring. A turn reads a bounded number from each, asks the gate (wg/gate.h)
 * without the core's lock, answers with cookies within a budget, in batches, and keeps what passed
 * until a helper has room for it, those who showed a cookie first. Neither lane takes anything of
 * the other's: not its socket, its share of a turn, its cookies or its place to wait (F-D4). The
 * brain's thread only.
 *
 * Under load a message waits for the next look at the lanes, every LANES_PAUSE, so that a flood
 * costs the workers no more wake-ups than that.
 */
struct device;

enum { LANE_PLAIN, LANE_COOKIE, LANES };

#define LANES_PAUSE NS_PER_MS

enum {
	LANES_TURN = 256,            /* messages of each lane and family */
	LANES_COOKIES = 96,          /* replies to the plain lane, and a third of it to the other */
	LANES_TYPE3 = 64,            /* cookies for us: each takes the core's lock for a moment */
	LANES_WAITING = 1024,        /* of the plain lane: load begins at half of it */
	LANES_WAITING_COOKIE = 8192, /* of the other: within 5 s a helper does as many */
	LANES_FULL_TURNS = 8,        /* in a row: a sign of load */
};

struct lanes_buffers;

struct lanes {
	struct ring waiting[LANES];
	unsigned int full_turns;
	uint64_t read_at; /* boot time */
	struct lanes_buffers *buffers;
};

MUST_CHECK int lanes_init(struct lanes *l); /* 0 or -ENOMEM */
void lanes_done(struct lanes *l);
/* Read what there is. True: there is more, look again soon. */
bool lanes_turn(struct lanes *l, struct device *d, struct moment now);
/* The next message that is worth a Diffie-Hellman. False: none. */
MUST_CHECK bool lanes_take(struct lanes *l, struct ring_entry *ret);

#endif
