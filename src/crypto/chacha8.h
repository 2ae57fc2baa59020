#ifndef CRYPTO_CHACHA8_H
#define CRYPTO_CHACHA8_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/poly1305.h"

/*
 * Eight ChaCha20 blocks at once (RFC 8439 2.3) on the 256-bit vectors of AVX2. A lane is a block of
 * its own: lanes may be of different packets, and go to different places.
 */
enum {
	CHACHA_LANES = 8,
	CHACHA_BLOCK = 64,
	CHACHA_WOVEN =
		34, /* most Poly1305 blocks beside one pass: 3 a double round, 4 after them */
};

typedef uint32_t chacha_vector __attribute__((vector_size(32)));
typedef uint32_t chacha_anywhere __attribute__((vector_size(32), aligned(1), may_alias));

struct chacha_lanes {
	chacha_vector counter, nonce_lo, nonce_hi; /* words 12, 14 and 15 */
	const uint8_t *src[2 * CHACHA_LANES];      /* as in chacha8_fill, half of it is room */
	uint8_t *dst[2 * CHACHA_LANES];
};

/* Key, then the nonce's first word. */
struct chacha_key {
	uint32_t words[9];
};

/*
 * dst of each lane = src of it ^ its key stream, 64 bytes; and `woven` blocks of Poly1305 from
 * `blocks` on, which must not be what is written.
 */
void chacha8_pass(const struct chacha_key *key, const struct chacha_lanes *l, struct poly *p,
		  const uint8_t *blocks, size_t woven);
/* After the last pass: the vector registers, and the stack that passes used. */
void chacha8_wipe(void);

#endif
