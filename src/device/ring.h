#ifndef DEVICE_RING_H
#define DEVICE_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "wg/message.h"

/*
 * Handshake messages on their way to where they are dealt with. The memory is taken once, and used
 * only as far as it was ever filled. A full ring refuses the newest. Any thread may push or take.
 */
struct ring_entry {
	uint8_t bytes[MESSAGE_HANDSHAKE_MAX];
	size_t len;
	struct endpoint from;
	struct source to;
};

struct ring {
	pthread_mutex_t lock;
	struct ring_entry *entries;
	size_t room;
	size_t first;
	size_t used;
};

MUST_CHECK int ring_init(struct ring *r, size_t room); /* 0 or -ENOMEM */
void ring_done(struct ring *r);
/* False: full. */
MUST_CHECK bool ring_push(struct ring *r, const uint8_t *bytes, size_t len,
			  const struct endpoint *from, const struct source *to);
MUST_CHECK bool ring_take(struct ring *r, struct ring_entry *ret); /* false: empty */
size_t ring_backlog(struct ring *r);                               /* how many wait */

#endif
