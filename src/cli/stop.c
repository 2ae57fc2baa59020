#include "cli/stop.h"

#include <signal.h>
#include <stddef.h>

#include "base/bytes.h"

static volatile sig_atomic_t asked;

static void ask(int number)
{
	asked = number;
}

void stop_listen(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = ask }, was; /* no SA_RESTART */

	for (size_t i = 0; i < ELEMENTS(signals); ++i)
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &action, NULL); /* they exist */
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}

bool stop_is_asked(void)
{
	return asked != 0;
}
