#include "wg/reject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

static struct rejects rejects; /* large */
static struct test_memory memory;

static int set_up(void **state)
{
	(void)state;
	test_memory_init(&memory);
	reject_init(&rejects, &memory.memory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(memory.outstanding, 0);
	return 0;
}

static struct moment at(uint64_t s)
{
	return (struct moment){ .boot = s * NS_PER_S, .real = (1000 + s) * NS_PER_S };
}

static void names_are_words_and_differ(void **state)
{
	(void)state;
	for (int i = 0; i < REJECT_REASONS; ++i) {
		const char *name = reject_name((enum reject_reason)i);

		assert_non_null(name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(name));
		assert_true(strlen(name) > 2);
		for (int k = 0; k < i; ++k)
			assert_string_not_equal(name, reject_name((enum reject_reason)k));
	}
}

static void counts_device_and_peer(void **state)
{
	const struct endpoint from = { .ip = { FAMILY_V4, { 1, 2, 3, 4 } }, .port = 5 };
	const struct reject_counter *device = &rejects.device.by_reason[REJECT_MAC1];
	struct reject_set *set = NULL;

	(void)state;
	reject_count(&rejects, NULL, REJECT_MAC1, at(1), &from);
	assert_int_equal(device->count, 1);
	assert_true(device->last_real == 1001 * NS_PER_S);
	assert_true(endpoint_equal(&device->from, &from));
	assert_int_equal(memory.takes, 0);
	/* Without a source the last known one stays. */
	reject_count(&rejects, &set, REJECT_MAC1, at(2), NULL);
	assert_int_equal(device->count, 2);
	assert_true(device->last_real == 1002 * NS_PER_S);
	assert_true(endpoint_equal(&device->from, &from));
	assert_non_null(set);
	assert_int_equal(set->by_reason[REJECT_MAC1].count, 1);
	assert_false(endpoint_is_set(&set->by_reason[REJECT_MAC1].from));
	reject_count(&rejects, &set, REJECT_TAG, at(3), &from);
	assert_int_equal(set->by_reason[REJECT_TAG].count, 1);
	assert_int_equal(device->count, 2);
	assert_int_equal(memory.takes, 1);
	reject_forget(&rejects, &set);
	assert_null(set);
	reject_forget(&rejects, &set);
	assert_int_equal(rejects.peer_sets, 0);
}

static void peer_sets_are_bounded(void **state)
{
	static struct reject_set *sets[REJECT_PEERS_MAX + 1];
	struct reject_set **last = &sets[REJECT_PEERS_MAX];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(sets); ++i)
		reject_count(&rejects, &sets[i], REJECT_TAG, at(1), NULL);
	assert_null(*last);
	assert_int_equal(rejects.peer_sets, REJECT_PEERS_MAX);
	assert_int_equal(rejects.device.by_reason[REJECT_TAG].count, REJECT_PEERS_MAX + 1);
	reject_forget(&rejects, &sets[3]);
	reject_count(&rejects, last, REJECT_TAG, at(1), NULL);
	assert_non_null(*last);
	for (size_t i = 0; i < ELEMENTS(sets); ++i)
		reject_forget(&rejects, &sets[i]);
}

static void no_memory_still_counts_the_device(void **state)
{
	struct reject_set *set = NULL;

	(void)state;
	test_memory_fail(&memory, 1, false);
	reject_count(&rejects, &set, REJECT_TAG, at(1), NULL);
	assert_null(set);
	assert_int_equal(rejects.peer_sets, 0);
	assert_int_equal(rejects.device.by_reason[REJECT_TAG].count, 1);
	reject_count(&rejects, &set, REJECT_TAG, at(1), NULL);
	assert_non_null(set);
	reject_forget(&rejects, &set);
}

static struct key_public key(uint8_t n)
{
	return (struct key_public){ { n } };
}

static void knock(uint8_t n, uint64_t s)
{
	const struct endpoint from = { .ip = { FAMILY_V4, { 9 } }, .port = n };
	const struct key_public k = key(n);

	reject_knock(&rejects, &k, at(s), &from);
}

/* Zero where the key is not among the knocks. */
static struct reject_counter seen(uint8_t n)
{
	const struct key_public k = key(n);

	for (size_t i = 0; i < REJECT_KNOCKS; ++i)
		if (rejects.knocks[i].seen.count &&
		    memcmp(&rejects.knocks[i].key, &k, sizeof(k)) == 0)
			return rejects.knocks[i].seen;
	return (struct reject_counter){ 0 };
}

static void knocks_keep_the_latest(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < REJECT_KNOCKS; ++i)
		knock(i, i);
	for (uint8_t i = 0; i < REJECT_KNOCKS; ++i) {
		assert_int_equal(seen(i).count, 1);
		assert_int_equal(seen(i).from.port, i);
	}
	/* The first knocks again, so the second is the oldest. */
	knock(0, 50);
	assert_int_equal(seen(0).count, 2);
	assert_true(seen(0).last_real == 1050 * NS_PER_S);
	knock(100, 51);
	assert_int_equal(seen(0).count, 2);
	assert_int_equal(seen(1).count, 0);
	assert_int_equal(seen(100).count, 1);
	knock(101, 52);
	assert_int_equal(seen(2).count, 0);
	assert_int_equal(seen(3).count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_words_and_differ),
		cmocka_unit_test_setup_teardown(counts_device_and_peer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(peer_sets_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_memory_still_counts_the_device, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(knocks_keep_the_latest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
