#ifndef WG_NET_H
#define WG_NET_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"

/*
 * What one source surely owns, as a number: its IPv4 address, or its IPv6 /64 (F-D9). An IPv4
 * address is given a place where IPv6 has multicast, so no real /64 is mistaken for it.
 */
static inline uint64_t net_of(const struct ip *src)
{
	if (src->family == FAMILY_V4)
		return UINT64_C(0xff04) << 48 | load32_be(src->bytes);
	return load64_be(src->bytes);
}

static inline enum family net_family(uint64_t net)
{
	return net >> 32 == UINT64_C(0xff04) << 16 ? FAMILY_V4 : FAMILY_V6;
}

#endif
