#include "net/quarrel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START (1000 * NS_PER_S)

static void once_in_a_while_is_put_back_at_once(void **state)
{
	struct quarrel q = { 0 };
	uint64_t until;

	(void)state;
	for (uint64_t i = 0; i < 100; ++i)
		assert_int_equal(quarrel_ask(&q, ITEM_RULE, START + i * QUARREL_CALM, &until),
				 QUARREL_MEND);
}

static void first_try_is_at_once_after_boot(void **state)
{
	struct quarrel q = { 0 };
	uint64_t until;

	(void)state;
	assert_int_equal(quarrel_ask(&q, ITEM_RULE, 1, &until), QUARREL_MEND);
}

/* Somebody removes it whenever it is put back. */
static void again_and_again_is_told_once_and_left(void **state)
{
	static const uint64_t waits[] = { 10, 20, 40, 80, 160, 320, 600, 600, 600 };
	struct quarrel q = { 0 };
	uint64_t now = START, until;

	(void)state;
	for (int i = 1; i < QUARREL_TRIES; ++i)
		assert_int_equal(quarrel_ask(&q, ITEM_RULE, ++now, &until), QUARREL_MEND);
	assert_int_equal(quarrel_ask(&q, ITEM_RULE, ++now, &until), QUARREL_BEGINS);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); ++i) {
		assert_int_equal(quarrel_ask(&q, ITEM_RULE, now + 1, &until), QUARREL_LEAVE);
		assert_int_equal(until, now + waits[i] * NS_PER_S);
		assert_int_equal(quarrel_ask(&q, ITEM_RULE, until - 1, &until), QUARREL_LEAVE);
		now = until;
		assert_int_equal(quarrel_ask(&q, ITEM_RULE, now, &until), QUARREL_MEND);
	}
}

static void what_lasts_ends_it(void **state)
{
	struct quarrel q = { 0 };
	uint64_t now = START, until = 0;

	(void)state;
	for (int i = 0; i < QUARREL_TRIES; ++i)
		(void)quarrel_ask(&q, ITEM_TABLE, now, &until);
	now += QUARREL_WAIT + QUARREL_CALM - 1;
	assert_int_equal(quarrel_ask(&q, ITEM_TABLE, now, &until), QUARREL_MEND);
	assert_int_equal(quarrel_ask(&q, ITEM_TABLE, now + 1, &until), QUARREL_LEAVE);
	now += 2 * QUARREL_WAIT + QUARREL_CALM;
	for (int i = 1; i < QUARREL_TRIES; ++i)
		assert_int_equal(quarrel_ask(&q, ITEM_TABLE, now, &until), QUARREL_MEND);
	assert_int_equal(quarrel_ask(&q, ITEM_TABLE, now, &until), QUARREL_BEGINS);
}

static void kinds_have_nothing_to_do_with_each_other(void **state)
{
	struct quarrel q = { 0 };
	uint64_t until;

	(void)state;
	for (int i = 0; i < QUARREL_TRIES; ++i)
		(void)quarrel_ask(&q, ITEM_RULE, START, &until);
	assert_int_equal(quarrel_ask(&q, ITEM_RULE, START, &until), QUARREL_LEAVE);
	assert_int_equal(quarrel_ask(&q, ITEM_ROUTE, START, &until), QUARREL_MEND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(once_in_a_while_is_put_back_at_once),
		cmocka_unit_test(first_try_is_at_once_after_boot),
		cmocka_unit_test(again_and_again_is_told_once_and_left),
		cmocka_unit_test(what_lasts_ends_it),
		cmocka_unit_test(kinds_have_nothing_to_do_with_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
