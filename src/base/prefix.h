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

static inline bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && ip_equal(&a->ip, &b->ip);
}

/* inner is the same as p or inside it. */
static inline bool prefix_covers(const struct prefix *p, const struct prefix *inner)
{
	return inner->bits >= p->bits && prefix_has(p, &inner->ip);
}

#endif
