#ifndef ARRIVALS_H
#define ARRIVALS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "packets.h"
#include "plane.h"

/*
 * What host 1 (plane.h) finds on its socket, told by a line of letters: each word is one slot of a
 * receive, each letter a datagram in it, all of 148 bytes as an initiation is. A test has a
 * recvmmsg of its own, which calls arrivals_recvmmsg.
 *
 *   g U T S   good: UDP and TCP over IPv4, the same over IPv6 as U and S; each a conversation
 *   p         good, under the previous session, of the conversation of g
 *   r         the last good one once more
 *   b i       not authentic; for an index that is nobody's
 *   n v x     authentic, with a source that is not the peer's, no IP, a length that lies
 *   G h       no message at all; an initiation
 *   k t       a keepalive; type 4, but too short: only as the last of a word
 *   c e       as the only one of a word: longer than there is room for; empty
 *   @ ^ %     before the letters: the word came from another port, marked CE, to another address
 */
enum { ARRIVALS_SLOTS = 160, ARRIVALS_ROOM = 64 * 148, ARRIVALS_SIZE = 148, ARRIVALS_PORT = 4000 };

struct arrivals_slot {
	uint8_t bytes[ARRIVALS_ROOM];
	size_t len;
	struct endpoint from;
	struct ip to;
	uint8_t tos;
	bool is_cut;
};

struct arrivals {
	size_t slot_count;
	size_t next;      /* slot to be received */
	size_t datagrams; /* in slots that hold any */
	size_t keepalives;
	size_t handshakes;
	uint64_t rejects[REJECT_REASONS]; /* expected */
	uint16_t blamed[REJECT_REASONS];  /* the port that the last one came from */
	bool is_authentic; /* any of them: then the last one tells where the peer is */
	struct endpoint last_from;
	struct ip last_to;

	unsigned int number; /* kept by arrivals_forget: of packets, ever */
	uint32_t seq[OFFLOAD_ALL];
	uint8_t last_good[ARRIVALS_SIZE];
	struct packet_list want; /* to be delivered */
	struct packet_list got;
	struct plane plane;
	struct arrivals_slot slots[ARRIVALS_SLOTS];
};

void arrivals_forget(struct arrivals *a); /* counts too */
void arrivals_add(struct arrivals *a, const char *words);
int arrivals_recvmmsg(struct arrivals *a, struct mmsghdr *messages, unsigned int n);
/* Take all that was written, split it, and compare each conversation with what is wanted. */
void arrivals_compare(struct arrivals *a);

#endif
