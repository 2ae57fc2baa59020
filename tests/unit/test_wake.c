#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire.h"

/*
 * When a worker wakes the brain: for what the core wants done, and for a deadline before the one
 * that the brain sleeps for. Not for a packet as such.
 */
static struct wire wire;

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	(void)fd;
	(void)flags;
	return wire_sendmsg(&wire, m);
}

static int begin(void **state)
{
	(void)state;
	wire_begin(&wire);
	return 0;
}

static int begin_without_session(void **state)
{
	(void)state;
	plane_init_without_session(&wire.plane);
	wire_forget(&wire);
	return 0;
}

static int end(void **state)
{
	(void)state;
	plane_done(&wire.plane);
	return 0;
}

static struct device *sender(void)
{
	return &wire.plane.d[0];
}

/* How often it was woken since. */
static uint64_t woken(void)
{
	uint64_t n;

	if (read(sender()->wake, &n, sizeof(n)) == sizeof(n))
		return n;
	assert_int_equal(errno, EAGAIN);
	return 0;
}

/* The brain has seen all there was, and sleeps. */
static void sleep_until(uint64_t deadline)
{
	(void)woken();
	atomic_store(&sender()->wake_is_set, false);
	sender()->armed = deadline;
}

static void send_one(void)
{
	wire_forget(&wire);
	wire_feed(&wire, "a");
	wire_drain(&wire);
}

static void a_deadline_before_the_armed_one_counts(void **state)
{
	static const struct {
		int64_t later; /* armed, than the deadline */
		bool needs;
	} rows[] = {
		{ -1000000000, false }, { -1, false }, { 0, false }, { 1, true },
		{ 1000000000, true },
	};
	uint64_t deadline;

	(void)state;
	send_one();
	deadline = core_deadline(sender()->core);
	assert_true(deadline < TIME_NEVER);
	assert_false(core_has_output(sender()->core));
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		sleep_until(deadline + (uint64_t)rows[i].later);
		assert_int_equal(device_needs_brain(sender()), rows[i].needs);
	}
	sleep_until(TIME_NEVER);
	assert_true(device_needs_brain(sender()));
}

static void packets_as_such_wake_nobody(void **state)
{
	(void)state;
	send_one();
	sleep_until(core_deadline(sender()->core));
	for (int i = 0; i < 20; ++i)
		send_one();
	assert_int_equal(woken(), 0);
}

/* Once, until the brain has looked: more would cost a system call a packet. */
static void one_wake_is_enough(void **state)
{
	(void)state;
	sleep_until(TIME_NEVER);
	for (int i = 0; i < 20; ++i)
		send_one();
	assert_int_equal(woken(), 1);
	sleep_until(TIME_NEVER);
	send_one();
	assert_int_equal(woken(), 1);
}

/* Whatever is armed: the packet waits for a handshake that the brain must make. */
static void what_the_core_wants_done_wakes(void **state)
{
	(void)state;
	sleep_until(0);
	wire_feed(&wire, "a");
	assert_true(outbound_drain(&wire.plane.out));
	assert_true(core_has_output(sender()->core) && device_needs_brain(sender()));
	assert_int_equal(woken(), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_deadline_before_the_armed_one_counts, begin, end),
		cmocka_unit_test_setup_teardown(packets_as_such_wake_nobody, begin, end),
		cmocka_unit_test_setup_teardown(one_wake_is_enough, begin, end),
		cmocka_unit_test_setup_teardown(what_the_core_wants_done_wakes,
						begin_without_session, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
