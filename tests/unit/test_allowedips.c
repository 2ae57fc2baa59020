#include "wg/allowedips.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

enum { OWNERS = 5, ENTRIES_MAX = 4096 };

/* What is true, as a list. */
struct entry {
	struct prefix prefix;
	unsigned int owner;
	unsigned int order; /* among those of its owner */
};

struct world {
	struct test_memory memory;
	struct allowedips trie;
	struct allowed_owner owners[OWNERS];
	struct entry entries[ENTRIES_MAX];
	size_t n;
	unsigned int order;
	uint64_t seed;
	bool has_shortcuts; /* so it may have nodes more */
};

static struct world world;

static struct world *set_up(uint64_t seed)
{
	struct world *w = &world;

	w->n = 0;
	w->order = 0;
	w->seed = seed;
	w->has_shortcuts = false;
	test_memory_init(&w->memory);
	allowedips_init(&w->trie, &w->memory.memory);
	for (size_t i = 0; i < OWNERS; ++i)
		allowedips_owner_init(&w->owners[i]);
	return w;
}

static void tear_down(struct world *w)
{
	allowedips_done(&w->trie);
	assert_int_equal(w->memory.outstanding, 0);
	assert_int_equal(w->memory.blocks, 0);
}

static struct prefix v4(uint32_t address, uint8_t bits)
{
	struct prefix p = { .ip.family = FAMILY_V4, .bits = bits };

	store32_be(p.ip.bytes, address);
	return p;
}

static struct prefix v6(uint64_t high, uint64_t low, uint8_t bits)
{
	struct prefix p = { .ip.family = FAMILY_V6, .bits = bits };

	store64_be(p.ip.bytes, high);
	store64_be(p.ip.bytes + 8, low);
	return p;
}

static struct entry *naive_find(struct world *w, struct prefix p)
{
	prefix_mask(&p);
	for (size_t i = 0; i < w->n; ++i) {
		if (w->entries[i].prefix.bits == p.bits &&
		    ip_equal(&w->entries[i].prefix.ip, &p.ip))
			return &w->entries[i];
	}
	return NULL;
}

static void naive_insert(struct world *w, struct prefix p, unsigned int owner)
{
	struct entry *e = naive_find(w, p);

	if (e && e->owner == owner)
		return;
	if (!e)
		e = &w->entries[w->n++];
	prefix_mask(&p);
	*e = (struct entry){ .prefix = p, .owner = owner, .order = ++w->order };
}

static bool naive_remove(struct world *w, struct prefix p, unsigned int owner)
{
	struct entry *e = naive_find(w, p);

	if (!e || e->owner != owner)
		return false;
	*e = w->entries[--w->n];
	return true;
}

static void naive_remove_owner(struct world *w, unsigned int owner)
{
	for (size_t i = 0; i < w->n;) {
		if (w->entries[i].owner == owner)
			w->entries[i] = w->entries[--w->n];
		else
			++i;
	}
}

static struct allowed_owner *naive_lookup(struct world *w, const struct ip *ip)
{
	const struct entry *best = NULL;

	for (size_t i = 0; i < w->n; ++i) {
		if (prefix_has(&w->entries[i].prefix, ip) &&
		    (!best || w->entries[i].prefix.bits > best->prefix.bits))
			best = &w->entries[i];
	}
	return best ? &w->owners[best->owner] : NULL;
}

static void insert(struct world *w, struct prefix p, unsigned int owner)
{
	assert_true(allowedips_reserve(&w->trie, 1));
	allowedips_insert(&w->trie, &p, &w->owners[owner]);
	naive_insert(w, p, owner);
}

static void check_lookup(struct world *w, const struct ip *ip)
{
	struct allowed_owner *const owner = naive_lookup(w, ip), *found;

	assert_ptr_equal(allowedips_lookup(&w->trie, ip), owner);
	allowedips_lookup_many(&w->trie, ip, 1, &found);
	assert_ptr_equal(found, owner);
}

/* A copy with shortcuts takes the trie's place. */
static void settle(struct world *w)
{
	struct allowedips copy;

	allowedips_init(&copy, &w->memory.memory);
	assert_true(allowedips_reserve(&copy, w->trie.prefixes));
	allowedips_copy(&copy, &w->trie);
	allowedips_release(&copy);
	allowedips_build(&copy);
	assert_int_equal(copy.prefixes, w->trie.prefixes);
	allowedips_done(&w->trie);
	w->trie = copy;
	w->has_shortcuts = true;
}

/* Each owner lists its prefixes, all of them, in the order they came. */
static void check_lists(struct world *w)
{
	size_t count[OWNERS] = { 0 };

	for (size_t i = 0; i < w->n; ++i)
		++count[w->entries[i].owner];
	for (unsigned int owner = 0; owner < OWNERS; ++owner) {
		const struct allowed_node *at = NULL;
		unsigned int order = 0;
		size_t seen = 0;

		while ((at = allowedips_next(&w->owners[owner], at))) {
			const struct prefix p = allowedips_prefix(at);
			const struct entry *e = naive_find(w, p);

			assert_non_null(e);
			assert_true(ip_equal(&e->prefix.ip, &p.ip));
			assert_int_equal(e->owner, owner);
			assert_true(e->order > order);
			order = e->order;
			++seen;
		}
		assert_int_equal(seen, count[owner]);
		assert_int_equal(w->owners[owner].count, count[owner]);
	}
	assert_int_equal(w->trie.prefixes, w->n);
}

/* A fork has two children, so there are fewer of them than there are prefixes. */
static void check_nodes(const struct world *w)
{
	const size_t nodes = w->memory.blocks - w->trie.spares;

	if (w->has_shortcuts)
		return;
	assert_true(nodes >= w->n);
	assert_true(w->n ? nodes < 2 * w->n : nodes == 0);
}

/* Near each other: few bases, few lengths, so that prefixes nest, part late and meet again. */
static struct prefix random_prefix(uint64_t *seed)
{
	static const uint8_t lengths[] = { 0, 1, 31, 32, 33, 63, 64, 65, 127, 128 };
	const uint64_t base = test_random_below(seed, 4) * UINT64_C(0x5555555555555555);
	struct prefix p = v6(base, ~base, 0);
	unsigned int bits;

	p.ip.family = test_random_below(seed, 2) ? FAMILY_V4 : FAMILY_V6;
	bits = ip_bits(&p.ip);
	if (test_random_below(seed, 2))
		p.bits = (uint8_t)test_random_below(seed, bits + 1);
	else
		p.bits = lengths[test_random_below(seed, ELEMENTS(lengths))];
	if (p.bits > bits)
		p.bits = (uint8_t)bits;
	for (uint64_t n = test_random_below(seed, 3); n > 0; --n) {
		const uint64_t at = test_random_below(seed, bits);

		p.ip.bytes[at / 8] ^= (uint8_t)(0x80U >> at % 8);
	}
	if (p.ip.family == FAMILY_V4)
		memset(p.ip.bytes + 4, 0, 12);
	return p;
}

static void check_some_lookups(struct world *w, unsigned int n)
{
	while (n-- > 0) {
		const struct prefix p = random_prefix(&w->seed);

		check_lookup(w, &p.ip);
	}
	if (w->n) {
		struct ip ip = w->entries[test_random_below(&w->seed, w->n)].prefix.ip;
		const uint64_t at = test_random_below(&w->seed, ip_bits(&ip));

		check_lookup(w, &ip);
		ip.bytes[at / 8] ^= (uint8_t)(0x80U >> at % 8);
		check_lookup(w, &ip);
	}
}

static void random_step(struct world *w)
{
	const struct prefix p = w->n && test_random_below(&w->seed, 4) == 0
					? w->entries[test_random_below(&w->seed, w->n)].prefix
					: random_prefix(&w->seed);
	const unsigned int owner = (unsigned int)test_random_below(&w->seed, OWNERS);
	const uint64_t what = test_random_below(&w->seed, 100);

	if (what < 60) {
		insert(w, p, owner);
	} else if (what < 98) {
		assert_int_equal(allowedips_remove(&w->trie, &p, &w->owners[owner]),
				 naive_remove(w, p, owner));
	} else {
		allowedips_remove_owner(&w->trie, &w->owners[owner]);
		naive_remove_owner(w, owner);
	}
}

static void fa3_longest_prefix_matches_naive(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; ++seed) {
		struct world *w = set_up(seed);

		for (unsigned int round = 0; round < 500; ++round) {
			random_step(w);
			if (seed % 2 == 0 && test_random_below(&w->seed, 40) == 0)
				settle(w);
			check_nodes(w);
			check_some_lookups(w, 4);
			if (round % 10 == 0)
				check_lists(w);
		}
		check_lists(w);
		if (seed % 2) {
			for (unsigned int owner = 0; owner < OWNERS; ++owner)
				allowedips_remove_owner(&w->trie, &w->owners[owner]);
			assert_null(w->trie.root[0]);
			assert_null(w->trie.root[1]);
			w->n = 0;
			check_lists(w);
		}
		tear_down(w);
	}
}

static void edges(struct world *w)
{
	insert(w, v4(0, 0), 0);
	insert(w, v4(0x80000000, 1), 1);
	insert(w, v4(0, 1), 2);
	insert(w, v4(0x0a000000, 8), 3);
	insert(w, v4(0x0a0a0a0a, 32), 4);
	insert(w, v4(0x0a0a0a0b, 32), 0);
	insert(w, v4(0xffffffff, 32), 1);
	insert(w, v4(0, 32), 2);
	insert(w, v6(0, 0, 0), 0);
	insert(w, v6(UINT64_MAX, UINT64_MAX, 128), 1);
	insert(w, v6(0, 0, 128), 2);
	insert(w, v6(0, 1, 128), 3);
	insert(w, v6(0x20010db800000000, 0, 32), 4);
	insert(w, v6(0x20010db800000001, 0, 64), 0);
	insert(w, v6(0x20010db800000001, UINT64_C(1) << 63, 65), 1);
	insert(w, v6(0x20010db800000000, 0, 63), 2);
	insert(w, v6(UINT64_C(1) << 63, 0, 1), 3);
	insert(w, v6(0x20010db800000001, 0, 127), 4);
}

static const struct {
	struct ip ip;
	int owner;
} edge_rows[] = {
	{ { FAMILY_V4, { 0 } }, 2 },
	{ { FAMILY_V4, { 0, 0, 0, 1 } }, 2 },
	{ { FAMILY_V4, { 9 } }, 2 },
	{ { FAMILY_V4, { 10 } }, 3 },
	{ { FAMILY_V4, { 10, 10, 10, 10 } }, 4 },
	{ { FAMILY_V4, { 10, 10, 10, 11 } }, 0 },
	{ { FAMILY_V4, { 10, 10, 10, 12 } }, 3 },
	{ { FAMILY_V4, { 128 } }, 1 },
	{ { FAMILY_V4, { 255, 255, 255, 255 } }, 1 },
	{ { FAMILY_V6, { 0 } }, 2 },
	{ { FAMILY_V6, { [15] = 1 } }, 3 },
	{ { FAMILY_V6, { [15] = 2 } }, 0 },
	{ { FAMILY_V6, { 0x7f } }, 0 },
	{ { FAMILY_V6, { 0x80 } }, 3 },
	{ { FAMILY_V6, { 0x20, 1, 0x0d, 0xb8, 1 } }, 4 },
	{ { FAMILY_V6, { 0x20, 1, 0x0d, 0xb8 } }, 2 },
	{ { FAMILY_V6, { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1 } }, 4 },
	{ { FAMILY_V6, { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0x80 } }, 1 },
	{ { FAMILY_V6, { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0x40 } }, 0 },
	{ { FAMILY_NONE, { 0 } }, -1 },
	{ { FAMILY_NONE, { 10 } }, -1 },
};

static void check_edges(struct world *w)
{
	for (size_t i = 0; i < ELEMENTS(edge_rows); ++i) {
		const int owner = edge_rows[i].owner;

		assert_ptr_equal(allowedips_lookup(&w->trie, &edge_rows[i].ip),
				 owner < 0 ? NULL : &w->owners[owner]);
	}
	check_lists(w);
	check_nodes(w);
}

static void edge_rows_are_found(void **state)
{
	struct world *w = set_up(1);

	(void)state;
	for (size_t i = 0; i < ELEMENTS(edge_rows); ++i)
		assert_null(allowedips_lookup(&w->trie, &edge_rows[i].ip));
	edges(w);
	check_edges(w);
	tear_down(w);
	for (size_t i = 0; i < ELEMENTS(edge_rows); ++i)
		assert_null(allowedips_lookup(&w->trie, &edge_rows[i].ip));
}

/* A prefix keeps its place with the owner it has, and goes to the end of another's list. */
static void order_of_an_owner(void **state)
{
	struct world *w = set_up(1);
	const struct prefix a = v4(0x01000000, 8), b = v4(0x02000000, 8), c = v4(0x03000000, 8);
	const struct allowed_node *at;

	(void)state;
	insert(w, a, 0);
	insert(w, b, 0);
	insert(w, c, 1);
	insert(w, a, 0);
	at = allowedips_next(&w->owners[0], NULL);
	assert_int_equal(allowedips_prefix(at).ip.bytes[0], 1);
	insert(w, a, 1);
	at = allowedips_next(&w->owners[1], NULL);
	assert_int_equal(allowedips_prefix(at).ip.bytes[0], 3);
	at = allowedips_next(&w->owners[1], at);
	assert_int_equal(allowedips_prefix(at).ip.bytes[0], 1);
	assert_null(allowedips_next(&w->owners[1], at));
	insert(w, a, 0);
	at = allowedips_next(&w->owners[0], NULL);
	assert_int_equal(allowedips_prefix(at).ip.bytes[0], 2);
	check_lists(w);
	tear_down(w);
}

static void host_bits_are_ignored(void **state)
{
	struct world *w = set_up(1);
	const struct prefix dirty = v4(0x0a0b0c0d, 8), clean = v4(0x0a000000, 8);
	struct prefix p;

	(void)state;
	insert(w, dirty, 0);
	insert(w, clean, 0);
	assert_int_equal(w->owners[0].count, 1);
	p = allowedips_prefix(allowedips_next(&w->owners[0], NULL));
	assert_true(ip_equal(&p.ip, &clean.ip));
	assert_int_equal(p.bits, 8);
	assert_false(allowedips_remove(&w->trie, &dirty, &w->owners[1]));
	assert_true(allowedips_remove(&w->trie, &dirty, &w->owners[0]));
	assert_false(allowedips_remove(&w->trie, &dirty, &w->owners[0]));
	w->n = 0;
	check_lists(w);
	tear_down(w);
}

/* A fork is nobody's: it can't be removed, and can become a prefix and cease to be one. */
static void fork_becomes_a_prefix(void **state)
{
	struct world *w = set_up(1);
	const struct prefix fork = v4(0x0a000000, 15);
	const struct ip between = { FAMILY_V4, { 10, 1, 0, 1 } };
	size_t blocks;

	(void)state;
	insert(w, v4(0x0a000000, 24), 0);
	insert(w, v4(0x0a010000, 24), 1);
	blocks = w->memory.blocks - w->trie.spares;
	assert_int_equal(blocks, 3);
	assert_false(allowedips_remove(&w->trie, &fork, &w->owners[0]));
	assert_false(allowedips_remove(&w->trie, &fork, NULL));
	insert(w, fork, 2);
	assert_int_equal(w->memory.blocks - w->trie.spares, blocks);
	check_lookup(w, &between);
	assert_true(allowedips_remove(&w->trie, &fork, &w->owners[2]));
	assert_true(naive_remove(w, fork, 2));
	assert_int_equal(w->memory.blocks - w->trie.spares, blocks);
	check_lookup(w, &between);
	allowedips_remove_owner(&w->trie, &w->owners[1]);
	naive_remove_owner(w, 1);
	assert_int_equal(w->memory.blocks - w->trie.spares, 1);
	check_lists(w);
	tear_down(w);
}

static void reserve_and_release(void **state)
{
	struct world *w = set_up(1);

	(void)state;
	assert_true(allowedips_reserve(&w->trie, 0));
	assert_int_equal(w->memory.takes, 0);
	assert_true(allowedips_reserve(&w->trie, 10));
	assert_true(allowedips_reserve(&w->trie, 10));
	assert_int_equal(w->memory.blocks, 20);
	assert_false(allowedips_reserve(&w->trie, SIZE_MAX));
	assert_int_equal(w->memory.blocks, 20);
	for (uint32_t i = 0; i < 10; ++i) {
		const struct prefix p = v4(i << 16 | i, 32);

		/* Reserved, so that no memory is asked for. */
		test_memory_fail(&w->memory, 1, true);
		allowedips_insert(&w->trie, &p, &w->owners[0]);
		naive_insert(w, p, 0);
	}
	test_memory_heal(&w->memory);
	allowedips_release(&w->trie);
	assert_int_equal(w->trie.spares, 0);
	assert_int_equal(w->memory.blocks, 19);
	check_lists(w);
	tear_down(w);
}

/* Insert one; where there is no memory, all is as before, and the next try succeeds. */
static void insert_or_recover(struct world *w, struct prefix p, unsigned int owner)
{
	const size_t blocks = w->memory.blocks, spares = w->trie.spares;

	if (!allowedips_reserve(&w->trie, 1)) {
		assert_int_equal(w->memory.blocks, blocks);
		assert_int_equal(w->trie.spares, spares);
		check_lists(w);
		check_nodes(w);
		check_some_lookups(w, 20);
		test_memory_heal(&w->memory);
	}
	insert(w, p, owner);
}

static void fa4_trie_survives_allocation_failure(void **state)
{
	bool failed = true;

	(void)state;
	for (size_t n = 1; failed; ++n) {
		struct world *w = set_up(n);

		test_memory_fail(&w->memory, n, n % 2);
		for (unsigned int i = 0; i < 60; ++i) {
			const struct prefix p = random_prefix(&w->seed);

			insert_or_recover(w, p, i % OWNERS);
			if (i % 4 == 3) {
				assert_int_equal(allowedips_remove(&w->trie, &p, &w->owners[0]),
						 naive_remove(w, p, 0));
			}
		}
		failed = w->memory.takes >= n;
		test_memory_heal(&w->memory);
		check_lists(w);
		for (unsigned int owner = 0; owner < OWNERS; ++owner) {
			allowedips_remove_owner(&w->trie, &w->owners[owner]);
			naive_remove_owner(w, owner);
		}
		check_lists(w);
		check_nodes(w);
		edges(w);
		check_edges(w);
		allowedips_release(&w->trie);
		tear_down(w);
	}
}

/* A long reservation that fails halfway gives back what it took, but not what was there before. */
static void failed_long_reserve_gives_back(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 100; ++n) {
		struct world *w = set_up(n);

		assert_true(allowedips_reserve(&w->trie, 3));
		test_memory_fail(&w->memory, n, false);
		assert_int_equal(allowedips_reserve(&w->trie, 50), n > 94);
		assert_int_equal(w->trie.spares, n > 94 ? 100 : 6);
		assert_int_equal(w->memory.blocks, w->trie.spares);
		edges(w);
		check_edges(w);
		tear_down(w);
	}
}

/* Nested to the full depth: the chain of all lengths of one address. */
static void deepest_chain(void **state)
{
	struct world *w = set_up(1);
	struct ip ip = v6(UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210), 0).ip;

	(void)state;
	for (unsigned int bits = 0; bits <= 128; ++bits)
		insert(w, (struct prefix){ .ip = ip, .bits = (uint8_t)((bits * 37) % 129) },
		       bits % OWNERS);
	assert_int_equal(w->n, 129);
	check_lookup(w, &ip);
	for (unsigned int at = 0; at < 128; ++at) {
		ip.bytes[at / 8] ^= (uint8_t)(0x80U >> at % 8);
		check_lookup(w, &ip);
		ip.bytes[at / 8] ^= (uint8_t)(0x80U >> at % 8);
	}
	check_lists(w);
	check_nodes(w);
	tear_down(w);
}

/* Dense, so that there are wide shortcuts, with short prefixes among them that come and go. */
static void shortcuts_through_changes(void **state)
{
	struct ip ips[100];
	struct allowed_owner *found[100];

	(void)state;
	for (uint64_t seed = 1; seed < 6; ++seed) {
		struct world *w = set_up(seed);

		for (uint32_t i = 0; i < 300; ++i)
			insert(w, v4(0x0a000000 + i * 5, 32), i % OWNERS);
		settle(w);
		for (unsigned int round = 0; round < 300; ++round) {
			const uint32_t low = (uint32_t)test_random_below(&w->seed, 2048);
			const uint8_t bits = (uint8_t)(20 + test_random_below(&w->seed, 13));
			const struct prefix p = v4(0x0a000000 + low, bits);
			const unsigned int owner = low % OWNERS;

			if (test_random_below(&w->seed, 3)) {
				assert_int_equal(allowedips_remove(&w->trie, &p, &w->owners[owner]),
						 naive_remove(w, p, owner));
			} else {
				insert(w, p, owner);
			}
			for (size_t i = 0; i < ELEMENTS(ips); ++i)
				ips[i] =
					v4(0x0a000000 + (uint32_t)test_random_below(&w->seed, 2100),
					   32)
						.ip;
			allowedips_lookup_many(&w->trie, ips, ELEMENTS(ips), found);
			for (size_t i = 0; i < ELEMENTS(ips); ++i) {
				assert_ptr_equal(found[i], naive_lookup(w, &ips[i]));
				assert_ptr_equal(allowedips_lookup(&w->trie, &ips[i]), found[i]);
			}
			if (round == 200)
				settle(w);
		}
		check_lists(w);
		tear_down(w);
	}
}

/*
 * A fork made above the level of a shortcut is named by it once what was below has gone. It could
 * go itself then, with half of its children; the next look-up there would find what is no node.
 */
static void a_fork_that_a_shortcut_names_stays(void **state)
{
	struct world *w = set_up(1);

	(void)state;
	for (uint32_t i = 0; i < 16; ++i)
		insert(w, v4(i << 28 | 2U << 24, 8), 0);
	settle(w);
	for (uint32_t i = 0; i < 16; ++i)
		insert(w, v4(i << 28, 8), 1);
	for (uint32_t i = 0; i < 16; ++i) {
		const struct prefix p = v4(i << 28 | 2U << 24, 8);

		assert_true(allowedips_remove(&w->trie, &p, &w->owners[0]));
		assert_true(naive_remove(w, p, 0));
		for (uint32_t k = 0; k < 256; ++k) {
			const struct prefix address = v4(k << 24 | 9, 32);

			check_lookup(w, &address.ip);
		}
	}
	tear_down(w);
}

/* Forks with much below have a shortcut, and those that find nothing for most hints have none. */
static void shortcuts_where_they_pay(void **state)
{
	struct world *w = set_up(1);
	size_t blocks;

	(void)state;
	for (uint32_t i = 0; i < 4; ++i)
		insert(w, v4(i << 30, 32), 0);
	settle(w);
	blocks = w->memory.blocks;
	assert_int_equal(blocks, 7 + 1);
	for (uint32_t i = 0; i < 1024; ++i)
		insert(w, v4(0x0a000000 + i, 32), 0);
	assert_true(allowedips_is_worn(&w->trie));
	settle(w);
	assert_false(allowedips_is_worn(&w->trie));
	/* One for all, and one for the many that share 22 bits. */
	assert_int_equal(w->memory.blocks, 2 * 1028 - 1 + 2);
	assert_true(w->memory.outstanding < 1028 * (2 * 80 + 64 + 16));
	for (uint32_t i = 0; i < 1024; ++i) {
		const struct prefix p = v4(0x0a000000 + i, 32);

		assert_true(allowedips_remove(&w->trie, &p, &w->owners[0]));
		assert_true(naive_remove(w, p, 0));
	}
	settle(w);
	assert_int_equal(w->memory.blocks, blocks);
	check_lists(w);
	tear_down(w);
}

/* Without memory for it the trie is slower and as right. */
static void shortcuts_are_optional(void **state)
{
	(void)state;
	for (size_t n = 1; n < 5; ++n) {
		struct world *w = set_up(n);

		for (unsigned int i = 0; i < 300; ++i)
			insert(w, random_prefix(&w->seed), i % OWNERS);
		test_memory_fail(&w->memory, n, true);
		allowedips_build(&w->trie);
		test_memory_heal(&w->memory);
		w->has_shortcuts = true;
		check_some_lookups(w, 200);
		check_lists(w);
		tear_down(w);
	}
}

static void a_million_prefixes(void **state)
{
	enum { N = 1000000 };
	struct world *w = set_up(1);
	size_t count = 0;

	(void)state;
	assert_true(allowedips_reserve(&w->trie, N));
	for (uint32_t i = 0; i < N; ++i) {
		const struct prefix p = v4(i << 10, 22);

		allowedips_insert(&w->trie, &p, &w->owners[i % OWNERS]);
	}
	for (size_t i = 0; i < OWNERS; ++i)
		count += w->owners[i].count;
	assert_int_equal(count, N);
	for (unsigned int k = 0; k < 100000; ++k) {
		const uint32_t i = (uint32_t)test_random_below(&w->seed, N);
		const struct prefix p = v4(i << 10 | 1, 32);

		assert_ptr_equal(allowedips_lookup(&w->trie, &p.ip), &w->owners[i % OWNERS]);
	}
	settle(w);
	for (unsigned int k = 0; k < 100000; ++k) {
		const uint32_t i = (uint32_t)test_random_below(&w->seed, N);
		const struct prefix p = v4(i << 10 | 1, 32);

		assert_ptr_equal(allowedips_lookup(&w->trie, &p.ip), &w->owners[i % OWNERS]);
	}
	allowedips_remove_owner(&w->trie, &w->owners[0]);
	assert_int_equal(w->trie.prefixes, N / OWNERS * (OWNERS - 1));
	tear_down(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edge_rows_are_found),
		cmocka_unit_test(order_of_an_owner),
		cmocka_unit_test(host_bits_are_ignored),
		cmocka_unit_test(fork_becomes_a_prefix),
		cmocka_unit_test(reserve_and_release),
		cmocka_unit_test(deepest_chain),
		cmocka_unit_test(fa3_longest_prefix_matches_naive),
		cmocka_unit_test(fa4_trie_survives_allocation_failure),
		cmocka_unit_test(failed_long_reserve_gives_back),
		cmocka_unit_test(shortcuts_through_changes),
		cmocka_unit_test(a_fork_that_a_shortcut_names_stays),
		cmocka_unit_test(shortcuts_where_they_pay),
		cmocka_unit_test(shortcuts_are_optional),
		cmocka_unit_test(a_million_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
