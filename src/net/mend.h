#ifndef NET_MEND_H
#define NET_MEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/time.h"

/*
 * What to try next with a peer that does not answer: each address of its name in turn, beginning
 * with the first if the one in use is no longer among them (E7, E8); when all had their turn,
 * another source port, where the file does not name one (E12); then all of it again, with ever
 * longer waits. Pure.
 */
#define MEND_WAIT (15 * NS_PER_S) /* after the first round; doubles */
#define MEND_WAIT_MAX (600 * NS_PER_S)
#define MEND_ASK (NS_PER_S) /* after a look-up that failed; doubles */
#define MEND_ASK_MAX (120 * NS_PER_S)

enum mend_step {
	MEND_ENDPOINT, /* take this address */
	MEND_PORT,     /* of the device; the address stays */
	MEND_NOTHING,  /* there is nothing else; wait */
};

struct mend {
	unsigned int turns;  /* addresses that had theirs in this round, that in use among them */
	unsigned int rounds; /* that are over, none of which brought an answer */
	unsigned int failed; /* look-ups in a row */
};

/* found: all addresses of the name, or none where it is a number or has none. */
MUST_CHECK enum mend_step mend_next(struct mend *m, const struct endpoint *used,
				    const struct endpoint *found, size_t count, bool may_rotate,
				    struct endpoint *ret);
/* How long to leave the peer alone after that. */
MUST_CHECK uint64_t mend_wait(const struct mend *m);
/* A look-up failed; how long to wait before the next. */
MUST_CHECK uint64_t mend_failed(struct mend *m);
/* It answers. */
void mend_done(struct mend *m);

#endif
