#ifndef DEVICE_INBOUND_H
#define DEVICE_INBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "device/device_private.h"
#include "device/offload_join.h"
#include "wg/session.h"

/*
 * From the network to the TUN, for one worker: receives of up to 64 KB are opened in place, one
 * batch for each run of messages of one session, and what may be delivered is joined to
 * super-packets for the TUN. The worker's thread only.
 */
struct inbound {
	struct device *d;
	int number;     /* of the worker: its UDP sockets, its TUN queue */
	uint8_t *bytes; /* of the slots */
	struct udp_slot slots[UDP_SLOTS_MAX];
	/* The run: messages of one session that came the same way. */
	const struct udp_arrival *arrival;
	uint32_t index;
	struct session_packet packets[SESSION_BATCH];
	size_t lengths[SESSION_BATCH];
	size_t count;
	struct offload_join join;
	int error;        /* of the last receive: 0, -EAGAIN, or why it failed */
	uint8_t *refused; /* a super-packet that the TUN did not take, to be cut again */
};

MUST_CHECK bool inbound_init(struct inbound *in, struct device *d, int number);
void inbound_done(struct inbound *in); /* wipes */
/* Deliver what the socket has, a bounded turn of it. in->error: how it ended. */
void inbound_drain(struct inbound *in, int fd);

#endif
