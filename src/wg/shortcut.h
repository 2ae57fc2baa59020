#ifndef WG_SHORTCUT_H
#define WG_SHORTCUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "wg/allowed_node.h"

/*
 * Shortcuts through a trie of allowed IPs: an array at a fork with much below it, indexed by the
 * next bits of the address, of the nodes where a descent had best go on. With one at the root of a
 * million prefixes a look-up touches two or three nodes and not twenty.
 *
 * A hint may be any node of the trie: from there the search climbs to the first node that has the
 * address, and descends. So a trie that changes needs no care but one: a node that leaves it must
 * not be named by a hint (shortcut_forget). Hints that are no longer good cost time only, and a
 * copied trie (allowedips_copy) gets new ones. Forks are measured, so that an eighth of the hints
 * at least are nodes of their own: at most 64 bytes a prefix.
 */
struct shortcut {
	unsigned int width; /* in bits */
	struct allowed_node *hints[];
};

/* Bits first to first + width of a key; 0 < width < 64. */
static inline uint64_t shortcut_slice(struct allowed_key k, unsigned int first, unsigned int width)
{
	uint64_t from;

	if (first >= 64)
		from = k.low << (first - 64);
	else
		from = k.high << first | k.low >> 1 >> (63 - first);
	return from >> (64 - width);
}

/* Of a node that has the key and a shortcut. */
static inline struct allowed_node *shortcut_hint(const struct allowed_node *n, struct allowed_key k)
{
	return n->shortcut->hints[shortcut_slice(k, n->bits, n->shortcut->width)];
}

/* All that a trie without any is worth. Where memory ends there are fewer: it is only slower. */
void shortcut_build(struct allowed_node *root, const struct memory *memory);
/* The node is about to leave the trie; not one with is_hint. */
void shortcut_forget(const struct allowed_node *n);
void shortcut_drop(struct allowed_node *n, const struct memory *memory); /* the node's own */

#endif
