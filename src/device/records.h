#ifndef DEVICE_RECORDS_H
#define DEVICE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * The memory of an engine beyond its death: records in a file (a memfd that the monitor holds and
 * never looks into). What they hold is the caller's business. A record counts from the moment its
 * commit word is written, last, so that an engine that is killed at any point leaves a whole
 * configuration, old or new. One thread.
 *
 *   file    a header (where the first record is), records one behind another
 *   record  commit word, kind, length (8 bytes), bytes, padding to 8
 */
enum record_kind {
	RECORD_SET = 1, /* a change, to be applied again */
	RECORD_SESSION, /* the same, of a peer that a session was made with */
	RECORD_STAMPS,  /* of initiations that were accepted: struct device_stamp, any number */
	RECORD_LAST,
};

struct record {
	enum record_kind kind;
	const uint8_t *bytes;
	size_t len;
};

/* Where in the file the records begin, and the next one. Pure. */
enum { RECORDS_FIRST = 4096 };
size_t records_begin(const uint8_t *file, size_t len);
/* *at moves on. False: here ends what was committed. */
MUST_CHECK bool records_next(const uint8_t *file, size_t len, size_t *at, struct record *ret);

struct records {
	int fd;      /* borrowed */
	size_t size; /* of the file, as it was found */
	uint64_t begin;
	uint64_t end;
	uint64_t prepared;     /* where the record ends that is being written, or waits for its
				  commit; 0: none */
	enum record_kind kind; /* of that one */
	uint64_t live;         /* length of the records as they were last rewritten */
	uint64_t rewritten;    /* where the rewrite in hand begins */
};

MUST_CHECK int records_open(struct records *r, int fd); /* 0 or -errno */
/* Each record that counts, in order, as long as told returns 0; then ready for more. 0 or -errno.
 */
MUST_CHECK int records_replay(struct records *r,
			      int (*told)(void *ctx, const struct record *record), void *ctx);
/* Write it, but without its commit word. -errno: nothing changed. */
MUST_CHECK int records_prepare(struct records *r, enum record_kind kind, const void *bytes,
			       size_t len);
/* The same in pieces: start, add any number of times, finish. After -errno the record is gone. */
void records_start(struct records *r, enum record_kind kind);
MUST_CHECK int records_add(struct records *r, const void *bytes, size_t len);
MUST_CHECK int records_finish(struct records *r);
void records_commit(struct records *r);
void records_cancel(struct records *r); /* wiped */
/*
 * What was committed before that place, for changes that leave each length as it is. -errno:
 * nothing was changed.
 */
MUST_CHECK int
records_edit(struct records *r, uint64_t until,
	     void (*edit)(void *ctx, enum record_kind kind, uint8_t *bytes, size_t len), void *ctx);
/* Is most of it superseded? */
bool records_want_rewrite(const struct records *r);
/*
 * What is committed between the two is all there is: at the end it replaces what was before, which
 * is wiped. Until then, and where the end never comes, both count.
 */
void records_begin_rewrite(struct records *r);
void records_end_rewrite(struct records *r);

#endif
