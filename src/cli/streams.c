#include "cli/streams.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int streams_open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

void streams_detach(int null)
{
	const char *level = getenv("LOG_LEVEL");
	const bool keeps_output = level && level[0] && strcmp(level, "silent") != 0;

	if (null < 0)
		return;
	(void)dup3(null, STDIN_FILENO, 0); /* can't fail: both are open */
	if (!keeps_output) {
		(void)dup3(null, STDOUT_FILENO, 0);
		(void)dup3(null, STDERR_FILENO, 0);
	}
}
