#include "cli/streams.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

int streams_open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static bool is_told(const char *level)
{
	return level && level[0];
}

void streams_detach(int null)
{
	const char *level = getenv("LOG_LEVEL");
	const bool keeps_output = is_told(level) && strcmp(level, "silent") != 0;

	if (null < 0)
		return;
	(void)dup3(null, STDIN_FILENO, 0); /* can't fail: both are open */
	if (!keeps_output) {
		(void)dup3(null, STDOUT_FILENO, 0);
		(void)dup3(null, STDERR_FILENO, 0);
	}
}

void streams_use_system_log(void)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd;

	if (is_told(getenv("LOG_LEVEL")))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    dup3(fd, STDERR_FILENO, 0) >= 0)
		log_to_system();
	close(fd);
}
