#include "cli/keep_names.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/resolve.h"

/* A write of this is whole or not at all: POSIX promises it below 512 bytes. */
_Static_assert(sizeof(struct keep_answer) <= 512, "an answer is written at once");

void keep_names_init(struct keep_names *n)
{
	*n = (struct keep_names){ .fd = -1 };
}

static void answer(int fd, const struct keep_question *rows, size_t count)
{
	struct resolver r;

	resolver_init(&r);
	for (size_t i = 0; i < count; ++i) {
		struct keep_answer a = { .number = rows[i].number };
		const char *reason = "";

		if (resolve_every(&r, rows[i].host, rows[i].service, a.found, KEEP_NAMES_FOUND,
				  &a.count, &reason) < 0)
			(void)snprintf(a.reason, sizeof(a.reason), "%s", reason);
		if (write(fd, &a, sizeof(a)) != sizeof(a))
			return;
	}
}

int keep_names_ask(struct keep_names *n, const struct keep_question *rows, size_t count)
{
	int ends[2];

	if (n->fd >= 0)
		return -EBUSY;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	n->pid = fork();
	if (n->pid == 0) {
		close(ends[0]);
		answer(ends[1], rows, count);
		_exit(0);
	}
	close(ends[1]);
	if (n->pid < 0) {
		const int status = -errno;

		close(ends[0]);
		return status;
	}
	n->fd = ends[0];
	return 0;
}

int keep_names_read(struct keep_names *n, struct keep_answer *ret)
{
	ssize_t len;

	do
		len = read(n->fd, ret, sizeof(*ret));
	while (len < 0 && errno == EINTR);
	if (len == sizeof(*ret))
		return 1;
	keep_names_done(n);
	return 0;
}

void keep_names_done(struct keep_names *n)
{
	if (n->fd < 0)
		return;
	close(n->fd);
	(void)kill(n->pid, SIGKILL);
	while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
		;
	keep_names_init(n);
}
