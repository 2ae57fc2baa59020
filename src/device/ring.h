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
 * Handshake messages on their way from the workers to the brain: HANDSHAKE_QUEUE of them, the
 * memory taken once. A full ring refuses the newest. Any thread may push; the brain takes.
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
	size_t first;
	size_t used;
};

MUST_CHECK int ring_init(struct ring *r); /* 0 or -ENOMEM */
void ring_done(struct ring *r);
/* False: full. */
MUST_CHECK bool ring_push(struct ring *r, const uint8_t *bytes, size_t len,
			  const struct endpoint *from, const struct source *to);
/* False: empty. *ret_backlog: how many are left behind it. */
MUST_CHECK bool ring_take(struct ring *r, struct ring_entry *ret, size_t *ret_backlog);

#endif
