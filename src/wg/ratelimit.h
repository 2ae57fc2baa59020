#ifndef WG_RATELIMIT_H
#define WG_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/env.h"
#include "base/siphash.h"

/*
 * Handshake messages per source under load (paper 5.3): 20 a second, a burst of 5, per IPv4 address
 * or IPv6 /64 (an attacker owns a whole /64: F-D9). The table never grows: sets of eight entries,
 * chosen by a keyed hash; an entry idle for a second is reused; in a set full of busy ones the
 * packet is refused, as in the kernel driver.
 */
enum { RATELIMIT_PER_SECOND = 20, RATELIMIT_BURST = 5, RATELIMIT_WAYS = 8 };

struct ratelimit_entry {
	uint64_t net;    /* the /32 or /64, mixed with the family */
	uint64_t last;   /* boot time of the last refill; 0: free */
	uint64_t tokens; /* ns of credit, at most RATELIMIT_BURST / RATELIMIT_PER_SECOND seconds */
};

struct ratelimit {
	struct ratelimit_entry *entries; /* sets * RATELIMIT_WAYS */
	size_t sets;                     /* a power of two */
	struct siphash_key hash_key;
	const struct memory *memory;
};

MUST_CHECK bool ratelimit_init(struct ratelimit *r, const struct memory *memory, size_t sets,
			       const struct siphash_key *hash_key);
void ratelimit_done(struct ratelimit *r);
/* Take one packet's worth from the source's bucket. now: boot time in ns */
MUST_CHECK bool ratelimit_allow(struct ratelimit *r, const struct ip *src, uint64_t now);

#endif
