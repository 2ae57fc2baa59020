#include "device/send_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "support.h"

static struct endpoint endpoint(uint8_t last, uint16_t port)
{
	return (struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, last } }, .port = port };
}

static void a_refused_size_is_left_alone_for_a_while(void **state)
{
	struct send_limits l = { 0 };
	const struct endpoint a = endpoint(1, 51820), b = endpoint(1, 51821);
	const uint64_t start = 1000 * NS_PER_S;

	(void)state;
	assert_true(send_limit_allows(&l, &a, 1452, start));
	send_limit_refused(&l, &a, 1452, true, start);
	assert_false(send_limit_allows(&l, &a, 1452, start));
	assert_false(send_limit_allows(&l, &a, 9000, start));
	assert_true(send_limit_allows(&l, &a, 1451, start)); /* shorter ones may pass */
	assert_true(send_limit_allows(&l, &b, 1452, start)); /* and other paths do */
	assert_false(send_limit_allows(&l, &a, 1452, start + 10 * NS_PER_S - 1));
	assert_true(send_limit_allows(&l, &a, 1452, start + 10 * NS_PER_S));
	send_limit_refused(&l, &a, 1300, true, start + 1);
	assert_false(send_limit_allows(&l, &a, 1300, start + 2));
	send_limit_refused(&l, &a, 1400, true, start + 2); /* what is known already stays */
	assert_false(send_limit_allows(&l, &a, 1300, start + 3));
	send_limit_refused(&l, &a, 1452, false, start + 3); /* EIO: no batch at all */
	assert_false(send_limit_allows(&l, &a, 1, start + 4));
}

static void the_pause_doubles_up_to_ten_minutes(void **state)
{
	static const uint64_t pauses[] = { 10, 20, 40, 80, 160, 320, 600, 600 };
	struct send_limits l = { 0 };
	const struct endpoint a = endpoint(9, 1);
	uint64_t now = NS_PER_S;

	(void)state;
	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); ++i) {
		send_limit_refused(&l, &a, 1452, true, now);
		assert_false(send_limit_allows(&l, &a, 1452, now + pauses[i] * NS_PER_S - 1));
		now += pauses[i] * NS_PER_S;
		assert_true(send_limit_allows(&l, &a, 1452, now));
	}
	/* after the pause a shorter size is known anew, not the old one */
	send_limit_refused(&l, &a, 9000, true, now);
	assert_true(send_limit_allows(&l, &a, 1452, now));
}

static void a_way_that_is_wide_again_begins_anew(void **state)
{
	struct send_limits l = { 0 };
	const struct endpoint a = endpoint(1, 1);
	struct endpoint b = a;
	uint64_t now = NS_PER_S;

	(void)state;
	for (int i = 0; i < 5; ++i)
		send_limit_refused(&l, &a, 1452, true, now);
	send_limit_passed(&l, &a, 1451);                   /* says nothing of longer ones */
	for (unsigned int port = 2; port < 1000; ++port) { /* nor another's way */
		b.port = (uint16_t)port;
		send_limit_passed(&l, &b, 1452);
	}
	assert_false(send_limit_allows(&l, &a, 1452, now + 100 * NS_PER_S));
	send_limit_passed(&l, &a, 1452);
	assert_true(send_limit_allows(&l, &a, 1452, now));
	send_limit_refused(&l, &a, 1452, true, now);
	assert_true(send_limit_allows(&l, &a, 1452, now + 10 * NS_PER_S));
}

/* Whatever meets in one place: nobody is held to another's limit. */
static void a_limit_is_of_one_endpoint(void **state)
{
	struct send_limits *l = calloc(1, sizeof(*l));
	uint64_t seed = 7;

	(void)state;
	assert_non_null(l);
	for (int i = 0; i < 20000; ++i) {
		struct endpoint a = endpoint(0, 0), b;

		test_random_fill(&seed, &a.port, sizeof(a.port));
		test_random_fill(&seed, a.ip.bytes, 4);
		send_limit_refused(l, &a, 1000, true, NS_PER_S);
		assert_false(send_limit_allows(l, &a, 1000, NS_PER_S));
		b = a;
		b.ip.bytes[i % 4] ^= 1;
		assert_true(send_limit_allows(l, &b, 1000, NS_PER_S));
		b = a;
		b.scope = 1;
		assert_true(send_limit_allows(l, &b, 1000, NS_PER_S));
	}
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_size_is_left_alone_for_a_while),
		cmocka_unit_test(the_pause_doubles_up_to_ten_minutes),
		cmocka_unit_test(a_way_that_is_wide_again_begins_anew),
		cmocka_unit_test(a_limit_is_of_one_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
