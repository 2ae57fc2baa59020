#ifndef DEVICE_LANES_H
#define DEVICE_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include <pthread.h>

#include "device/ring.h"
#include "device/stall.h"
#include "device/steer.h"
#include "wg/core.h"

/*
 * How handshake messages come to the brain: a doorman, a thread of its own at low priority, reads
 * the three lanes (udp.h) and, where the host has none, what the workers found. A turn takes a
 * bounded number from each, asks the gate (wg/gate.h), answers with cookies within a budget, in
 * batches, and keeps what passed until a helper has room for it: those who showed a cookie and
 * those who come from where a peer is known to be (steer.h) by turns, the others behind them.
 * No lane takes anything of another's: not its socket, its share of a turn, its cookies or its
 * place to wait (F-D4).
 *
 * The doorman never takes the core's lock: at its priority it might be long in giving it back to
 * those who carry packets, and it takes at most a part of a processor that others want. The gate
 * has a lock of its own, held for a batch; whoever changes the device's key or its being up takes
 * it first, then the core's (lanes_lock).
 *
 * The kernel knows of a link that comes up before the brain has heard of it: meanwhile messages
 * wait in the sockets, as who is refused comes again after 5 s only.
 *
 * Under load a message waits for the next look at the lanes, every LANES_PAUSE, so that a flood
 * costs no more wake-ups than that.
 */
struct device;

enum {
	WAITING_TYPE3,  /* cookies for us: no mac guards them, and they cost no Diffie-Hellman */
	WAITING_COOKIE, /* showed a cookie of ours */
	WAITING_KNOWN,  /* came from where a peer is known to be, under load */
	WAITING_PLAIN,
	WAITINGS
};

#define LANES_PAUSE NS_PER_MS
#define LANES_LATE (300 * NS_PER_MS / 1000) /* of a round: the processor is not free */
#define LANES_TELL (100 * NS_PER_MS)        /* so late may what was dropped be counted */
#define LANES_UP (2 * NS_PER_S)             /* so long may the brain take to hear */

enum {
	LANES_TURN = 256,    /* messages of each lane and family */
	LANES_COOKIES = 256, /* replies to the plain lane, and a third of it to each other */
	LANES_PART = 5,      /* of a processor that others want, this part is a flood's */
	LANES_TYPE3 = 64,
	LANES_PLAIN = 1024, /* load begins when half as many wait */
	LANES_KNOWN = 1024,
	LANES_COOKIE = 8192,  /* a helper does as many within the 5 s that a peer waits */
	LANES_FULL_TURNS = 8, /* in a row: a sign of load */
};

struct lanes_buffers;

struct lanes {
	struct ring waiting[WAITINGS];
	pthread_mutex_t lock; /* of the core's gate */
	pthread_t doorman;
	bool has_doorman;
	int knock; /* eventfd: the workers found something, or the end */
	_Atomic bool is_over;
	_Atomic bool tells; /* to the brain: count what was dropped */
	bool brings;        /* something passed since the brain was told */
	bool favours_known; /* the next that waits is one of them */
	unsigned int full_turns;
	int error; /* of a read in the last turn, or 0 */
	struct stall reading;
	struct stall waiting_for;
	struct steer steer;
	uint64_t read_at; /* boot time */
	uint64_t told_at;
	struct lanes_buffers *buffers;
};

/* 0 or negative errno. entropy is borrowed for as long as the lanes are. */
MUST_CHECK int lanes_init(struct lanes *l, const struct entropy *entropy);
void lanes_done(struct lanes *l);
MUST_CHECK int lanes_start(struct device *d);
void lanes_stop(struct device *d);

void lanes_lock(struct lanes *l); /* before the device's lock */
void lanes_unlock(struct lanes *l);
void lanes_knock(struct lanes *l); /* look at the ring. Any thread */
/* What the gate dropped is counted. Not under any lock. */
void lanes_fold(struct device *d, struct moment now);

/* The doorman's work: read what there is. True: there is more, look again soon. */
bool lanes_turn(struct lanes *l, struct device *d, struct moment now);
/* A message that passed the gate, in the order of the places to wait. False: none. */
MUST_CHECK bool lanes_take(struct lanes *l, struct ring_entry *ret);
MUST_CHECK bool lanes_take_type3(struct lanes *l, struct ring_entry *ret);

#endif
