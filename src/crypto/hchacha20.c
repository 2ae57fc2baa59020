#include "base/bytes.h"
#include "crypto/crypto.h"

static inline uint32_t rotl(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

static inline void quarter(uint32_t x[static 16], int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

void crypto_hchacha20(uint8_t ret[static 32], const uint8_t nonce[static 16],
		      const struct key_shared *key)
{
	uint32_t x[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	for (size_t i = 0; i < 8; ++i)
		x[4 + i] = load32_le(key->bytes + 4 * i);
	for (size_t i = 0; i < 4; ++i)
		x[12 + i] = load32_le(nonce + 4 * i);
	for (int i = 0; i < 10; ++i) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 1, 5, 9, 13);
		quarter(x, 2, 6, 10, 14);
		quarter(x, 3, 7, 11, 15);
		quarter(x, 0, 5, 10, 15);
		quarter(x, 1, 6, 11, 12);
		quarter(x, 2, 7, 8, 13);
		quarter(x, 3, 4, 9, 14);
	}
	for (size_t i = 0; i < 4; ++i) {
		store32_le(ret + 4 * i, x[i]);
		store32_le(ret + 16 + 4 * i, x[12 + i]);
	}
	crypto_wipe(x, sizeof(x));
}

bool crypto_xseal(uint8_t *ret, const void *plain, size_t len, const void *ad, size_t adlen,
		  const uint8_t nonce[static CRYPTO_XNONCE], const struct key_shared *key)
{
	struct key_shared sub;
	bool ok;

	crypto_hchacha20(sub.bytes, nonce, key);
	ok = crypto_seal(ret, plain, len, ad, adlen, load64_le(nonce + 16), &sub);
	crypto_wipe(&sub, sizeof(sub));
	return ok;
}

bool crypto_xopen(uint8_t *ret, const void *sealed, size_t len, const void *ad, size_t adlen,
		  const uint8_t nonce[static CRYPTO_XNONCE], const struct key_shared *key)
{
	struct key_shared sub;
	bool ok;

	crypto_hchacha20(sub.bytes, nonce, key);
	ok = crypto_open(ret, sealed, len, ad, adlen, load64_le(nonce + 16), &sub);
	crypto_wipe(&sub, sizeof(sub));
	return ok;
}
