#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "packets.h"
#include "plane.h"

/*
 * What leaves the TUN of host 0 (plane.h), and in which sends. A test has a sendmsg of its own
 * before the host's, which calls wire_sendmsg: each call is noted and cut as the host would cut it,
 * and what the test wants refused is refused. The datagrams are opened with the key of host 1 and
 * compared with what the slow splitter makes of what was fed.
 */
enum { WIRE_CALLS = 8192 };

struct wire {
	int batch_error; /* for a batch with segments of so many bytes or more; 0: none */
	size_t batch_limit;
	int source_error;        /* for what names a source; 0: none */
	unsigned int lost_every; /* single datagrams: that one fails with EPERM; 0: none */
	unsigned int singles;

	size_t count; /* of calls that were taken */
	size_t calls[WIRE_CALLS];
	size_t refused;
	size_t with_source;
	size_t bytes;
	uint8_t tos[WIRE_CALLS]; /* of each datagram */

	struct packet_list datagrams; /* kept by wire_forget, emptied: from here on */
	struct packet_list want;
	struct packet_list got;
	struct plane plane;
};

void wire_begin(struct wire *w);  /* plane_init too */
void wire_forget(struct wire *w); /* what was fed, sent, counted and is to be refused */
ssize_t wire_sendmsg(struct wire *w, const struct msghdr *m);

/*
 * One packet by a letter. a, c: to one host, IPv4 and IPv6; b: to another; s, l: shorter, longer;
 * A: ECT(0), E: CE, D: with a DSCP and ECT(1); m: from our own port; L: our own datagram to the
 * peer; u: to nobody.
 */
size_t wire_build(const struct wire *w, char letter, unsigned int number, uint8_t *ret);
/* Each letter a read; L and u are not expected on the wire. */
void wire_feed(struct wire *w, const char *packets);
void wire_feed_super(struct wire *w, enum offload_kind kind, size_t size, size_t payload,
		     uint8_t fill);

/* Send what was fed, open it, compare it and the counts. */
void wire_drain(struct wire *w);
/* What was sent with this counter and those after it: right padding, all of what is wanted. */
void wire_open(struct wire *w, uint64_t first);
/* The sends, as in "64 1". NULL: one for each packet. */
void wire_check_calls(const struct wire *w, const char *calls);

#endif
