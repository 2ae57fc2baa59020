#ifndef WG_ALLOWEDIPS_H
#define WG_ALLOWEDIPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/env.h"
#include "base/list.h"
#include "base/prefix.h"

/*
 * Which peer owns an inner address: cryptokey routing (paper 2) by longest prefix, in two
 * path-compressed binary tries with shortcuts (wg/shortcut.h). A prefix has one owner; inserting it
 * again moves it. Each owner lists its prefixes in the order they came. No recursion; depth is at
 * most 33 or 129 nodes. Memory is taken by allowedips_reserve only, so that a change that was
 * reserved for cannot fail halfway.
 *
 * Threads: one changes it, the brain. Look-ups by others may not run during a change. A long change
 * is made in a copy, which takes the place of the old one in O(1): what look-ups read of the old
 * one (child, key, owner) is not touched before it is done with. Lists of owners and spare nodes
 * are of no interest to look-ups; the brain changes them as it likes.
 */
struct allowed_node;

struct allowed_owner {        /* embedded in the peer */
	struct list prefixes; /* of allowed_node.of_owner, oldest first */
	size_t count;
};

struct allowedips {
	struct allowed_node *root[2]; /* IPv4, IPv6 */
	struct allowed_node *spare;   /* reserved and not yet used */
	size_t spares;
	size_t prefixes; /* owned prefixes in both tries */
	size_t edits;    /* since its shortcuts were built */
	const struct memory *memory;
};

void allowedips_init(struct allowedips *t, const struct memory *memory);
void allowedips_done(
	struct allowedips *t); /* all owners have been removed or are forgotten with it */
void allowedips_owner_init(struct allowed_owner *o);

/*
 * Take memory so that the next `inserts` calls of allowedips_insert can't fail. False: nothing
 * changed.
 */
MUST_CHECK bool allowedips_reserve(struct allowedips *t, size_t inserts);
void allowedips_release(struct allowedips *t); /* give back what was reserved and not used */

/* Host bits of p are ignored. Asserts that there was a reservation. */
void allowedips_insert(struct allowedips *t, const struct prefix *p, struct allowed_owner *owner);
/* False where the prefix is not there or is another's. */
bool allowedips_remove(struct allowedips *t, const struct prefix *p, struct allowed_owner *owner);
void allowedips_remove_owner(struct allowedips *t, struct allowed_owner *owner);

/*
 * Into an empty trie with a reservation for all that from has. The owners list what the copy has,
 * in the same order; from is good for look-ups only, then for allowedips_done.
 */
void allowedips_copy(struct allowedips *t, const struct allowedips *from);
/* The shortcuts of a trie that has none, as far as there is memory for them. */
void allowedips_build(struct allowedips *t);
/* So much has changed since that a copy with new shortcuts pays. */
bool allowedips_is_worn(const struct allowedips *t);

/* The owner of the longest prefix that has the address, or NULL. */
MUST_CHECK struct allowed_owner *allowedips_lookup(const struct allowedips *t, const struct ip *ip);
/* The same for many at a time: the waits for memory, which are the price of a large trie, overlap.
 */
void allowedips_lookup_many(const struct allowedips *t, const struct ip *ips, size_t n,
			    struct allowed_owner **ret);

/* Walk an owner's prefixes in order: start with NULL; NULL at the end. */
const struct allowed_node *allowedips_next(const struct allowed_owner *o,
					   const struct allowed_node *at);
struct prefix allowedips_prefix(const struct allowed_node *n);

#endif
