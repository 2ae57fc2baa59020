#ifndef DEVICE_OFFLOAD_SPLIT_H
#define DEVICE_OFFLOAD_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "device/offload.h"

/*
 * From what a TUN hands out to the packets it stands for: a TCP or UDP super-packet is cut as the
 * kernel would cut it, an unfinished checksum is finished, all else is copied. Each payload byte is
 * touched once. Pure; never reads beyond len, never writes to the packet. Any thread; borrows the
 * packet from begin to the last next.
 *
 * The header is believed only where the packet agrees: csum_start must be where the TCP or UDP
 * header begins (behind IPv6 extension headers too), hdr_len is not read. The checksum field holds
 * the sum of the pseudo header with the length of the whole, as the kernel has it; it is not
 * computed from the addresses, since with a routing header the last one stands elsewhere. Lengths
 * in the IP and UDP header of a super-packet are not read but written.
 */
struct offload_split {
	size_t count; /* inner packets: 1 unless a super-packet */
	size_t size;  /* bytes of every one but the last, headers included */
	size_t last;  /* bytes of the last; at most size */
	enum offload_kind kind;

	/* private */
	const uint8_t *packet;
	size_t len;
	size_t start;    /* of what is summed: the TCP or UDP header */
	size_t field;    /* where the checksum stands; 0: nothing to finish */
	size_t headers;  /* bytes of all headers */
	size_t step;     /* payload bytes of a segment */
	size_t next;     /* number of the segment that comes next */
	uint32_t pseudo; /* sum of the pseudo header without the length */
};

/*
 * len <= OFFLOAD_MAX. False: the header contradicts the packet, or is of a kind that we never ask
 * for (UFO), or of more than OFFLOAD_SEGMENTS segments: drop it. *s is then of no use.
 */
MUST_CHECK bool offload_split_begin(struct offload_split *s,
				    const uint8_t header[static OFFLOAD_HEADER],
				    const uint8_t *packet, size_t len);
/*
 * Write the next inner packet; returns its length. Called count times; dst has room for s->size
 * and does not overlap the packet.
 */
size_t offload_split_next(struct offload_split *s, uint8_t *dst);

#endif
