#include "wg/allowedips.h"

#include <assert.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wg/allowed_node.h"
#include "wg/shortcut.h"

enum { NODES_PER_INSERT = 2 };
enum { EDITS_MIN = 64 };
enum { LANES = 16 };

static struct allowed_key key_of(const struct ip *ip)
{
	if (ip->family == FAMILY_V4)
		return (struct allowed_key){ .high = (uint64_t)load32_be(ip->bytes) << 32 };
	return (struct allowed_key){ .high = load64_be(ip->bytes),
				     .low = load64_be(ip->bytes + 8) };
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
	shortcut_drop(n, t->memory);
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
	parent->child[allowed_bit(n->key, parent->bits)] = n;
	n->parent = parent;
}

/* Put n into the place of `at`, which becomes its descendant. */
static void put_above(struct allowedips *t, struct allowed_node *n, struct allowed_node *at)
{
	n->parent = at->parent;
	*link_of(t, at) = n;
	adopt(n, at);
}

/*
 * Within a change that has a reservation it is the next to be taken: prefixes that are replaced
 * stay where they are in memory, and what was reserved for them goes back in one piece.
 */
static void put_away(struct allowedips *t, struct allowed_node *n)
{
	if (!t->spares) {
		give_back(t, n);
		return;
	}
	n->parent = t->spare;
	t->spare = n;
	++t->spares;
}

/* Take out nodes that serve nobody: without an owner, and no fork. */
static void prune(struct allowedips *t, struct allowed_node *n)
{
	while (n && !n->owner && !n->is_hint && !(n->child[0] && n->child[1])) {
		struct allowed_node *parent = n->parent;
		struct allowed_node *child = n->child[0] ? n->child[0] : n->child[1];

		shortcut_forget(n);
		*link_of(t, n) = child;
		if (child)
			child->parent = parent;
		put_away(t, n);
		n = parent;
	}
}

/* From a node near by up to the first that is on the way of the prefix and not longer. NULL: none
 * is. */
static struct allowed_node *climb(struct allowed_node *n, struct allowed_key key, unsigned int bits)
{
	const unsigned int shared = allowed_common(n->key, key);

	while (n && (n->bits > shared || n->bits > bits))
		n = n->parent;
	return n;
}

/* One step further down the way of a key than n, which is on it. NULL: it ends here. */
static struct allowed_node *step(const struct allowed_node *n, struct allowed_key key,
				 unsigned int bits)
{
	struct allowed_node *next;

	if (n->shortcut) {
		next = shortcut_hint(n, key);
		if (next->bits > bits || !allowed_has(next, key))
			next = climb(next, key, bits);
		if (next->bits > n->bits)
			return next;
	}
	next = n->child[allowed_bit(key, n->bits)];
	return next && next->bits <= bits && allowed_has(next, key) ? next : NULL;
}

/*
 * The deepest node on the way of a prefix that is not longer than it. Its child on that way, if it
 * has one, goes to *ret_below: there the ways part, or it is more specific. start: NULL, or a node
 * on the way, no longer than the prefix.
 */
static struct allowed_node *descend(struct allowedips *t, struct allowed_node *start,
				    const struct prefix *p, struct allowed_node **ret_below)
{
	const struct allowed_key key = key_of(&p->ip);
	struct allowed_node *n = start ? start : *root_of(t, p->ip.family), *next;

	*ret_below = n;
	if (!n || n->bits > p->bits || !allowed_has(n, key))
		return NULL;
	while ((next = step(n, key, p->bits)))
		n = next;
	*ret_below = n->bits < p->bits ? n->child[allowed_bit(key, n->bits)] : NULL;
	return n;
}

static struct allowed_node *find(struct allowedips *t, const struct prefix *p)
{
	struct allowed_node *below, *n;

	n = descend(t, NULL, p, &below);
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
	shared = allowed_common(below->key, n->key);
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

static struct allowed_node *insert(struct allowedips *t, const struct prefix *canonical,
				   struct allowed_node *start)
{
	struct allowed_node *below;
	struct allowed_node *n = descend(t, start, canonical, &below);

	if (n && n->bits == canonical->bits)
		return n;
	return grow(t, canonical, n, below);
}

void allowedips_insert(struct allowedips *t, const struct prefix *p, struct allowed_owner *owner)
{
	const struct prefix canon = canonical(p);

	assert(t->spares >= NODES_PER_INSERT);
	own(t, insert(t, &canon, NULL), owner);
	++t->edits;
}

bool allowedips_remove(struct allowedips *t, const struct prefix *p, struct allowed_owner *owner)
{
	const struct prefix canon = canonical(p);
	struct allowed_node *n = find(t, &canon);

	if (!n || !owner || n->owner != owner)
		return false;
	disown(t, n);
	prune(t, n);
	++t->edits;
	return true;
}

void allowedips_remove_owner(struct allowedips *t, struct allowed_owner *owner)
{
	struct list *at, *after;

	list_each_safe (at, after, &owner->prefixes) {
		struct allowed_node *n = list_entry(at, struct allowed_node, of_owner);

		disown(t, n);
		prune(t, n);
		++t->edits;
	}
}

/* In the order of the keys. */
static struct allowed_node *next_in_order(const struct allowed_node *n)
{
	if (n->child[0])
		return n->child[0];
	if (n->child[1])
		return n->child[1];
	for (; n->parent; n = n->parent) {
		struct allowed_node *sibling = n->parent->child[1];

		if (sibling && sibling != n)
			return sibling;
	}
	return NULL;
}

/* The copy takes the node's place in its owner's list. */
static void take_over(struct allowedips *t, struct allowed_node *copy, struct allowed_node *n)
{
	copy->owner = n->owner;
	copy->of_owner = n->of_owner;
	copy->of_owner.prev->next = &copy->of_owner;
	copy->of_owner.next->prev = &copy->of_owner;
	++t->prefixes;
}

void allowedips_copy(struct allowedips *t, const struct allowedips *from)
{
	assert(t->prefixes == 0 && t->spares >= NODES_PER_INSERT * from->prefixes);
	for (unsigned int i = 0; i < ELEMENTS(from->root); ++i) {
		struct allowed_node *last = NULL;

		for (struct allowed_node *n = from->root[i]; n; n = next_in_order(n)) {
			const struct prefix p = allowedips_prefix(n);

			if (!n->owner)
				continue;
			if (last)
				last = climb(last, n->key, n->bits);
			last = insert(t, &p, last);
			take_over(t, last, n);
		}
	}
}

void allowedips_build(struct allowedips *t)
{
	for (unsigned int i = 0; i < ELEMENTS(t->root); ++i)
		if (t->root[i])
			shortcut_build(t->root[i], t->memory);
	t->edits = 0;
}

bool allowedips_is_worn(const struct allowedips *t)
{
	return t->edits >= EDITS_MIN && t->edits > t->prefixes / 2;
}

static struct allowed_owner *owner_at(const struct allowed_node *n)
{
	while (n && !n->owner)
		n = n->parent;
	return n ? n->owner : NULL;
}

struct allowed_owner *allowedips_lookup(const struct allowedips *t, const struct ip *ip)
{
	const struct allowed_key key = key_of(ip);
	const struct allowed_node *n, *next;

	if (ip->family == FAMILY_NONE)
		return NULL;
	n = t->root[ip->family == FAMILY_V6];
	if (!n || !allowed_has(n, key))
		return NULL;
	while ((next = step(n, key, ALLOWED_KEY_BITS)))
		n = next;
	return owner_at(n);
}

/* One of several look-ups at a time: while the memory of one is fetched, the others go on. */
struct lane {
	enum { LANE_HINT, LANE_CLIMB, LANE_DOWN, LANE_ARRIVED } phase;
	struct allowed_key key;
	const struct allowed_node *on; /* the deepest so far that has the key */
	const struct allowed_node *candidate;
	struct allowed_node *const *hint;
};

static void lane_try(struct lane *l, const struct allowed_node *n, int phase)
{
	l->candidate = n;
	l->phase = phase;
	__builtin_prefetch(n);
	if (n)
		__builtin_prefetch(&n->shortcut);
}

static void lane_go_down(struct lane *l)
{
	lane_try(l, l->on->child[allowed_bit(l->key, l->on->bits)], LANE_DOWN);
}

static void lane_enter(struct lane *l, const struct allowed_node *n)
{
	l->on = n;
	if (!n->shortcut) {
		lane_go_down(l);
		return;
	}
	l->hint = &n->shortcut->hints[shortcut_slice(l->key, n->bits, n->shortcut->width)];
	l->phase = LANE_HINT;
	__builtin_prefetch(l->hint);
}

/* A turn touches what the turn before has asked for. */
static void lane_turn(struct lane *l)
{
	const struct allowed_node *n = l->candidate;

	switch (l->phase) {
	case LANE_HINT:
		lane_try(l, *l->hint, LANE_CLIMB);
		break;
	case LANE_CLIMB:
		if (n->bits <= l->on->bits)
			lane_go_down(l);
		else if (allowed_has(n, l->key))
			lane_enter(l, n);
		else
			lane_try(l, n->parent, LANE_CLIMB);
		break;
	case LANE_DOWN:
		if (n && allowed_has(n, l->key))
			lane_enter(l, n);
		else
			l->phase = LANE_ARRIVED;
		break;
	case LANE_ARRIVED:
		break;
	}
}

static void lookup_lanes(const struct allowedips *t, const struct ip *ips, size_t n,
			 struct allowed_owner **ret)
{
	struct lane lanes[LANES];
	bool is_busy = true;

	for (size_t i = 0; i < n; ++i) {
		lanes[i] = (struct lane){ .phase = LANE_ARRIVED, .key = key_of(&ips[i]) };
		if (ips[i].family != FAMILY_NONE)
			lane_try(&lanes[i], t->root[ips[i].family == FAMILY_V6], LANE_DOWN);
	}
	while (is_busy) {
		is_busy = false;
		for (size_t i = 0; i < n; ++i) {
			lane_turn(&lanes[i]);
			is_busy = is_busy || lanes[i].phase != LANE_ARRIVED;
		}
	}
	for (size_t i = 0; i < n; ++i)
		ret[i] = owner_at(lanes[i].on);
}

void allowedips_lookup_many(const struct allowedips *t, const struct ip *ips, size_t n,
			    struct allowed_owner **ret)
{
	if (n == 1) {
		*ret = allowedips_lookup(t, ips);
		return;
	}
	for (size_t i = 0; i < n; i += LANES)
		lookup_lanes(t, ips + i, n - i < LANES ? n - i : LANES, ret + i);
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
