#ifndef DEVICE_UDP_H
#define DEVICE_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "model/diag.h"

/*
 * The outer side: one UDP port over IPv4 and IPv6. In each family a group of sockets shares the
 * port (SO_REUSEPORT), and a classic BPF filter chooses among them by the first bytes of a
 * datagram: a flood of handshake messages neither fills a data socket nor wakes a worker.
 *
 *   0 .. workers-1    data, one socket a worker. The worker is chosen by the source address and
 *                     port, not by the receiver index: a peer stays with one worker over its
 *                     rekeys, so that none of its packets overtakes another.
 *   UDP_LANE_PLAIN    messages 1 and 2 without mac2, and 3
 *   UDP_LANE_COOKIE   messages 1 and 2 whose mac2 is not zero: who sends them claims a cookie
 *   UDP_LANE_KNOWN    messages 1 to 3 of sources that the filter was told of (steer.h)
 *
 * The first socket is bound exclusively before the group is formed, so that no second engine, of
 * the same user either, takes part of our traffic. Where no group can be had there is socket 0
 * only, and all messages come there. Sockets are non-blocking, with packet info, TOS and IP_RECVERR
 * on and path MTU discovery off for local decisions (fragments allowed: DF clear, behaviour.md
 * E.6). Any thread may send or receive; a struct udp is not changed after udp_bind but for
 * udp_set_mark.
 */
enum {
	UDP_WORKERS_MAX = 8,
	UDP_LANE_PLAIN = UDP_WORKERS_MAX,
	UDP_LANE_COOKIE,
	UDP_LANE_KNOWN,
	UDP_SOCKETS,
	UDP_PAYLOAD_MAX = 65507, /* of one send, segmented or not */
	UDP_SEGMENTS_MAX = 64,
};

struct udp {
	int v4[UDP_SOCKETS]; /* -1: none; all where the host has no such family */
	int v6[UDP_SOCKETS];
	uint16_t port; /* host order; what was bound, never 0 */
};

struct udp_config {
	uint16_t port; /* 0: the host chooses, tried again up to 100 times when the other family
			  has it taken */
	uint32_t mark;
	unsigned int workers; /* 1 .. UDP_WORKERS_MAX; 0 counts as 1 */
	bool joins;           /* UDP_GRO: several datagrams of equal size in one receive */
};

void udp_init(struct udp *u); /* no sockets */
/*
 * Bind both families on one port. A family the host lacks (EAFNOSUPPORT, or IPv6 disabled:
 * EADDRNOTAVAIL on the wildcard) is left out. Any other failure closes all and returns the errno:
 * -EADDRINUSE where the port is taken in either family (F-P18).
 */
MUST_CHECK int udp_bind(const struct udp_config *config, struct diag *why, struct udp *ret);
void udp_close(struct udp *u);
MUST_CHECK int udp_set_mark(const struct udp *u, uint32_t mark); /* on all, or on none */
bool udp_has_lanes(const struct udp *u); /* else handshake messages come to socket 0 */

/* To hand the sockets to another process: *ret gets 2 * UDP_SOCKETS numbers, v4 first, -1: none. */
void udp_to_fds(const struct udp *u, int ret[static 2 * UDP_SOCKETS]);
void udp_from_fds(const int fds[static 2 * UDP_SOCKETS], uint16_t port, struct udp *ret);

struct udp_arrival {
	struct endpoint from;
	struct source to; /* our address it came to, and the interface */
	uint8_t tos;
};

/* A place for what one receive brings: a datagram, or several of one sender with equal TOS. */
struct udp_slot {
	uint8_t *bytes; /* the caller's */
	size_t room;
	size_t len;     /* of all */
	size_t segment; /* of each; the last may be shorter. > 0 where len is */
	bool is_cut;    /* longer than room: dropped, len is 0 */
	struct udp_arrival arrival;
};

enum { UDP_SLOTS_MAX = 16 };

/* How many of the n slots were filled; -EAGAIN when there is nothing. n <= UDP_SLOTS_MAX */
MUST_CHECK int udp_receive(int fd, struct udp_slot *slots, unsigned int n);

enum udp_sent {
	UDP_SENT,
	UDP_SENT_WITHOUT_SOURCE, /* the source was no longer ours; sent from where the host chose:
				    forget the source */
	UDP_BATCH_REFUSED,       /* EIO, EMSGSIZE or EINVAL: send the datagrams one by one */
	UDP_FAILED,
};

struct udp_error { /* one entry of a socket's error queue: an earlier datagram's fate */
	struct endpoint to;
	struct ip reporter; /* FAMILY_NONE where the host itself refused */
	uint8_t type;
	uint8_t code;
	int error; /* errno, positive */
};

/* Told of every error-queue entry met on the way. May be called by any thread that sends or
 * receives. */
struct udp_listener {
	void (*error)(void *ctx, const struct udp_error *e);
	void *ctx;
};

struct udp_message {
	const uint8_t *bytes;
	size_t len;
	uint16_t
		segment; /* 0: one datagram. Else datagrams of this size, the last may be shorter */
	struct endpoint to;
	struct source source; /* unset: the host chooses */
	uint8_t tos;
};

/*
 * Send through a socket of the destination's family (-1: EAFNOSUPPORT). A pending error of an
 * earlier datagram (IP_RECVERR) never costs this one: the queue is drained to the listener (may be
 * NULL) and the message sent again. *ret_error (positive errno) on UDP_BATCH_REFUSED and
 * UDP_FAILED.
 */
MUST_CHECK enum udp_sent udp_send(int fd, const struct udp_message *message,
				  const struct udp_listener *listener, int *ret_error);
/*
 * At most UDP_SLOTS_MAX single datagrams of one family, as far as the host takes them: one that it
 * refuses is left out. How many were sent.
 */
unsigned int udp_send_batch(int fd, const struct udp_message *messages, unsigned int n,
			    const struct udp_listener *listener);
/* Drain a socket's error queue (EPOLLERR). Returns how many entries there were. */
unsigned int udp_drain_errors(int fd, const struct udp_listener *listener);

#endif
