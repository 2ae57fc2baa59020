#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): the keyed hash of every table whose keys an attacker can
 * choose. Inline, so that the pure core links nothing for it.
 */
struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

static inline uint64_t siphash_rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static inline void siphash_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = siphash_rotl(v[1], 13) ^ v[0];
	v[0] = siphash_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = siphash_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = siphash_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = siphash_rotl(v[1], 17) ^ v[2];
	v[2] = siphash_rotl(v[2], 32);
}

static inline void siphash_absorb(uint64_t v[static 4], uint64_t m)
{
	v[3] ^= m;
	siphash_round(v);
	siphash_round(v);
	v[0] ^= m;
}

static inline uint64_t siphash(const struct siphash_key *key, const void *data, size_t len)
{
	uint64_t v[4] = { key->k0 ^ UINT64_C(0x736f6d6570736575),
			  key->k1 ^ UINT64_C(0x646f72616e646f6d),
			  key->k0 ^ UINT64_C(0x6c7967656e657261),
			  key->k1 ^ UINT64_C(0x7465646279746573) };
	uint64_t last = (uint64_t)len << 56;
	const uint8_t *p = data;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		siphash_absorb(v, load64_le(p));
	for (size_t i = 0; i < left; ++i)
		last |= (uint64_t)p[i] << (8 * i);
	siphash_absorb(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; ++i)
		siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
