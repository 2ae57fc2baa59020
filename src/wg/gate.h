#ifndef WG_GATE_H
#define WG_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/env.h"
#include "base/time.h"
#include "wg/cookie.h"
#include "wg/ratelimit.h"
#include "wg/reject.h"

/*
 * What stands before the core. A handshake message is well formed, names our public key (mac1) and,
 * under load, comes from who owns its address (mac2; paper 5.3), or it goes no further: it has cost
 * one BLAKE2s and a counter. From where a peer is known to be some pass without a cookie: those who
 * are connected feel a flood only if it comes in their name. A gate belongs to one thread, the one
 * that reads handshake messages and changes the configuration, and needs no lock: those who carry
 * packets do not feel a flood. What it dropped reaches the counters of the core once per batch
 * (handshake_fold).
 */
enum gate_verdict {
	GATE_DROP, /* and counted */
	GATE_ASK,  /* not shown to own its address: gate_reply, or gate_refuse for want of time */
	GATE_PASS, /* on to the core (handshake_admit) */
	GATE_PASS_VERIFIED, /* too, and before the others: the sender owns its address */
	GATE_PASS_KNOWN,    /* likewise: under load, from where a peer is known to be */
};

struct handshake_arrival {    /* a datagram of type 1, 2 or 3 */
	const uint8_t *bytes; /* borrowed for the call */
	size_t len;
	struct endpoint from;
	struct source to;
	size_t backlog; /* how many more wait behind it: under load from HANDSHAKE_UNDER_LOAD on */
	bool is_known;  /* a peer has spoken from there (wg/known.h) */
};

struct gate_tally {
	uint64_t count;
	struct endpoint from; /* the last */
};

struct gate {
	struct cookie_checker checker;
	struct ratelimit ratelimit;
	struct ratelimit known_limit; /* of its own: what others send in a peer's name is in it */
	uint64_t loaded_until;        /* boot time */
	size_t asked;                 /* since load was noted last */
	bool is_open;                 /* the device is up and has a key */
	uint64_t has_tally;           /* bits: reasons that wait to be folded */
	struct gate_tally tally[REJECT_REASONS];
};

MUST_CHECK bool gate_init(struct gate *g, const struct memory *memory, size_t ratelimit_sets,
			  const struct siphash_key *hash_key);
void gate_done(struct gate *g);

/* now: boot time, one reading per batch is enough. */
MUST_CHECK enum gate_verdict gate_check(struct gate *g, uint64_t now,
					const struct handshake_arrival *arrival);
/* Answer with a cookie what must show who it is. False: no random bytes; counted in both cases. */
MUST_CHECK bool gate_reply(struct gate *g, uint64_t now, const struct handshake_arrival *arrival,
			   const struct entropy *entropy, struct message_cookie *ret);
void gate_refuse(struct gate *g, const struct endpoint *from); /* no time or room for it; counted */

/*
 * Load holds for UNDER_LOAD_HOLD after its last sign: a backlog, or what the caller sees, or that
 * so many had to be asked for a cookie meanwhile that they would have been a backlog. So a flood
 * that goes on is not let in for a moment once a second.
 */
void gate_note_load(struct gate *g, uint64_t now);
bool gate_is_loaded(const struct gate *g, uint64_t now);

/* What was dropped since the last time goes to the device's counters. */
void gate_fold(struct gate *g, struct rejects *rejects, struct moment now);

#endif
