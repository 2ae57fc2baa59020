#ifndef DEVICE_CHANGE_H
#define DEVICE_CHANGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"
#include "model/model.h"
#include "wg/core.h"

/*
 * The peers of a patch, put into a core while others carry packets (wg/core.h says what they may
 * see). A short change is made where it stands, in one hold of the lock. A long one is made aside:
 * packets go by the old ownership of addresses until the new one is whole, and the lock is held for
 * one peer, for the exchange, and for a few removed peers at a time. Brain's thread, not under the
 * lock.
 *
 * A patch that replaces all peers keeps those it names again: their sessions, their counters and,
 * where it says nothing of it, the endpoint they were last heard from. To the kernel driver they
 * are new; there a reload cuts everybody off until the next handshake.
 */
struct change {
	struct core *core;
	pthread_mutex_t *lock;
	const struct model *patch;
	bool is_aside;
	uint64_t held;    /* since: ns of CLOCK_MONOTONIC */
	uint64_t longest; /* the longest that the lock was held, ns */
};

/* All memory that it takes. False: none; nothing changed. */
MUST_CHECK bool change_reserve(struct change *ch, struct core *core, pthread_mutex_t *lock,
			       const struct model *patch);
void change_release(struct change *ch); /* it will not be made */
void change_apply(struct change *ch, struct moment now);

/* Several peers at a time, while others want the lock. */
void change_identity(struct change *ch, struct moment now, const struct noise_local *local,
		     uint64_t floor);
void change_sources(struct change *ch);

#endif
