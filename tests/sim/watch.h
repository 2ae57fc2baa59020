#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/time.h"
#include "wg/core_private.h"

/*
 * What must hold for every core at every moment, whoever drives it. The watch is the core's memory
 * and random bytes, so that it can look for keys where none may be. A violation prints the seed and
 * aborts. Used by the simulator and by the fuzzers.
 */
#define WATCH(cond) ((cond) ? (void)0 : watch_fail(__FILE__, __LINE__, #cond))
_Noreturn void watch_fail(const char *file, int line, const char *text);
/* Printed by any abort from now on, also by an assert of the core. */
void watch_set_seed(uint64_t seed);

/* SplitMix64 */
uint64_t watch_random(uint64_t *state);
uint64_t watch_below(uint64_t *state, uint64_t n); /* 0 where n is 0 */
void watch_random_fill(uint64_t *state, void *ret, size_t len);

/* Every transport key of a whole world, for ever: who has installed it, and how far it was used. */
struct ledger_key {
	uint64_t id[2]; /* the key's first bytes */
	uint64_t next;  /* lowest counter not used yet */
	bool is_sent_with;
	bool is_received_with;
};

struct ledger {
	struct ledger_key *keys;
	size_t size; /* a power of two */
	size_t used;
};

void ledger_done(struct ledger *l);

enum { WATCH_SESSIONS = 3 * 64 };

struct watch_session {
	struct noise_keys keys;
	const struct peer *peer;
	uint64_t born;
	uint64_t send_next;
	uint64_t replay_next;
	uint32_t local_index;
	bool is_seen;
};

struct watch_block;

struct watch {
	struct memory memory;
	struct entropy entropy;
	struct watch_block *blocks;
	size_t block_count;
	uint64_t random;
	unsigned int fail_memory; /* of 1000 */
	unsigned int fail_entropy;
	struct ledger *ledger;
	struct core *core;
	struct watch_session sessions[WATCH_SESSIONS]; /* that live */
	size_t session_count;
};

void watch_init(struct watch *w, struct ledger *ledger, uint64_t seed);
/* The core was freed: nothing is left of its memory. */
void watch_done(struct watch *w);

/* After each call that may change the core. */
void watch_check(struct watch *w, struct moment now);
/* n packets are about to be sealed. */
void watch_sending(struct watch *w, const struct sending *s, uint64_t n);
/* The core has accepted a packet of this index just now, to be delivered. */
void watch_accepted(const struct watch *w, const struct opening *o, struct moment now);
/* Idle for long: no key, no timer, nothing that waits. */
void watch_is_at_rest(const struct watch *w);

#endif
