#ifndef CLI_KEEP_NAMES_H
#define CLI_KEEP_NAMES_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/endpoint.h"

/*
 * Asks for names in a process of its own, since an answer may take half a minute and nothing else
 * may wait for it.
 */
enum { KEEP_NAMES_FOUND = 8 }; /* addresses of a name that are tried */

struct keep_names {
	int fd; /* readable when there is an answer; -1: nothing is asked */
	pid_t pid;
};

struct keep_question {
	size_t number; /* the asker's */
	const char *host;
	const char *service;
};

struct keep_answer {
	size_t number;
	size_t count; /* 0: reason */
	struct endpoint found[KEEP_NAMES_FOUND];
	char reason[64];
};

void keep_names_init(struct keep_names *n);
/* 0 or negative errno; -EBUSY: something is asked already. */
MUST_CHECK int keep_names_ask(struct keep_names *n, const struct keep_question *rows, size_t count);
/* 1: an answer. 0: that was all, and n is free again. */
MUST_CHECK int keep_names_read(struct keep_names *n, struct keep_answer *ret);
void keep_names_done(struct keep_names *n); /* whatever was asked */

#endif
