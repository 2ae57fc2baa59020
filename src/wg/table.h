#ifndef WG_TABLE_H
#define WG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/env.h"

/*
 * Receiver indices (paper 5.4.1-5.4.6, sender/receiver fields). An index is a keyed permutation of
 * (generation, slot): it finds its slot without a hash, and tells an observer nothing about peers
 * or their number (F-H7). Freed slots are reused oldest first, with a new generation, so that an
 * old index finds nothing for a long time. Index 0 is never given out. One thread at a time changes
 * it.
 */
struct peer;
struct session;

struct table_entry {
	struct peer *peer;       /* NULL: free */
	struct session *session; /* NULL: a handshake of ours that awaits its response */
};

struct table_slot;

enum { TABLE_SLOT_BITS = 23, TABLE_SLOTS_MAX = 1 << TABLE_SLOT_BITS };

/* 64 slots, and as many again each time it grows: nothing is copied, so nobody waits for that. */
enum { TABLE_CHUNKS = TABLE_SLOT_BITS - 6 + 1 };

struct table {
	struct table_slot *chunks[TABLE_CHUNKS];
	uint32_t size;
	uint32_t used;
	uint32_t fresh;      /* slots from here on were never used */
	uint32_t free_first; /* a queue threaded through the free slots */
	uint32_t free_last;
	uint16_t round_keys[22]; /* of the permutation: Speck32/64 (Beaulieu et al. 2013) */
	const struct memory *memory;
};

/* key: 8 random bytes */
void table_init(struct table *t, const struct memory *memory, const uint8_t key[static 8]);
void table_done(struct table *t);

/* Make room for at least `slots` slots in all. False: there may be more than before, but not that
 * many. */
MUST_CHECK bool table_reserve(struct table *t, size_t slots);

/* A new index for this entry, or 0 where the table is full. */
MUST_CHECK uint32_t table_add(struct table *t, struct peer *peer, struct session *session);
/*
 * The live entry of an index, or NULL. The caller may change its session. Valid until the next
 * change of the table.
 */
MUST_CHECK struct table_entry *table_find(const struct table *t, uint32_t index);
void table_remove(struct table *t, uint32_t index); /* no-op where it is not live */

/* The permutation itself, open to its published test vector. */
MUST_CHECK uint32_t table_permute(const struct table *t, uint32_t v);

#endif
