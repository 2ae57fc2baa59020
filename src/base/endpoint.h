#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Where a datagram comes from or goes to, free of any operating system's struct.
 * An IPv4 address stands in the first four bytes, the rest is zero; so two endpoints are equal
 * exactly when all fields are.
 */
enum family { FAMILY_NONE = 0, FAMILY_V4 = 4, FAMILY_V6 = 6 };

struct ip {
	uint8_t family;    /* enum family */
	uint8_t bytes[16]; /* network order */
};

struct endpoint {
	struct ip ip;
	uint16_t port;  /* host order */
	uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
};

/* The local end of a path: which of our addresses the peer spoke to, and on which interface. */
struct source {
	struct ip ip; /* family FAMILY_NONE: let the host choose */
	uint32_t ifindex;
};

static inline unsigned int ip_bits(const struct ip *ip)
{
	return ip->family == FAMILY_V4 ? 32 : 128;
}

static inline bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* fe80::/10: of one link only, so an address of it wants a scope. */
static inline bool ip_is_link_local(const struct ip *ip)
{
	return ip->family == FAMILY_V6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

static inline bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return ip_equal(&a->ip, &b->ip) && a->port == b->port && a->scope == b->scope;
}

static inline bool endpoint_is_set(const struct endpoint *e)
{
	return e->ip.family != FAMILY_NONE;
}

#endif
