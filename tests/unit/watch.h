#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "support.h"

/*
 * Counted memory that also knows what is taken, so that a test can look for key bytes: in what is
 * still taken, and in what is given back. Used where it stands: hand out &w.memory, do not copy.
 */
enum { WATCH_SECRETS = 512, WATCH_SECRET_LEN = 32 };

struct watched {
	const void *block;
	size_t len;
};

struct watch {
	struct memory memory;
	struct test_memory counted; /* fails and counts for it */
	struct watched *blocks;     /* taken */
	size_t used;
	size_t room;
	uint8_t secrets[WATCH_SECRETS][WATCH_SECRET_LEN];
	size_t secret_count;
	size_t given_with_secret; /* blocks that still held one when they were given back */
};

void watch_init(struct watch *w);
void watch_done(struct watch *w); /* asserts that all was given back, without secrets */
/* From now on these bytes must not come back. All zero is no secret; twice counts once. */
void watch_secret(struct watch *w, const void *secret);
/* Is any of the secrets, or this one, in memory that is taken? */
bool watch_holds(const struct watch *w, const void *secret);
size_t watch_held(const struct watch *w);

#endif
