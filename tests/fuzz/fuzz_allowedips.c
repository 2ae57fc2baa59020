#include "wg/allowedips.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/*
 * A list of operations, eight bytes each, on the trie and on a plain array: same answers, same
 * lists. Byte 0: what, and whether memory fails; 1: prefix length; 2: owner and family; 3 to 7:
 * address.
 */
enum { OWNERS = 4, ENTRIES_MAX = 128, STEP = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct entry {
	struct prefix prefix;
	unsigned int owner;
};

struct world {
	struct memory memory;
	struct allowedips trie;
	struct allowed_owner owners[OWNERS];
	struct entry entries[ENTRIES_MAX]; /* in the order they came */
	size_t n;
	size_t blocks;
	bool fail;
	bool has_shortcuts;
};

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void *take(void *ctx, size_t len)
{
	struct world *w = ctx;
	void *p = w->fail ? NULL : calloc(1, len);

	w->blocks += p != NULL;
	return p;
}

static void give(void *ctx, void *p, size_t len)
{
	struct world *w = ctx;

	(void)len;
	w->blocks -= p != NULL;
	free(p);
}

/* Five bytes are spread over an address, so that prefixes are near each other. */
static struct prefix prefix_of(const uint8_t *step)
{
	struct prefix p = { .ip.family = step[2] & 0x80 ? FAMILY_V6 : FAMILY_V4 };

	p.bits = (uint8_t)(step[1] % (ip_bits(&p.ip) + 1));
	memcpy(p.ip.bytes, step + 3, 4);
	if (p.ip.family == FAMILY_V6) {
		p.ip.bytes[7] = step[4];
		p.ip.bytes[8] = step[5];
		p.ip.bytes[15] = step[7];
	}
	return p;
}

static size_t find(const struct world *w, struct prefix p)
{
	size_t i = 0;

	prefix_mask(&p);
	while (i < w->n &&
	       !(w->entries[i].prefix.bits == p.bits && ip_equal(&w->entries[i].prefix.ip, &p.ip)))
		++i;
	return i;
}

static void forget(struct world *w, size_t at)
{
	--w->n;
	memmove(&w->entries[at], &w->entries[at + 1], (w->n - at) * sizeof(w->entries[0]));
}

static void insert(struct world *w, struct prefix p, unsigned int owner)
{
	const size_t at = find(w, p);

	if ((at == w->n && w->n == ENTRIES_MAX) || !allowedips_reserve(&w->trie, 1))
		return;
	allowedips_insert(&w->trie, &p, &w->owners[owner]);
	if (at < w->n && w->entries[at].owner == owner)
		return;
	if (at < w->n)
		forget(w, at);
	prefix_mask(&p);
	w->entries[w->n++] = (struct entry){ .prefix = p, .owner = owner };
}

static void remove_one(struct world *w, struct prefix p, unsigned int owner)
{
	const size_t at = find(w, p);
	const bool there = at < w->n && w->entries[at].owner == owner;

	require(allowedips_remove(&w->trie, &p, &w->owners[owner]) == there);
	if (there)
		forget(w, at);
}

static void remove_all(struct world *w, unsigned int owner)
{
	allowedips_remove_owner(&w->trie, &w->owners[owner]);
	for (size_t i = w->n; i-- > 0;) {
		if (w->entries[i].owner == owner)
			forget(w, i);
	}
}

static void look_up(struct world *w, const struct ip *ip)
{
	const struct entry *best = NULL;
	struct allowed_owner *owner, *found;

	for (size_t i = 0; i < w->n; ++i) {
		if (prefix_has(&w->entries[i].prefix, ip) &&
		    (!best || w->entries[i].prefix.bits > best->prefix.bits))
			best = &w->entries[i];
	}
	owner = best ? &w->owners[best->owner] : NULL;
	require(allowedips_lookup(&w->trie, ip) == owner);
	allowedips_lookup_many(&w->trie, ip, 1, &found);
	require(found == owner);
}

/* A copy with shortcuts takes the trie's place, where there is memory for it. */
static void settle(struct world *w)
{
	struct allowedips copy;

	allowedips_init(&copy, &w->memory);
	if (!allowedips_reserve(&copy, w->trie.prefixes))
		return;
	allowedips_copy(&copy, &w->trie);
	allowedips_build(&copy);
	allowedips_done(&w->trie);
	w->trie = copy;
	w->has_shortcuts = true;
}

static void check_lists(const struct world *w)
{
	const struct allowed_node *at[OWNERS] = { NULL };

	for (size_t i = 0; i < w->n; ++i) {
		const unsigned int owner = w->entries[i].owner;
		struct prefix p;

		at[owner] = allowedips_next(&w->owners[owner], at[owner]);
		require(at[owner]);
		p = allowedips_prefix(at[owner]);
		require(p.bits == w->entries[i].prefix.bits);
		require(ip_equal(&p.ip, &w->entries[i].prefix.ip));
	}
	for (unsigned int owner = 0; owner < OWNERS; ++owner)
		require(!allowedips_next(&w->owners[owner], at[owner]));
	require(w->trie.prefixes == w->n);
	require(w->has_shortcuts || w->blocks - w->trie.spares <= 2 * w->n);
}

static void do_step(struct world *w, const uint8_t *step)
{
	const struct prefix p = prefix_of(step);
	const unsigned int owner = step[2] % OWNERS;

	w->fail = step[0] & 0x80;
	switch (step[0] % 8) {
	case 0:
		remove_all(w, owner);
		break;
	case 1:
	case 2:
		remove_one(w, p, owner);
		break;
	case 3:
		if (step[1] % 2)
			settle(w);
		else
			allowedips_release(&w->trie);
		break;
	default:
		insert(w, p, owner);
	}
	look_up(w, &p.ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = { .memory = { .take = take, .give = give } };

	w.memory.ctx = &w;
	allowedips_init(&w.trie, &w.memory);
	for (unsigned int i = 0; i < OWNERS; ++i)
		allowedips_owner_init(&w.owners[i]);
	for (; len >= STEP; data += STEP, len -= STEP)
		do_step(&w, data);
	check_lists(&w);
	allowedips_done(&w.trie);
	require(w.blocks == 0);
	return 0;
}
