#ifndef DEVICE_SEND_LIMIT_H
#define DEVICE_SEND_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"

/*
 * How large the datagrams of a batch may be on the way to an endpoint. A segment beyond the MTU of
 * the route, or a device without checksum offload on an old kernel, has the host refuse the batch;
 * its datagrams go one by one then (fragmented where they must), and this remembers it, so that one
 * bad path neither poisons the others nor costs a refused call for every batch. It forgets after a
 * while, since routes change: 10 s, twice as long each time, up to 10 minutes. One thread; a new
 * endpoint takes the place of an old one where they meet.
 */
enum { SEND_LIMITS = 64 };

struct send_limit {
	struct endpoint to;
	size_t segment; /* this long is too long; 0: nothing is known */
	uint64_t until; /* boot time */
	uint64_t pause; /* ns, the last one */
};

struct send_limits {
	struct send_limit rows[SEND_LIMITS];
};

MUST_CHECK bool send_limit_allows(const struct send_limits *l, const struct endpoint *to,
				  size_t segment, uint64_t now);
/* A batch of this segment size was refused. By size: shorter ones may pass. Else none. */
void send_limit_refused(struct send_limits *l, const struct endpoint *to, size_t segment,
			bool by_size, uint64_t now);
/* A batch of this segment size went out: what was known against it holds no longer. */
void send_limit_passed(struct send_limits *l, const struct endpoint *to, size_t segment);

#endif
