#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "crypto/crypto.h"

/*
 * ChaCha20-Poly1305 with any nonce of RFC 8439; as crypto_seal and crypto_open otherwise. Inside
 * src/crypto and for known answers only: everyone else counts.
 */
enum { CRYPTO_NONCE = 12 };

MUST_CHECK bool crypto_seal_nonce(uint8_t *ret, const void *plain, size_t len, const void *ad,
				  size_t adlen, const uint8_t nonce[static CRYPTO_NONCE],
				  const struct key_shared *key);
MUST_CHECK bool crypto_open_nonce(uint8_t *ret, const void *sealed, size_t len, const void *ad,
				  size_t adlen, const uint8_t nonce[static CRYPTO_NONCE],
				  const struct key_shared *key);

#endif
