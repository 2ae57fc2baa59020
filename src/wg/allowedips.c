#include "wg/allowedips.h"

#include <assert.h>
#include <stdint.h>

#include "base/bytes.h"

enum { NODES_PER_INSERT = 2, KEY_BITS = 128 };

/* An address, first bit highest. IPv4 stands in the upper half of high; what follows is zero. */
struct key {
	uint64_t high;
	uint64_t low;
};

/* What a look-up reads comes first, so that it lies in one cache line. */
struct allowed_node {
	struct allowed_node *child[2];
	struct allowed_owner
		*owner; /* NULL: a fork that nobody asked for, always with two children */
	struct key key; /* host bits are zero */
	uint8_t bits;
	uint8_t family;
	struct allowed_node *parent; /* of a spare: the next spare */
	struct list of_owner;
};

static struct key key_of(const struct ip *ip)
{
	if (ip->family == FAMILY_V4)
		return (struct key){ .high = (uint64_t)load32_be(ip->bytes) << 32 };
	return (struct key){ .high = load64_be(ip->bytes), .low = load64_be(ip->bytes + 8) };
}

/* How many leading bits two keys share. */
static unsigned int common(struct key a, struct key b)
{
	if (a.high != b.high)
		return (unsigned int)__builtin_clzll(a.high ^ b.high);
	if (a.low != b.low)
		return 64 + (unsigned int)__builtin_clzll(a.low ^ b.low);
	return KEY_BITS;
}

/* For at = 128, below a whole address, any answer will do: there is no child. */
static unsigned int bit(struct key k, unsigned int at)
{
	return (unsigned int)((at < 64 ? k.high : k.low) >> (63 - at % 64)) & 1;
}

static struct allowed_node **root_of(struct allowedips *t, uint8_t family)
{
	return &t->root[family == FAMILY_V6];
}

/* The pointer that points at this node. */
static struct allowed_node **link_of(struct allowedips *t, struct allowed_node *n)
{
	if (!n->parent)
		return root_of(t, n->family);
	return &n->parent->child[n->parent->child[1] == n];
}

static void give_back(struct allowedips *t, struct allowed_node *n)
{
	memory_give(t->memory, n, sizeof(*n));
}

static struct allowed_node *take_spare(struct allowedips *t, const struct prefix *p,
				       unsigned int bits)
{
	struct prefix shorter = { .ip = p->ip, .bits = (uint8_t)bits };
	struct allowed_node *n = t->spare;

	t->spare = n->parent;
	--t->spares;
	prefix_mask(&shorter);
	*n = (struct allowed_node){ .key = key_of(&shorter.ip),
				    .bits = shorter.bits,
				    .family = shorter.ip.family };
	list_init(&n->of_owner);
	return n;
}

static void drop_spares(struct allowedips *t, size_t keep)
{
	while (t->spares > keep) {
		struct allowed_node *n = t->spare;

		t->spare = n->parent;
		--t->spares;
		give_back(t, n);
	}
}

static void disown(struct allowedips *t, struct allowed_node *n)
{
	list_remove(&n->of_owner);
	--n->owner->count;
	--t->prefixes;
	n->owner = NULL;
}

static void own(struct allowedips *t, struct allowed_node *n, struct allowed_owner *owner)
{
	if (n->owner == owner)
		return;
	if (n->owner)
		disown(t, n);
	list_append(&owner->prefixes, &n->of_owner);
	++owner->count;
	++t->prefixes;
	n->owner = owner;
}

static void adopt(struct allowed_node *parent, struct allowed_node *n)
{
	parent->child[bit(n->key, parent->bits)] = n;
	n->parent = parent;
}

/* Put n into the place of `at`, which becomes its descendant. */
static void put_above(struct allowedips *t, struct allowed_node *n, struct allowed_node *at)
{
	n->parent = at->parent;
	*link_of(t, at) = n;
	adopt(n, at);
}

/* Take out nodes that serve nobody: without an owner, and no fork. */
static void prune(struct allowedips *t, struct allowed_node *n)
{
	while (n && !n->owner && !(n->child[0] && n->child[1])) {
		struct allowed_node *parent = n->parent;
		struct allowed_node *child = n->child[0] ? n->child[0] : n->child[1];

		*link_of(t, n) = child;
		if (child)
			child->parent = parent;
		give_back(t, n);
		n = parent;
	}
}

/*
 * The deepest node on the way of a prefix that is not longer than it. Its child on that way, if it
 * has one, goes to *ret_below: there the ways part, or it is more specific.
 */
static struct allowed_node *descend(struct allowed_node *root, struct key key, unsigned int bits,
				    struct allowed_node **ret_below)
{
	struct allowed_node *n = NULL, *next = root;

	while (next && next->bits <= bits && common(next->key, key) >= next->bits) {
		n = next;
		next = n->bits < bits ? n->child[bit(key, n->bits)] : NULL;
	}
	*ret_below = next;
	return n;
}

static struct allowed_node *find(struct allowedips *t, const struct prefix *p)
{
	struct allowed_node *below, *n;

	n = descend(*root_of(t, p->ip.family), key_of(&p->ip), p->bits, &below);
	return n && n->bits == p->bits ? n : NULL;
}

static struct prefix canonical(const struct prefix *p)
{
	struct prefix masked = *p;

	assert(p->ip.family == FAMILY_V4 || p->ip.family == FAMILY_V6);
	assert(p->bits <= ip_bits(&p->ip));
	prefix_mask(&masked);
	return masked;
}

/* The node of a prefix that is not in the trie yet. */
static struct allowed_node *grow(struct allowedips *t, const struct prefix *p,
				 struct allowed_node *above, struct allowed_node *below)
{
	struct allowed_node *n = take_spare(t, p, p->bits), *fork;
	unsigned int shared;

	if (!below && above)
		adopt(above, n);
	if (!below && !above)
		*root_of(t, p->ip.family) = n;
	if (!below)
		return n;
	shared = common(below->key, n->key);
	if (shared >= n->bits) {
		put_above(t, n, below);
		return n;
	}
	fork = take_spare(t, p, shared);
	put_above(t, fork, below);
	adopt(fork, n);
	return n;
}

void allowedips_init(struct allowedips *t, const struct memory *memory)
{
	*t = (struct allowedips){ .memory = memory };
}

void allowedips_done(struct allowedips *t)
{
	for (unsigned int i = 0; i < ELEMENTS(t->root); ++i) {
		struct allowed_node *n = t->root[i];

		while (n) {
			struct allowed_node *parent = n->parent;

			if (n->child[0] || n->child[1]) {
				n = n->child[0] ? n->child[0] : n->child[1];
				continue;
			}
			*link_of(t, n) = NULL;
			give_back(t, n);
			n = parent;
		}
	}
	allowedips_release(t);
	allowedips_init(t, t->memory);
}

void allowedips_owner_init(struct allowed_owner *o)
{
	list_init(&o->prefixes);
	o->count = 0;
}

bool allowedips_reserve(struct allowedips *t, size_t inserts)
{
	const size_t before = t->spares;

	if (inserts > SIZE_MAX / NODES_PER_INSERT)
		return false;
	while (t->spares < NODES_PER_INSERT * inserts) {
		struct allowed_node *n = memory_take(t->memory, sizeof(*n));

		if (!n) {
			drop_spares(t, before);
			return false;
		}
		n->parent = t->spare;
		t->spare = n;
		++t->spares;
	}
	return true;
}

void allowedips_release(struct allowedips *t)
{
	drop_spares(t, 0);
}

void allowedips_insert(struct allowedips *t, const struct prefix *p, struct allowed_owner *owner)
{
	const struct prefix canon = canonical(p);
	struct allowed_node *n, *below;

	assert(t->spares >= NODES_PER_INSERT);
	n = descend(*root_of(t, canon.ip.family), key_of(&canon.ip), canon.bits, &below);
	if (!n || n->bits != canon.bits)
		n = grow(t, &canon, n, below);
	own(t, n, owner);
}

bool allowedips_remove(struct allowedips *t, const struct prefix *p, struct allowed_owner *owner)
{
	const struct prefix canon = canonical(p);
	struct allowed_node *n = find(t, &canon);

	if (!n || !owner || n->owner != owner)
		return false;
	disown(t, n);
	prune(t, n);
	return true;
}

void allowedips_remove_owner(struct allowedips *t, struct allowed_owner *owner)
{
	struct list *at, *after;

	list_each_safe (at, after, &owner->prefixes) {
		struct allowed_node *n = list_entry(at, struct allowed_node, of_owner);

		disown(t, n);
		prune(t, n);
	}
}

struct allowed_owner *allowedips_lookup(const struct allowedips *t, const struct ip *ip)
{
	const struct key key = key_of(ip);
	struct allowed_owner *found = NULL;

	if (ip->family == FAMILY_NONE)
		return NULL;
	for (const struct allowed_node *n = t->root[ip->family == FAMILY_V6];
	     n && common(n->key, key) >= n->bits; n = n->child[bit(key, n->bits)]) {
		if (n->owner)
			found = n->owner;
	}
	return found;
}

const struct allowed_node *allowedips_next(const struct allowed_owner *o,
					   const struct allowed_node *at)
{
	struct list *next = at ? at->of_owner.next : o->prefixes.next;

	return next == &o->prefixes ? NULL : list_entry(next, struct allowed_node, of_owner);
}

struct prefix allowedips_prefix(const struct allowed_node *n)
{
	struct prefix p = { .ip.family = n->family, .bits = n->bits };

	if (n->family == FAMILY_V4) {
		store32_be(p.ip.bytes, (uint32_t)(n->key.high >> 32));
	} else {
		store64_be(p.ip.bytes, n->key.high);
		store64_be(p.ip.bytes + 8, n->key.low);
	}
	return p;
}
