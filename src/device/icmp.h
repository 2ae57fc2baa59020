#ifndef DEVICE_ICMP_H
#define DEVICE_ICMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * The answer to a packet that cannot go anywhere: ICMP host unreachable (RFC 792) or ICMPv6 address
 * unreachable (RFC 4443), to be written back into the TUN. Pure.
 */
enum { ICMP_ROOM = 1280 };

/*
 * Build the answer to the packet. 0: none may be sent (RFC 1122 3.2.2, RFC 4443 2.4: about an ICMP
 * error, a fragment but the first, a multicast or broadcast or unspecified address, or what is no
 * IP packet). Never reads beyond len.
 */
MUST_CHECK size_t icmp_unreachable(const uint8_t *packet, size_t len,
				   uint8_t ret[static ICMP_ROOM]);

#endif
