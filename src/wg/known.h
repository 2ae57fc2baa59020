#ifndef WG_KNOWN_H
#define WG_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/siphash.h"
#include "base/time.h"

/*
 * Where peers are known to be: the sources (wg/net.h) that handshakes of ours went to in the last
 * hours. Who floods under made up addresses does not know them, so under load what comes from there
 * goes first. It proves nothing, and whoever asks gives it no more than a place in a queue.
 *
 * The table never grows, and nothing that is not authentic gets into it: sets of eight places,
 * chosen by a keyed hash; in a full set the one not heard of for longest goes. No lock of its own.
 */
enum { KNOWN_WAYS = 8 };
#define KNOWN_AGE (3 * 3600 * NS_PER_S)

struct known_place {
	uint64_t net;
	uint64_t seen; /* boot time; 0: free */
};

struct known {
	struct known_place *places; /* sets * KNOWN_WAYS, the caller's, zeroed */
	size_t sets;                /* a power of two */
	struct siphash_key key;
};

void known_init(struct known *k, struct known_place *places, size_t sets,
		const struct siphash_key *key);
/* True: it was not known. now: boot time, never 0 */
bool known_note(struct known *k, const struct ip *at, uint64_t now);
MUST_CHECK bool known_has(const struct known *k, const struct ip *at, uint64_t now);
/* Those that are known now, in no order: start with NULL; NULL at the end. */
const struct known_place *known_next(const struct known *k, const struct known_place *at,
				     uint64_t now);

#endif
