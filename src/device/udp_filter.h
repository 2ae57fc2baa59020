#ifndef DEVICE_UDP_FILTER_H
#define DEVICE_UDP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/env.h"

/*
 * The filter that spreads a port's datagrams over its sockets (udp.h): sockets 0 .. workers-1 are
 * for data, the next three are the lanes. Needs no privilege. What is too short for the bytes it
 * looks at goes to socket 0.
 *
 * Handshake messages of sources that are known (wg/known.h) have a lane of their own, whatever they
 * claim. A filter can keep no table, so it knows a hash of each: a bit of UDP_STEERING_WORDS words,
 * under a key that nobody can guess. A made up source meets one of n known ones with n in 8192.
 */
enum { UDP_STEERING_WORDS = 256 };

struct udp_steering {
	uint32_t key;
	uint32_t factor;
	bool any;
	uint32_t words[UDP_STEERING_WORDS];
};

/* Knows nobody. False: no random bytes. */
MUST_CHECK bool udp_steering_init(struct udp_steering *s, const struct entropy *entropy);
void udp_steering_add(struct udp_steering *s, enum family family, uint64_t net); /* wg/net.h */

/* known: of this family, NULL: nobody. In place of the filter that the group has. 0 or -errno */
MUST_CHECK int udp_filter_attach(int fd, enum family family, unsigned int workers,
				 const struct udp_steering *known);

#endif
