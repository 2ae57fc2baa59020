#include "net/mend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct endpoint at(uint8_t n)
{
	return (struct endpoint){ .ip = { .family = FAMILY_V4, .bytes = { 192, 0, 2, n } },
				  .port = 51820 };
}

/* One turn: which address is taken, 0 for none. */
struct turn {
	enum mend_step step;
	uint8_t takes;
	uint64_t wait; /* s */
};

static void run(const uint8_t *found, size_t count, uint8_t used, bool may_rotate,
		const struct turn *rows, size_t turns)
{
	struct endpoint addresses[8], now = at(used), next;
	struct mend m = { 0 };

	if (!used)
		now = (struct endpoint){ 0 };
	for (size_t i = 0; i < count; ++i)
		addresses[i] = at(found[i]);
	for (size_t i = 0; i < turns; ++i) {
		const enum mend_step step =
			mend_next(&m, &now, addresses, count, may_rotate, &next);
		const struct endpoint want = at(rows[i].takes);

		assert_int_equal(step, rows[i].step);
		if (step == MEND_ENDPOINT) {
			assert_true(endpoint_equal(&next, &want));
			now = next;
		}
		assert_int_equal(mend_wait(&m) / NS_PER_S, rows[i].wait);
	}
}

#define RUN(found, used, may_rotate, ...)                                                     \
	run(found, sizeof(found) - 1, used, may_rotate, (const struct turn[]){ __VA_ARGS__ }, \
	    sizeof((const struct turn[]){ __VA_ARGS__ }) / sizeof(struct turn))

static const uint8_t one[] = { 1, 0 }, two[] = { 1, 2, 0 }, three[] = { 1, 2, 3, 0 };
static const uint8_t none[] = { 0 };

static void e7_new_address_is_taken(void **state)
{
	(void)state;
	RUN(one, 9, false, { MEND_ENDPOINT, 1, 0 }, { MEND_NOTHING, 0, 15 },
	    { MEND_NOTHING, 0, 30 });
	RUN(two, 9, false, { MEND_ENDPOINT, 1, 0 }, { MEND_ENDPOINT, 2, 0 },
	    { MEND_NOTHING, 0, 15 });
}

static void a11_name_that_had_no_address(void **state)
{
	(void)state;
	RUN(two, 0, true, { MEND_ENDPOINT, 1, 0 }, { MEND_ENDPOINT, 2, 0 }, { MEND_PORT, 0, 15 });
}

static void e8_every_address_has_its_turn(void **state)
{
	(void)state;
	RUN(two, 1, false, { MEND_ENDPOINT, 2, 0 }, { MEND_NOTHING, 0, 15 },
	    { MEND_ENDPOINT, 1, 0 }, { MEND_NOTHING, 0, 30 });
	RUN(three, 2, true, { MEND_ENDPOINT, 3, 0 }, { MEND_ENDPOINT, 1, 0 }, { MEND_PORT, 0, 15 },
	    { MEND_ENDPOINT, 2, 0 }, { MEND_ENDPOINT, 3, 0 }, { MEND_PORT, 0, 30 });
}

static void e12_then_another_port(void **state)
{
	(void)state;
	RUN(one, 1, true, { MEND_PORT, 0, 15 }, { MEND_PORT, 0, 30 }, { MEND_PORT, 0, 60 },
	    { MEND_PORT, 0, 120 }, { MEND_PORT, 0, 240 }, { MEND_PORT, 0, 480 },
	    { MEND_PORT, 0, 600 }, { MEND_PORT, 0, 600 });
	RUN(none, 1, true, { MEND_PORT, 0, 15 }, { MEND_PORT, 0, 30 });
	RUN(none, 1, false, { MEND_NOTHING, 0, 15 });
}

static void waits_end(void **state)
{
	const struct endpoint only = at(1);
	struct endpoint next;
	struct mend m = { 0 };

	(void)state;
	for (int i = 0; i < 200; ++i) {
		assert_int_equal(mend_next(&m, &only, &only, 1, false, &next), MEND_NOTHING);
		assert_true(mend_wait(&m) >= MEND_WAIT && mend_wait(&m) <= MEND_WAIT_MAX);
	}
}

/* A name that changes all the time gives each new address its turn, and no more. */
static void name_that_changes(void **state)
{
	struct endpoint now = at(1), next;
	struct mend m = { 0 };

	(void)state;
	for (uint8_t i = 2; i < 100; ++i) {
		const struct endpoint found = at(i);

		assert_int_equal(mend_next(&m, &now, &found, 1, true, &next), MEND_ENDPOINT);
		now = next;
	}
	assert_int_equal(m.rounds, 0);
	assert_int_equal(mend_next(&m, &now, &now, 1, true, &next), MEND_PORT);
}

static void answer_ends_it(void **state)
{
	const struct endpoint only = at(1);
	struct endpoint next;
	struct mend m = { 0 };

	(void)state;
	for (int i = 0; i < 5; ++i)
		assert_int_equal(mend_next(&m, &only, &only, 1, true, &next), MEND_PORT);
	mend_done(&m);
	assert_int_equal(mend_next(&m, &only, &only, 1, true, &next), MEND_PORT);
	assert_int_equal(mend_wait(&m), 15 * NS_PER_S);
}

static void look_ups_that_fail(void **state)
{
	static const uint64_t waits[] = { 1, 2, 4, 8, 16, 32, 64, 120, 120 };
	const struct endpoint only = at(1);
	struct endpoint next;
	struct mend m = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); ++i)
		assert_int_equal(mend_failed(&m) / NS_PER_S, waits[i]);
	for (size_t i = 0; i < 100; ++i)
		assert_int_equal(mend_failed(&m) / NS_PER_S, 120);
	assert_int_equal(mend_next(&m, &only, &only, 1, false, &next), MEND_NOTHING);
	assert_int_equal(mend_failed(&m), NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e7_new_address_is_taken),
		cmocka_unit_test(a11_name_that_had_no_address),
		cmocka_unit_test(e8_every_address_has_its_turn),
		cmocka_unit_test(e12_then_another_port),
		cmocka_unit_test(waits_end),
		cmocka_unit_test(name_that_changes),
		cmocka_unit_test(answer_ends_it),
		cmocka_unit_test(look_ups_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
