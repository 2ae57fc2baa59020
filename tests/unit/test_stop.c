#include "cli/stop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* nohup(1), and what a shell starts in the background. */
static void what_is_ignored_stays_so(void **state)
{
	(void)state;
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	stop_listen();
	(void)raise(SIGHUP);
	(void)raise(SIGINT);
	assert_false(stop_is_asked());
	(void)raise(SIGPIPE);
	assert_false(stop_is_asked());
	(void)raise(SIGTERM);
	assert_true(stop_is_asked());
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_ignored_stays_so) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
