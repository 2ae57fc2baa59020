#ifndef DEVICE_OUTBOUND_H
#define DEVICE_OUTBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "device/device_private.h"
#include "device/send_limit.h"
#include "wg/inner.h"
#include "wg/session.h"

/*
 * From the TUN to the network, for one worker: reads of up to 64 KB are split straight into their
 * places in a slab of messages, those of one destination are sealed there as one batch, and leave
 * in as few sends as segmentation offload allows. One allowed-IPs look-up, one reservation of
 * counters and one report to the core a batch. The worker's thread only.
 */
struct outbound {
	struct device *d;
	int number;     /* of the worker: its TUN queue, its UDP sockets */
	uint8_t *input; /* one read */
	uint8_t *slab;  /* messages back to back: header, packet, padding, tag */
	size_t used;
	struct inner head; /* what all packets of the batch have in common: destination and TOS */
	bool may_loop;     /* from our own port: alone in its batch, the core looks at it */
	struct session_packet packets[SESSION_BATCH];
	size_t count;
	struct send_limits limits;
	int error;            /* of the last read: 0, -EAGAIN, or why it failed */
	uint64_t waits_again; /* boot time before which a link that is down is not waited for */
};

MUST_CHECK bool outbound_init(struct outbound *o, struct device *d, int number);
void outbound_done(struct outbound *o); /* wipes */
/* Send what the TUN has, a bounded turn of it. False: the TUN is gone. o->error: how it ended. */
MUST_CHECK bool outbound_drain(struct outbound *o);

#endif
