#ifndef WG_ALLOWED_NODE_H
#define WG_ALLOWED_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "wg/allowedips.h"

/* The node of the tries of allowedips.c and shortcut.c, for these two alone. */
enum { ALLOWED_KEY_BITS = 128 };

/* An address, first bit highest. IPv4 stands in the upper half of high; what follows is zero. */
struct allowed_key {
	uint64_t high;
	uint64_t low;
};

struct shortcut;

/* What a look-up reads comes first, so that it lies in one cache line, or in two neighbours. */
struct allowed_node {
	struct allowed_node *child[2];
	struct allowed_owner *owner; /* NULL: a fork that nobody asked for */
	struct allowed_key key;      /* host bits are zero */
	uint8_t bits;
	uint8_t family;
	bool is_hint; /* several hints of a shortcut name it: it stays until the trie is copied */
	struct shortcut *shortcut;   /* NULL: none here */
	struct allowed_node *parent; /* of a spare: the next spare */
	struct list of_owner;
};

/* How many leading bits two keys share. */
static inline unsigned int allowed_common(struct allowed_key a, struct allowed_key b)
{
	if (a.high != b.high)
		return (unsigned int)__builtin_clzll(a.high ^ b.high);
	if (a.low != b.low)
		return 64 + (unsigned int)__builtin_clzll(a.low ^ b.low);
	return ALLOWED_KEY_BITS;
}

/* For at = 128, below a whole address, any answer will do: there is no child. */
static inline unsigned int allowed_bit(struct allowed_key k, unsigned int at)
{
	return (unsigned int)((at < 64 ? k.high : k.low) >> (63 - at % 64)) & 1;
}

/* Is the node's prefix on the way of this key? */
static inline bool allowed_has(const struct allowed_node *n, struct allowed_key k)
{
	if (n->bits > 64)
		return allowed_common(n->key, k) >= n->bits;
	return !n->bits || (n->key.high ^ k.high) >> (64 - n->bits) == 0;
}

#endif
