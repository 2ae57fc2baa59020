#include "wg/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

struct peer {
	int id;
};

static struct peer peers[2];
static const uint8_t some_key[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void start(struct table *t, struct test_memory *m, const uint8_t key[static 8])
{
	test_memory_init(m);
	table_init(t, &m->memory, key);
}

static void stop(struct table *t, const struct test_memory *m)
{
	table_done(t);
	assert_int_equal(m->outstanding, 0);
}

/* The vector of the paper: key 1918 1110 0908 0100, the last word first in memory. */
static void permutation_is_speck_32_64(void **state)
{
	static const uint8_t key[8] = { 0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19 };
	struct test_memory m;
	struct table t;

	(void)state;
	start(&t, &m, key);
	assert_int_equal(table_permute(&t, 0x6574694c), 0xa86842f2);
	stop(&t, &m);
}

static void rules_of_one_entry(void **state)
{
	struct session *session = (struct session *)(void *)&peers[1];
	struct table_entry *e;
	struct test_memory m;
	struct table t;
	uint32_t index;

	(void)state;
	start(&t, &m, some_key);
	assert_int_equal(table_add(&t, &peers[0], NULL), 0);
	assert_null(table_find(&t, 1));
	assert_true(table_reserve(&t, 1));
	index = table_add(&t, &peers[0], NULL);
	assert_int_not_equal(index, 0);
	assert_int_equal(t.used, 1);
	e = table_find(&t, index);
	assert_non_null(e);
	assert_ptr_equal(e->peer, &peers[0]);
	assert_null(e->session);
	e->session = session;
	assert_ptr_equal(table_find(&t, index)->session, session);
	assert_null(table_find(&t, 0));
	assert_null(table_find(&t, index + 1));
	table_remove(&t, index + 1);
	assert_int_equal(t.used, 1);
	table_remove(&t, index);
	assert_null(table_find(&t, index));
	assert_int_equal(t.used, 0);
	table_remove(&t, index);
	assert_int_equal(t.used, 0);
	assert_non_null(table_find(&t, table_add(&t, &peers[0], session)));
	stop(&t, &m);
}

static void full_table_gives_no_index(void **state)
{
	struct test_memory m;
	struct table t;
	uint32_t last = 0;

	(void)state;
	start(&t, &m, some_key);
	assert_true(table_reserve(&t, 100));
	assert_true(t.size >= 100);
	for (uint32_t i = 0; i < t.size; ++i) {
		last = table_add(&t, &peers[0], NULL);
		assert_int_not_equal(last, 0);
	}
	assert_int_equal(t.used, t.size);
	assert_int_equal(table_add(&t, &peers[0], NULL), 0);
	table_remove(&t, last);
	assert_int_not_equal(table_add(&t, &peers[0], NULL), 0);
	assert_int_equal(table_add(&t, &peers[0], NULL), 0);
	stop(&t, &m);
}

/* What lies behind the slots looks like a live one of the first generation. */
static void *take_with_bait(void *ctx, size_t len)
{
	uint8_t *p = calloc(1, len + 64);

	(void)ctx;
	assert_non_null(p);
	memset(p + len, 0xff, sizeof(void *));
	return p;
}

static void give_with_bait(void *ctx, void *p, size_t len)
{
	(void)ctx;
	(void)len;
	free(p);
}

static void slot_beyond_the_end_is_not_read(void **state)
{
	const struct memory memory = { .take = take_with_bait, .give = give_with_bait };
	struct table t;

	(void)state;
	table_init(&t, &memory, some_key);
	assert_true(table_reserve(&t, 64));
	assert_null(table_find(&t, table_permute(&t, t.size)));
	table_done(&t);
}

/* With the slots reused oldest first, an old index is dead for size * 512 additions. */
static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void old_index_finds_nothing_for_long(void **state)
{
	static uint32_t given[64 * 512];
	struct test_memory m;
	struct table t;
	uint32_t old;

	(void)state;
	start(&t, &m, some_key);
	assert_true(table_reserve(&t, 64));
	old = table_add(&t, &peers[0], NULL);
	table_remove(&t, old);
	for (uint32_t i = 0; i < t.size * 512 - 1; ++i) {
		const uint32_t index = table_add(&t, &peers[1], NULL);

		assert_int_not_equal(index, old);
		assert_null(table_find(&t, old));
		table_remove(&t, index);
		given[i] = index;
	}
	given[ELEMENTS(given) - 1] = old;
	qsort(given, ELEMENTS(given), sizeof(given[0]), compare);
	for (size_t i = 1; i < ELEMENTS(given); ++i)
		assert_true(given[i - 1] < given[i]);
	stop(&t, &m);
}

/* Under this key the index 0 is slot 28 in its 318th generation. */
static void zero_is_never_given_out(void **state)
{
	static const uint8_t key[8] = { 0x5c, 0x3c, 0x04 };
	struct test_memory m;
	struct table t;

	(void)state;
	start(&t, &m, key);
	assert_true(table_reserve(&t, 64));
	assert_int_equal(table_permute(&t, UINT32_C(318) << TABLE_SLOT_BITS | 28), 0);
	for (uint32_t i = 0; i < 64 * 512; ++i) {
		const uint32_t index = table_add(&t, &peers[0], NULL);

		assert_int_not_equal(index, 0);
		assert_null(table_find(&t, 0));
		table_remove(&t, 0);
		assert_int_equal(t.used, 1);
		table_remove(&t, index);
	}
	stop(&t, &m);
}

static void growth_keeps_live_indices(void **state)
{
	enum { N = 3000 };
	static uint32_t live[N];
	struct test_memory m;
	struct table t;

	(void)state;
	start(&t, &m, some_key);
	for (uint32_t i = 0; i < N; ++i) {
		assert_true(table_reserve(&t, i + 1));
		live[i] = table_add(&t, &peers[i % 2], NULL);
		assert_int_not_equal(live[i], 0);
		if (i % 3 == 2) {
			table_remove(&t, live[i - 1]);
			live[i - 1] = table_add(&t, &peers[i % 2], NULL);
		}
	}
	assert_int_equal(t.used, N);
	for (uint32_t i = 0; i < N; ++i)
		assert_non_null(table_find(&t, live[i]));
	for (uint32_t i = 0; i < N; ++i)
		table_remove(&t, live[i]);
	assert_int_equal(t.used, 0);
	stop(&t, &m);
}

static void failed_reserve_changes_nothing(void **state)
{
	struct test_memory m;
	struct table t;
	uint32_t index;

	(void)state;
	start(&t, &m, some_key);
	test_memory_fail(&m, 1, true);
	assert_false(table_reserve(&t, 1));
	assert_int_equal(table_add(&t, &peers[0], NULL), 0);
	test_memory_heal(&m);
	assert_true(table_reserve(&t, 1));
	index = table_add(&t, &peers[0], NULL);
	test_memory_fail(&m, 1, true);
	assert_false(table_reserve(&t, t.size + 1));
	assert_non_null(table_find(&t, index));
	assert_int_not_equal(table_add(&t, &peers[0], NULL), 0);
	test_memory_heal(&m);
	assert_false(table_reserve(&t, (size_t)TABLE_SLOTS_MAX + 1));
	assert_false(table_reserve(&t, SIZE_MAX));
	stop(&t, &m);
}

/* Adds and removals at random, against an array of what lives. */
static void random_changes_match_naive(void **state)
{
	enum { N = 200 };
	struct {
		uint32_t index;
		struct session *session;
	} live[N];
	struct test_memory m;
	struct table t;
	uint64_t seed = 11;
	uint32_t n = 0, size;

	(void)state;
	start(&t, &m, some_key);
	assert_true(table_reserve(&t, N));
	size = t.size;
	for (uint32_t round = 1; round < 30000; ++round) {
		if (n < N && test_random_below(&seed, 2)) {
			live[n].session = (struct session *)(uintptr_t)round;
			live[n].index = table_add(&t, &peers[0], live[n].session);
			++n;
		} else if (n) {
			const uint32_t k = (uint32_t)test_random_below(&seed, n);

			table_remove(&t, live[k].index);
			assert_null(table_find(&t, live[k].index));
			live[k] = live[--n];
		}
		for (uint32_t i = 0; i < n; i += 1 + n / 16) {
			const struct table_entry *e = table_find(&t, live[i].index);

			assert_non_null(e);
			assert_ptr_equal(e->session, live[i].session);
		}
		assert_int_equal(t.used, n);
	}
	assert_int_equal(t.size, size);
	stop(&t, &m);
}

enum { IDS = 1000000 };

/* Sum over 256 values of (seen - expected)^2 / expected: 255 degrees of freedom, so 255 +- 23. */
static void check_bytes_are_even(const uint32_t *ids, unsigned int shift)
{
	const double expected = IDS / 256.0;
	uint32_t seen[256] = { 0 };
	double sum = 0;

	for (size_t i = 0; i < IDS; ++i)
		++seen[ids[i] >> shift & 0xff];
	for (size_t i = 0; i < 256; ++i)
		sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	assert_true(sum > 140 && sum < 390);
}

/* Neighbours differ in half of their bits, whatever peer they are of and however old they are. */
static void check_unrelated(const uint32_t *ids, size_t step)
{
	uint64_t bits = 0, close = 0;
	double mean;

	for (size_t i = step; i < IDS; ++i) {
		const int differ = __builtin_popcount(ids[i] ^ ids[i - step]);

		bits += (uint64_t)differ;
		close += ids[i] - ids[i - step] + 65536 < 131072;
	}
	mean = (double)bits / (double)(IDS - step);
	assert_true(mean > 15.98 && mean < 16.02);
	assert_true(close < 90);
}

/* A set of all that were given out, 0 for a free place. */
static void check_is_new(uint32_t id)
{
	static uint32_t given[1 << 21];
	size_t at = id % ELEMENTS(given);

	while (given[at]) {
		assert_int_not_equal(given[at], id);
		at = (at + 1) % ELEMENTS(given);
	}
	given[at] = id;
}

static void fh7_indices_do_not_collide_or_tell(void **state)
{
	static uint32_t ids[IDS];
	struct test_memory m;
	struct table t;
	uint8_t key[8];
	uint64_t seed = 42;

	(void)state;
	test_random_fill(&seed, key, sizeof(key));
	start(&t, &m, key);
	assert_true(table_reserve(&t, 4096));
	/* Two peers in turn; one in sixteen lives on, the others make room for the next generation.
	 */
	for (size_t i = 0; i < IDS; ++i) {
		if (t.used >= t.size - 16)
			assert_true(table_reserve(&t, 2 * (size_t)t.size));
		ids[i] = table_add(&t, &peers[i % 2], NULL);
		assert_int_not_equal(ids[i], 0);
		check_is_new(ids[i]);
		if (i % 16 && i >= 8)
			table_remove(&t, ids[i]);
	}
	for (unsigned int shift = 0; shift < 32; shift += 8)
		check_bytes_are_even(ids, shift);
	for (size_t step = 1; step < 4; ++step)
		check_unrelated(ids, step);
	check_unrelated(ids, 4096);
	stop(&t, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permutation_is_speck_32_64),
		cmocka_unit_test(rules_of_one_entry),
		cmocka_unit_test(full_table_gives_no_index),
		cmocka_unit_test(slot_beyond_the_end_is_not_read),
		cmocka_unit_test(old_index_finds_nothing_for_long),
		cmocka_unit_test(zero_is_never_given_out),
		cmocka_unit_test(growth_keeps_live_indices),
		cmocka_unit_test(failed_reserve_changes_nothing),
		cmocka_unit_test(random_changes_match_naive),
		cmocka_unit_test(fh7_indices_do_not_collide_or_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
