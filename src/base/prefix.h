#ifndef BASE_PREFIX_H
#define BASE_PREFIX_H

#include "base/endpoint.h"

/* An IP network. prefix_mask clears the host bits; a prefix without host bits is canonical. */
struct prefix {
	struct ip ip;
	uint8_t bits; /* 0..32 or 0..128 */
};

static inline void prefix_mask(struct prefix *p)
{
	for (unsigned int i = 0; i < sizeof(p->ip.bytes); ++i) {
		if (p->bits >= 8 * (i + 1))
			continue;
		if (p->bits <= 8 * i)
			p->ip.bytes[i] = 0;
		else
			p->ip.bytes[i] &= (uint8_t)(0xff00U >> (p->bits - 8 * i));
	}
}

static inline bool prefix_has(const struct prefix *p, const struct ip *ip)
{
	struct prefix q = { .ip = *ip, .bits = p->bits };

	prefix_mask(&q);
	return ip_equal(&p->ip, &q.ip);
}

#endif
