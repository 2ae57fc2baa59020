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
 * path-compressed binary tries. A prefix has one owner; inserting it again moves it. Each owner
 * lists its prefixes in the order they came. No recursion; depth is at most 33 or 129 nodes. Memory
 * is taken by allowedips_reserve only, so that a change that was reserved for cannot fail halfway.
 * One thread at a time changes it; look-ups may share it with each other.
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

/* The owner of the longest prefix that has the address, or NULL. */
MUST_CHECK struct allowed_owner *allowedips_lookup(const struct allowedips *t, const struct ip *ip);

/* Walk an owner's prefixes in order: start with NULL; NULL at the end. */
const struct allowed_node *allowedips_next(const struct allowed_owner *o,
					   const struct allowed_node *at);
struct prefix allowedips_prefix(const struct allowed_node *n);

#endif
