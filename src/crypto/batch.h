#ifndef CRYPTO_BATCH_H
#define CRYPTO_BATCH_H

#include "crypto/crypto.h"

/*
 * What stands behind crypto_seal_batch and crypto_open_batch. Inside src/crypto, for known answers
 * and for benchmarks only: everyone else goes through the door. `first` is the nonce's first word;
 * WireGuard's is 0, others are known answers.
 */
struct batch {
	const char *name;
	bool (*is_here)(void); /* this CPU has what it needs */
	bool (*seal)(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		     uint32_t first);
	void (*open)(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		     uint32_t first);
	/* Poly1305 alone, `woven` (0 to 34) blocks at a time beside the cipher: its carries can be
	 * tested with chosen keys only. NULL where it is not ours. */
	void (*poly1305)(const uint8_t key[static 32], const uint8_t *message, size_t blocks,
			 size_t woven, uint8_t ret[static CRYPTO_TAG]);
};

extern const struct batch batch_libcrypto;
extern const struct batch batch_avx2;

/* Known answers, and the same as libcrypto over lengths and shapes; a few milliseconds. */
MUST_CHECK bool batch_self_test(const struct batch *b);

/* crypto_equal for two tags. On its own because its outcome is public: who sent it will see. */
MUST_CHECK bool batch_tag_matches(const uint8_t own[static CRYPTO_TAG],
				  const uint8_t sent[static CRYPTO_TAG]);

#endif
