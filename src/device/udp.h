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
 * The outer side: one UDP port over IPv4 and IPv6. Sockets are non-blocking, bound exclusively,
 * with packet info, TOS and IP_RECVERR on and path MTU discovery off for local decisions (fragments
 * allowed: DF clear, behaviour.md E.6). Any thread may send or receive; a struct udp is not changed
 * after udp_bind but for udp_set_mark.
 */
struct udp {
	int fd4; /* -1 where the host has no such family */
	int fd6;
	uint16_t port; /* host order; what was bound, never 0 */
};

/*
 * Bind both families on one port. Port 0: the host chooses, tried again up to 100 times when the
 * other family has it taken. A family the host lacks (EAFNOSUPPORT, or IPv6 disabled: EADDRNOTAVAIL
 * on the wildcard) is left out. Any other failure closes both and returns the errno: -EADDRINUSE
 * where the port is taken in either family (F-P18).
 */
MUST_CHECK int udp_bind(uint16_t port, uint32_t mark, struct diag *why, struct udp *ret);
void udp_close(struct udp *u);
MUST_CHECK int udp_set_mark(const struct udp *u, uint32_t mark); /* on both, or on neither */

struct udp_arrival {
	struct endpoint from;
	struct source to; /* our address it came to, and the interface */
	uint8_t tos;
};

/* One datagram. Its length; -EAGAIN when there is none; -EMSGSIZE: longer than room, dropped. */
MUST_CHECK ssize_t udp_receive(int fd, uint8_t *buf, size_t room, struct udp_arrival *ret);

enum udp_sent {
	UDP_SENT,
	UDP_SENT_WITHOUT_SOURCE, /* the source was no longer ours; sent from where the host chose:
				    forget the source */
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

/*
 * Send one datagram. source may be NULL or unset. A pending error of an earlier datagram
 * (IP_RECVERR) never costs this one: the queue is drained to the listener and the datagram sent
 * again. *ret_error (positive errno) on UDP_FAILED.
 */
MUST_CHECK enum udp_sent udp_send(const struct udp *u, const uint8_t *buf, size_t len,
				  const struct endpoint *to, const struct source *source,
				  uint8_t tos, const struct udp_listener *listener, int *ret_error);
/* Drain a socket's error queue (EPOLLERR). Returns how many entries there were. */
unsigned int udp_drain_errors(int fd, const struct udp_listener *listener);

#endif
