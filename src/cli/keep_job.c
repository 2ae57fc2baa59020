#include "cli/keep_job.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/keep_repair.h"

/* As a program of its own, which finds nothing of ours in its memory. */
static int run_verb(const char *verb, const char *path)
{
	char program[] = "warren", name[8], word[PATH_MAX];
	char *argv[] = { program, name, word, NULL };

	(void)snprintf(name, sizeof(name), "%s", verb);
	(void)snprintf(word, sizeof(word), "%s", path);
	(void)execv("/proc/self/exe", argv);
	fprintf(stderr, "warren: keep: warren %s cannot be run: %s\n", verb, strerror(errno));
	return EXIT_FAILURE;
}

static int work(const struct keep_job *j)
{
	switch (j->work) {
	case KEEP_UP:
		return run_verb("up", j->path);
	case KEEP_SYNC:
		return run_verb("sync", j->path);
	case KEEP_DOWN:
		return run_verb("down", j->path);
	case KEEP_REPAIR:
		return keep_repair(j->name, j->kinds, j->known);
	}
	return EXIT_FAILURE;
}

/* The manager hears from keep alone, and a verb is stopped by the signals that stop it. */
static int work_apart(const struct keep_job *j)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)unsetenv("NOTIFY_SOCKET");
	return work(j);
}

pid_t keep_job_start(const struct keep_job *j)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		const int code = work_apart(j);

		(void)fflush(NULL);
		_exit(code);
	}
	return pid;
}
