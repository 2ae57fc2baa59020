#ifndef CLI_KEEP_JOB_H
#define CLI_KEEP_JOB_H

#include <sys/types.h>

#include "base/attr.h"
#include "cli/keep_peers.h"

/* What keep lets a process of its own do. */
enum keep_work { KEEP_UP, KEEP_SYNC, KEEP_DOWN, KEEP_REPAIR };

struct keep_job {
	enum keep_work work;
	const char *name;
	const char *path; /* of the file; FILE|NAME of the verbs */
	unsigned int kinds;
	const struct keep_peers *known;
};

/* A process id, or a negative errno. It ends with the exit code of the verb. */
MUST_CHECK pid_t keep_job_start(const struct keep_job *j);

#endif
