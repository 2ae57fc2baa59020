#include <assert.h>
#include <string.h>

#include "crypto/crypto.h"

enum { BLOCK = 64 };

static void start_pad(struct crypto_hash *s, const uint8_t key[static CRYPTO_HASH], uint8_t pad)
{
	uint8_t block[BLOCK];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < CRYPTO_HASH; ++i)
		block[i] ^= key[i];
	crypto_hash_init(s, CRYPTO_HASH, NULL, 0);
	crypto_hash_update(s, block, sizeof(block));
	crypto_wipe(block, sizeof(block));
}

void crypto_hmac(uint8_t ret[static CRYPTO_HASH], const uint8_t key[static CRYPTO_HASH],
		 const void *data, size_t len)
{
	uint8_t inner[CRYPTO_HASH];
	struct crypto_hash s;

	start_pad(&s, key, 0x36);
	crypto_hash_update(&s, data, len);
	crypto_hash_final(&s, inner);
	start_pad(&s, key, 0x5c);
	crypto_hash_update(&s, inner, sizeof(inner));
	crypto_hash_final(&s, ret);
	crypto_wipe(inner, sizeof(inner));
}

void crypto_kdf(const uint8_t key[static CRYPTO_HASH], const void *input, size_t len, size_t n,
		uint8_t *const ret[])
{
	uint8_t secret[CRYPTO_HASH], block[CRYPTO_HASH + 1];

	assert(n >= 1 && n <= 3);
	crypto_hmac(secret, key, input, len);
	block[CRYPTO_HASH] = 1;
	crypto_hmac(block, secret, block + CRYPTO_HASH, 1);
	memcpy(ret[0], block, CRYPTO_HASH);
	for (size_t i = 1; i < n; ++i) {
		++block[CRYPTO_HASH];
		crypto_hmac(block, secret, block, sizeof(block));
		memcpy(ret[i], block, CRYPTO_HASH);
	}
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(block, sizeof(block));
}
