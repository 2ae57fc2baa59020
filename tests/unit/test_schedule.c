#include "wg/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"
#include "wg/peer.h"

enum { PEERS = 40 };

static struct peer peers[PEERS];

static void start(struct schedule *s, struct test_memory *m)
{
	memset(peers, 0, sizeof(peers));
	for (size_t i = 0; i < PEERS; ++i)
		peers[i].due = TIME_NEVER;
	test_memory_init(m);
	schedule_init(s, &m->memory);
}

static void stop(struct schedule *s, const struct test_memory *m)
{
	schedule_done(s);
	assert_int_equal(m->outstanding, 0);
}

static struct peer *at_place(const struct schedule *s, size_t at)
{
	return s->heap[at / SCHEDULE_CHUNK][at % SCHEDULE_CHUNK];
}

static void check_heap(const struct schedule *s)
{
	for (size_t i = 0; i < s->used; ++i) {
		assert_int_equal(at_place(s, i)->at, i);
		assert_true(i == 0 || at_place(s, (i - 1) / 2)->due <= at_place(s, i)->due);
	}
}

static void rules(void **state)
{
	struct test_memory m;
	struct schedule s;

	(void)state;
	start(&s, &m);
	assert_true(schedule_first(&s) == TIME_NEVER);
	assert_null(schedule_take(&s, TIME_NEVER - 1));
	assert_true(schedule_reserve(&s, 3));
	schedule_by(&s, &peers[0], TIME_NEVER);
	assert_int_equal(s.used, 0);
	schedule_by(&s, &peers[0], 50);
	schedule_by(&s, &peers[1], 40);
	assert_true(schedule_first(&s) == 40);
	/* Later is no reason to move, earlier is. */
	schedule_by(&s, &peers[1], 60);
	assert_true(schedule_first(&s) == 40);
	schedule_by(&s, &peers[0], 30);
	assert_true(schedule_first(&s) == 30);
	assert_null(schedule_take(&s, 29));
	assert_ptr_equal(schedule_take(&s, 30), &peers[0]);
	assert_true(peers[0].due == TIME_NEVER);
	assert_null(schedule_take(&s, 39));
	schedule_remove(&s, &peers[0]);
	schedule_remove(&s, &peers[1]);
	assert_true(schedule_first(&s) == TIME_NEVER);
	stop(&s, &m);
}

static void growth_keeps_order_and_failure_changes_nothing(void **state)
{
	struct test_memory m;
	struct schedule s;

	(void)state;
	start(&s, &m);
	test_memory_fail(&m, 1, true);
	assert_false(schedule_reserve(&s, 1));
	test_memory_heal(&m);
	for (size_t i = 0; i < PEERS; ++i) {
		test_memory_fail(&m, 1, true);
		if (s.room <= i)
			assert_false(schedule_reserve(&s, i + 1));
		test_memory_heal(&m);
		check_heap(&s);
		assert_true(schedule_reserve(&s, i + 1));
		schedule_by(&s, &peers[i], 1000 - 7 * i);
	}
	for (size_t i = PEERS; i-- > 0;)
		assert_ptr_equal(schedule_take(&s, 1000), &peers[i]);
	stop(&s, &m);
}

static uint64_t naive_first(void)
{
	uint64_t first = TIME_NEVER;

	for (size_t i = 0; i < PEERS; ++i)
		if (peers[i].due < first)
			first = peers[i].due;
	return first;
}

/* The model: an array of what must be due when. */
static void random_changes_match_naive(void **state)
{
	uint64_t seed = 21, due[PEERS], now = 1;
	struct test_memory m;
	struct schedule s;

	(void)state;
	start(&s, &m);
	assert_true(schedule_reserve(&s, PEERS));
	memset(due, 0xff, sizeof(due));
	for (int round = 0; round < 100000; ++round) {
		const size_t i = test_random_below(&seed, PEERS);
		uint64_t at = now + test_random_below(&seed, 500);
		struct peer *p;

		switch (test_random_below(&seed, 4)) {
		case 0:
		case 1:
			schedule_by(&s, &peers[i], at);
			due[i] = at < due[i] ? at : due[i];
			break;
		case 2:
			schedule_remove(&s, &peers[i]);
			due[i] = TIME_NEVER;
			break;
		default:
			now += test_random_below(&seed, 20);
			while ((p = schedule_take(&s, now))) {
				at = due[p - peers];
				assert_true(at <= now);
				due[p - peers] = TIME_NEVER;
				assert_true(naive_first() >= at);
			}
		}
		for (size_t k = 0; k < PEERS; ++k)
			assert_true(peers[k].due == due[k]);
		assert_true(schedule_first(&s) == naive_first());
		check_heap(&s);
	}
	stop(&s, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(growth_keeps_order_and_failure_changes_nothing),
		cmocka_unit_test(random_changes_match_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
