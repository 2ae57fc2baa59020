#include "wg/keytable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

struct peer {
	struct key_public key;
	bool in;
};

enum { PEERS = 2000 };

static struct peer peers[PEERS];

static void make_peers(uint64_t seed)
{
	for (size_t i = 0; i < PEERS; ++i) {
		test_random_fill(&seed, peers[i].key.bytes, KEY_LEN);
		peers[i].in = false;
	}
}

static void start(struct keytable *t, struct test_memory *m)
{
	const struct siphash_key hash_key = { 5, 6 };

	test_memory_init(m);
	keytable_init(t, &m->memory, &hash_key);
}

static void check_all(const struct keytable *t)
{
	size_t used = 0;

	for (size_t i = 0; i < PEERS; ++i) {
		const struct key_public copy = peers[i].key;

		assert_ptr_equal(keytable_find(t, &copy), peers[i].in ? &peers[i] : NULL);
		used += peers[i].in;
	}
	assert_int_equal(t->used, used);
}

static void empty_table_finds_nothing(void **state)
{
	struct test_memory m;
	struct keytable t;

	(void)state;
	make_peers(1);
	start(&t, &m);
	assert_null(keytable_find(&t, &peers[0].key));
	keytable_remove(&t, &peers[0].key);
	assert_int_equal(m.takes, 0);
	keytable_done(&t);
}

static void keys_that_differ_in_one_bit_are_two(void **state)
{
	struct peer a = { 0 }, b = { 0 };
	struct test_memory m;
	struct keytable t;

	(void)state;
	for (unsigned int bit = 0; bit < 8 * KEY_LEN; ++bit) {
		start(&t, &m);
		memset(&b.key, 0, sizeof(b.key));
		b.key.bytes[bit / 8] = (uint8_t)(1U << bit % 8);
		assert_true(keytable_reserve(&t, 2));
		keytable_add(&t, &a.key, &a);
		assert_null(keytable_find(&t, &b.key));
		keytable_add(&t, &b.key, &b);
		assert_ptr_equal(keytable_find(&t, &a.key), &a);
		assert_ptr_equal(keytable_find(&t, &b.key), &b);
		keytable_done(&t);
	}
}

/* Exactly as many as were reserved for fit, and one in four slots stays free. */
static void reserved_room_is_enough(void **state)
{
	struct test_memory m;
	struct keytable t;

	(void)state;
	make_peers(2);
	for (size_t n = 0; n < 200; ++n) {
		start(&t, &m);
		assert_true(keytable_reserve(&t, n));
		assert_true(4 * n <= 3 * t.size);
		assert_true(t.size <= 16 || 8 * n > 3 * t.size);
		for (size_t i = 0; i < n; ++i)
			keytable_add(&t, &peers[i].key, &peers[i]);
		for (size_t i = 0; i < n; ++i)
			assert_ptr_equal(keytable_find(&t, &peers[i].key), &peers[i]);
		keytable_done(&t);
		assert_int_equal(m.outstanding, 0);
	}
}

/* So few that the smallest table is full, and runs of neighbours cross its end. */
static void full_small_table_matches_naive(void **state)
{
	struct test_memory m;
	struct keytable t;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; ++seed) {
		uint64_t choices = seed;

		make_peers(seed);
		start(&t, &m);
		assert_true(keytable_reserve(&t, 12));
		for (unsigned int round = 0; round < 500; ++round) {
			struct peer *p = &peers[test_random_below(&choices, 12)];

			if (p->in)
				keytable_remove(&t, &p->key);
			else
				keytable_add(&t, &p->key, p);
			p->in = !p->in;
			for (size_t i = 0; i < 12; ++i)
				assert_ptr_equal(keytable_find(&t, &peers[i].key),
						 peers[i].in ? &peers[i] : NULL);
		}
		assert_int_equal(t.size, 16);
		keytable_done(&t);
		assert_int_equal(m.outstanding, 0);
	}
}

static void random_changes_match_naive(void **state)
{
	struct test_memory m;
	struct keytable t;
	uint64_t seed = 3;

	(void)state;
	make_peers(3);
	start(&t, &m);
	for (unsigned int round = 0; round < 40000; ++round) {
		struct peer *p = &peers[test_random_below(&seed, PEERS)];

		if (p->in) {
			keytable_remove(&t, &p->key);
		} else if (test_random_below(&seed, 8) == 0) {
			keytable_remove(&t, &p->key);
			continue;
		} else {
			assert_true(keytable_reserve(&t, t.used + 1));
			keytable_add(&t, &p->key, p);
		}
		p->in = !p->in;
		if (round % 500 == 0)
			check_all(&t);
	}
	check_all(&t);
	for (size_t i = 0; i < PEERS; ++i)
		keytable_remove(&t, &peers[i].key);
	for (size_t i = 0; i < t.size; ++i)
		assert_null(t.slots[i].key);
	assert_int_equal(t.used, 0);
	keytable_done(&t);
	assert_int_equal(m.outstanding, 0);
}

static void failed_reserve_changes_nothing(void **state)
{
	struct test_memory m;
	struct keytable t;

	(void)state;
	make_peers(4);
	start(&t, &m);
	for (size_t i = 0; i < PEERS; ++i) {
		test_memory_fail(&m, 1, false);
		if (!keytable_reserve(&t, i + 1)) {
			check_all(&t);
			test_memory_heal(&m);
			assert_true(keytable_reserve(&t, i + 1));
		}
		keytable_add(&t, &peers[i].key, &peers[i]);
		peers[i].in = true;
	}
	check_all(&t);
	assert_false(keytable_reserve(&t, SIZE_MAX));
	assert_false(keytable_reserve(&t, SIZE_MAX / 4));
	check_all(&t);
	keytable_done(&t);
	assert_int_equal(m.outstanding, 0);
}

/* Whoever chooses the keys it looks up must not know where they fall. */
static void places_depend_on_the_hash_key(void **state)
{
	const struct siphash_key one = { 1, 0 }, two = { 2, 0 };
	struct test_memory m;
	struct keytable a, b;
	unsigned int same = 0;

	(void)state;
	make_peers(5);
	test_memory_init(&m);
	keytable_init(&a, &m.memory, &one);
	keytable_init(&b, &m.memory, &two);
	assert_true(keytable_reserve(&a, PEERS));
	assert_true(keytable_reserve(&b, PEERS));
	for (size_t i = 0; i < PEERS; ++i) {
		keytable_add(&a, &peers[i].key, &peers[i]);
		keytable_add(&b, &peers[i].key, &peers[i]);
	}
	for (size_t i = 0; i < a.size; ++i)
		same += a.slots[i].peer && a.slots[i].peer == b.slots[i].peer;
	assert_true(same < 20);
	keytable_done(&a);
	keytable_done(&b);
	assert_int_equal(m.outstanding, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_table_finds_nothing),
		cmocka_unit_test(keys_that_differ_in_one_bit_are_two),
		cmocka_unit_test(reserved_room_is_enough),
		cmocka_unit_test(full_small_table_matches_naive),
		cmocka_unit_test(random_changes_match_naive),
		cmocka_unit_test(failed_reserve_changes_nothing),
		cmocka_unit_test(places_depend_on_the_hash_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
