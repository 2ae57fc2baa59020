#ifndef WG_SCHEDULE_H
#define WG_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/env.h"
#include "wg/message.h"

/*
 * Which peer is due next: a binary heap of peers by time, room for each taken when it is
 * configured. A peer whose timers moved later is left where it stands and looked at too early once:
 * nothing on the packet path sorts anything.
 */
struct peer;

/* Twice the peers: those of an old configuration may not have gone yet. */
enum { SCHEDULE_CHUNK = 1024, SCHEDULE_CHUNKS = 2 * PEERS_MAX / SCHEDULE_CHUNK };

/* In chunks: it grows by one without a copy, so nobody waits for that. */
struct schedule {
	struct peer **heap[SCHEDULE_CHUNKS];
	size_t used;
	size_t room;
	const struct memory *memory;
};

void schedule_init(struct schedule *s, const struct memory *memory);
void schedule_done(struct schedule *s);
/* Room for n peers in all; what was taken stays if there is no more. */
MUST_CHECK bool schedule_reserve(struct schedule *s, size_t n);

/* The peer is to be looked at no later than `due`. Does nothing where it stands earlier already. */
void schedule_by(struct schedule *s, struct peer *peer, uint64_t due);
void schedule_remove(struct schedule *s, struct peer *peer);
uint64_t schedule_first(const struct schedule *s); /* TIME_NEVER when empty */
/* Take out one peer whose time has come, or NULL. */
MUST_CHECK struct peer *schedule_take(struct schedule *s, uint64_t now);

#endif
