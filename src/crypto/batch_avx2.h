#ifndef CRYPTO_BATCH_AVX2_H
#define CRYPTO_BATCH_AVX2_H

#include "crypto/batch.h"

/* The functions of batch_avx2; compiled for a CPU that may not be there: see is_here. */
MUST_CHECK bool batch_avx2_seal(struct crypto_packet *packets, size_t n,
				const struct key_shared *key, uint32_t first);
void batch_avx2_open(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		     uint32_t first);
void batch_avx2_poly1305(const uint8_t key[static 32], const uint8_t *message, size_t blocks,
			 size_t woven, uint8_t ret[static CRYPTO_TAG]);

#endif
