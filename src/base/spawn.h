#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buffer.h"

/*
 * Runs a program and waits for it: no shell, no environment but PATH, HOME and LC_ALL=C, none of
 * our descriptors, no signal blocked or ignored. The program is found in SPAWN_PATH, whatever PATH
 * says, unless it has a slash, and then it must begin with one. One thread at a time.
 */
#define SPAWN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
	SPAWN_HELD = 3,
	SPAWN_NAME = 256,                /* room for the path of a program */
	SPAWN_OUTPUT = 64 * 1024 * 1024, /* what is taken of its output unless told otherwise */
	SPAWN_ERRORS = 16 * 1024,        /* what is kept of its errors; the rest is dropped */
};

struct spawn {
	const char *const *argv; /* NULL at the end */
	const char *const *env;  /* more "NAME=value", NULL at the end; may be NULL */
	const char *program;     /* NULL: argv[0] */
	const void *input;       /* its standard input; without any it reads /dev/null */
	size_t input_len;
	size_t output_max; /* 0: SPAWN_OUTPUT */
	int timeout_ms;    /* 0: as long as it takes */
	/* Our own three streams instead, and our process group, so that a terminal's ^C reaches it:
	 * for hooks. Otherwise it has a group of its own, which a timeout kills as a whole. */
	bool share_streams;
};

struct spawn_result {
	int code; /* of its exit; 128 + N: killed by signal N */
	struct buffer output;
	struct buffer errors;
};

/*
 * 0: it ran, see code. -ENOENT: there is no such program. -ETIMEDOUT: it took too long and was
 * killed. -EFBIG: it printed more than output_max. Else another negative errno. Either way
 * spawn_result_done is due.
 */
MUST_CHECK int spawn_run(const struct spawn *s, struct spawn_result *ret);
void spawn_result_done(struct spawn_result *r);
/* The first line that is not empty of what it said on standard error, without its end and without
 * bytes that a terminal could obey; "" if it said nothing. */
void spawn_first_error(const struct spawn_result *r, char *ret, size_t room);
/*
 * From now on every program has this descriptor of ours as SPAWN_HELD; -1: none. For a lock: who
 * waits for it waits for the programs of a process that was killed, too.
 */
void spawn_hold(int fd);
/* Where a program is; false: nowhere. */
MUST_CHECK bool spawn_find(const char *program, char ret[static SPAWN_NAME]);

#endif
