#include "base/zone.h"

#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Each way of asking gives what the C library says. */
static void check_zones(void)
{
	char name[ZONE_NAME] = "kept";
	uint32_t index;

	index = if_nametoindex("lo");
	assert_int_not_equal(index, 0);
	assert_int_equal(zone_index("lo"), index);
	assert_true(zone_name(index, name));
	assert_string_equal(name, "lo");
	assert_false(zone_name(UINT32_MAX, name));
	assert_false(zone_name(0, name));
	assert_string_equal(name, "lo");
	assert_int_equal(zone_index("no-such-link"), 0);
	assert_int_equal(zone_index(""), 0);
	assert_int_equal(zone_index("a-name-of-16-chr"), 0);
	assert_int_equal(zone_index("lo and much more than fits into a name"), 0);
}

static void a_socket_of_its_own(void **state)
{
	(void)state;
	check_zones();
}

static void a_socket_that_is_there(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	zone_ask_through(fds[0]);
	check_zones();
	zone_ask_through(-1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_of_its_own),
		cmocka_unit_test(a_socket_that_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
