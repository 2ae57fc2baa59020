#ifndef WG_INNER_H
#define WG_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"

/*
 * What the engine must know of a packet inside the tunnel: IPv4 (RFC 791) or IPv6 (RFC 8200), its
 * true length and addresses, and its ECN bits (RFC 6040). Pure; never reads beyond len.
 */
enum inner_error { INNER_OK, INNER_BAD_VERSION, INNER_BAD_LENGTH };

struct inner {
	struct ip src;
	struct ip dst;
	size_t len;       /* by its own header: <= the bytes given; padding lies behind */
	uint8_t tos;      /* DSCP and ECN */
	uint16_t udp_src; /* ports of a UDP packet, host order; 0 where it is none or a later
			     fragment */
	uint16_t udp_dst;
};

/*
 * Version 4: header >= 20 bytes and total length between the header's and len. Version 6: 40 +
 * payload length <= len.
 */
MUST_CHECK enum inner_error inner_parse(const uint8_t *packet, size_t len, struct inner *ret);

/*
 * Length to seal: up to a multiple of 16 but never beyond the MTU; a packet above the MTU counts
 * modulo it (E.6).
 */
size_t inner_padded(size_t len, size_t mtu);

/*
 * Outer ECN for an inner TOS: copied, but CE becomes ECT(0) (RFC 6040 4.1 as the kernel driver has
 * it). DSCP is 0.
 */
uint8_t inner_ecn_encapsulate(uint8_t inner_tos);
/*
 * Put the outer mark into a parsed packet that is ECN capable: CE always, ECT(1) over ECT(0),
 * mending the IPv4 checksum (RFC 6040 4.2).
 */
void inner_ecn_decapsulate(uint8_t *packet, uint8_t outer_tos);

#endif
