#ifndef WG_KEYTABLE_H
#define WG_KEYTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/env.h"
#include "base/key.h"
#include "base/siphash.h"

/*
 * Peers by public key: open addressing, SipHash under a random key (an initiation chooses the key
 * it looks up). Grows by reservation only. One thread at a time changes it.
 */
struct peer;

struct keytable_slot {
	const struct key_public *key; /* stands in the peer; NULL: free */
	struct peer *peer;
};

struct keytable {
	struct keytable_slot *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
	struct siphash_key hash_key;
	const struct memory *memory;
};

void keytable_init(struct keytable *t, const struct memory *memory,
		   const struct siphash_key *hash_key);
void keytable_done(struct keytable *t);
/* Room for n peers in all, at a load of at most 3/4. False: nothing changed. */
MUST_CHECK bool keytable_reserve(struct keytable *t, size_t n);
/* The key must not be in it and must live as long as the entry. Asserts that there is room. */
void keytable_add(struct keytable *t, const struct key_public *key, struct peer *peer);
MUST_CHECK struct peer *keytable_find(const struct keytable *t, const struct key_public *key);
void keytable_remove(struct keytable *t,
		     const struct key_public *key); /* no-op where it is not there */

#endif
