#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buffer.h"

/*
 * Standard output of a command that may print keys and much: held in a buffer that is wiped,
 * written in large pieces, and no failure to write is lost. One thread.
 */
struct out {
	struct buffer text;
	int fd;    /* -1: keep all of it in text, for tests */
	int error; /* of the first write that failed, negative errno */
};

void out_init(struct out *o, int fd);
void out_text(struct out *o, const char *text);
void out_printf(struct out *o, const char *format, ...) PRINTF(2, 3);
void out_uint(struct out *o, uint64_t value);
/* Writes the rest and wipes. 0, or the negative errno of what could not be printed. */
MUST_CHECK int out_done(struct out *o);
/* The same as a command ends: says a failure on standard error and gives the exit code, which is
 * code if nothing failed. */
MUST_CHECK int out_end(struct out *o, const char *program, int code);

#endif
