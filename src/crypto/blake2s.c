#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

enum { BLOCK = 64, KEY_MAX = 32 };

static const uint32_t iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

static inline uint32_t rotr(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static inline void mix(uint32_t v[static 16], unsigned int a, unsigned int b, unsigned int c,
		       unsigned int d, uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotr(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotr(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 7);
}

/* Written out, so that the state stays in registers. The letters are a row of sigma. */
#define ROUND(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
	do {                                                  \
		mix(v, 0, 4, 8, 12, w[a], w[b]);              \
		mix(v, 1, 5, 9, 13, w[c], w[d]);              \
		mix(v, 2, 6, 10, 14, w[e], w[f]);             \
		mix(v, 3, 7, 11, 15, w[g], w[h]);             \
		mix(v, 0, 5, 10, 15, w[i], w[j]);             \
		mix(v, 1, 6, 11, 12, w[k], w[l]);             \
		mix(v, 2, 7, 8, 13, w[m], w[n]);              \
		mix(v, 3, 4, 9, 14, w[o], w[p]);              \
	} while (0)

static void compress(uint32_t h[static 8], const uint8_t block[static BLOCK], uint64_t count,
		     uint32_t last)
{
	uint32_t v[16], w[16];

	for (size_t i = 0; i < 16; ++i)
		w[i] = load32_le(block + 4 * i);
	for (size_t i = 0; i < 8; ++i) {
		v[i] = h[i];
		v[i + 8] = iv[i];
	}
	v[12] ^= (uint32_t)count;
	v[13] ^= (uint32_t)(count >> 32);
	v[14] ^= last;

	ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
	ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
	ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
	ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
	ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
	ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
	ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
	ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
	ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);

	for (size_t i = 0; i < 8; ++i)
		h[i] ^= v[i] ^ v[i + 8];
	/* Keyed: the block may be a key, a secret or what comes of one. */
	crypto_wipe(v, sizeof(v));
	crypto_wipe(w, sizeof(w));
}

void crypto_hash_init(struct crypto_hash *s, size_t out, const void *key, size_t keylen)
{
	assert(out >= 1 && out <= CRYPTO_HASH && keylen <= KEY_MAX);
	memset(s, 0, sizeof(*s));
	memcpy(s->h, iv, sizeof(s->h));
	s->h[0] ^= 0x01010000 | (uint32_t)keylen << 8 | (uint32_t)out;
	s->out = (uint8_t)out;
	if (keylen > 0) {
		memcpy(s->block, key, keylen);
		s->used = BLOCK;
	}
}

void crypto_hash_init_keyed(struct crypto_hash *s, size_t out, const void *key, size_t keylen)
{
	assert(keylen > 0);
	crypto_hash_init(s, out, key, keylen);
	s->count = BLOCK;
	compress(s->h, s->block, s->count, 0);
	crypto_wipe(s->block, sizeof(s->block));
	s->used = 0;
}

/* A full block waits until more comes, because the last one is compressed differently. */
void crypto_hash_update(struct crypto_hash *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		size_t take = BLOCK - s->used;

		if (take == 0) {
			s->count += BLOCK;
			compress(s->h, s->block, s->count, 0);
			s->used = 0;
			take = BLOCK;
		}
		if (take > len)
			take = len;
		memcpy(s->block + s->used, p, take);
		s->used = (uint8_t)(s->used + take);
		p += take;
		len -= take;
	}
}

void crypto_hash_final(struct crypto_hash *s, void *ret)
{
	uint8_t digest[CRYPTO_HASH];

	assert(s->used || !s->count); /* else the key's block was the last one */
	memset(s->block + s->used, 0, BLOCK - s->used);
	s->count += s->used;
	compress(s->h, s->block, s->count, UINT32_MAX);
	for (size_t i = 0; i < 8; ++i)
		store32_le(digest + 4 * i, s->h[i]);
	memcpy(ret, digest, s->out);
	crypto_wipe(digest, sizeof(digest));
	crypto_wipe(s, sizeof(*s));
}

void crypto_blake2s(uint8_t ret[static CRYPTO_HASH], const void *data, size_t len)
{
	struct crypto_hash s;

	crypto_hash_init(&s, CRYPTO_HASH, NULL, 0);
	crypto_hash_update(&s, data, len);
	crypto_hash_final(&s, ret);
}

void crypto_mac(uint8_t ret[static CRYPTO_MAC], const void *key, size_t keylen, const void *data,
		size_t len)
{
	struct crypto_hash s;

	crypto_hash_init(&s, CRYPTO_MAC, key, keylen);
	crypto_hash_update(&s, data, len);
	crypto_hash_final(&s, ret);
}
