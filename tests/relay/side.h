#ifndef RELAY_SIDE_H
#define RELAY_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"

/* The socket with which the relay faces one of the two engines. */
struct side {
	int fd;
	int icmp; /* raw; -1 until needed */
	struct sockaddr_storage local;
	struct sockaddr_storage remote; /* where the last datagram came from */
};

/* Bind local and take remote for the engine; both "address:port". False: errno tells. */
MUST_CHECK bool side_open(struct side *side, const char *local, const char *remote);

/* Another port on the same address. */
MUST_CHECK bool side_rebind(struct side *side);

unsigned int side_port(const struct side *side);

/* Bytes of IP and UDP header around each datagram. */
size_t side_header(const struct side *side);

/* The length of the next datagram, which remote then is the source of; or negative errno. */
MUST_CHECK ssize_t side_receive(struct side *side, uint8_t *ret, size_t room, uint8_t *ret_tos);

void side_send(const struct side *side, const uint8_t *data, size_t len, uint8_t tos);

/* Send remote the ICMP error of a router: len bytes in an IP packet are too long for this MTU. */
void side_tell_too_big(struct side *side, size_t len, uint32_t mtu);

#endif
