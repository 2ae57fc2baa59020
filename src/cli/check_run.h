#ifndef CLI_CHECK_RUN_H
#define CLI_CHECK_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "config/file.h"
#include "model/finding.h"
#include "model/tunnel.h"

/*
 * One run of check: the files as they are, what they say, and what is wrong, sorted by file and
 * place. Owns all of it and wipes what may hold keys.
 */
struct check_run {
	struct config_file *files; /* parallel to the set's rows */
	struct tunnel_set set;
	struct findings findings;
	size_t left_out; /* what was found and is too much to tell */
	size_t unread;   /* files that could not be read; each has been told of on standard error */
};

/* Reads and judges. False: out of memory. Either way check_run_done is due. */
MUST_CHECK bool check_run_read(struct check_run *r, char *const paths[], size_t count, bool host);
void check_run_done(struct check_run *r);

/* The file that a place names; NULL: none. */
const struct config_file *check_run_file(const struct check_run *r, const struct place *at);
/* The line of a place; NULL: none. */
const struct file_line *check_run_line(const struct check_run *r, const struct place *at);

/* The text of a line as it may be shown: whatever could be a secret is written as stars, one for
 * each byte, and what a terminal could obey as question marks. */
void check_masked(const struct file_line *l, struct buffer *b);
/* What a terminal could obey becomes question marks, as many as it has bytes. */
void check_disarm(char *text, size_t len);
const char *check_severity_name(const struct finding *f); /* "error" */

#endif
