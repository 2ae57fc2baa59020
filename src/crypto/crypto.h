#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"

/*
 * The one door to primitives. X25519 and ChaCha20-Poly1305 come from libcrypto (one context per
 * thread, made at first use, freed with the thread); BLAKE2s and HChaCha20 are ours, and so is a
 * second, faster ChaCha20-Poly1305 for batches. No function branches or indexes on a secret. Every
 * function may be called from any thread.
 *
 * Sources: X25519 RFC 7748, ChaCha20-Poly1305 RFC 8439, BLAKE2s RFC 7693, HMAC RFC 2104 and HKDF
 * RFC 5869 over BLAKE2s as in the WireGuard paper 5.4, XChaCha20-Poly1305
 * draft-irtf-cfrg-xchacha-03.
 */
enum { CRYPTO_TAG = 16, CRYPTO_HASH = 32, CRYPTO_MAC = 16, CRYPTO_XNONCE = 24 };

/* Run once before anything else: known answers of every primitive. False: do not start. */
MUST_CHECK bool crypto_self_test(void);

void crypto_wipe(void *secret, size_t len); /* the compiler can't elide it */
MUST_CHECK bool crypto_equal(const void *a, const void *b, size_t len); /* constant time */
MUST_CHECK bool crypto_is_zero(const void *a, size_t len);              /* constant time */

/* From the kernel, blocking until it is seeded. False: ret holds no random byte, make no key. */
MUST_CHECK bool crypto_random(void *ret, size_t len);

/* X25519 */
void crypto_clamp(struct key_private *k);
MUST_CHECK bool crypto_public(const struct key_private *k, struct key_public *ret);
/* False, and ret wiped, where the result is all zero (a low-order point) or libcrypto fails. */
MUST_CHECK bool crypto_dh(const struct key_private *k, const struct key_public *p,
			  struct key_shared *ret);

/* BLAKE2s */
struct crypto_hash {
	uint32_t h[8];
	uint64_t count;
	uint8_t block[64];
	uint8_t used;
	uint8_t out;
};
/* out 1..32, keylen 0..32 */
void crypto_hash_init(struct crypto_hash *s, size_t out, const void *key, size_t keylen);
/* The same with the key's block done: to be copied and used often. At least one byte must follow.
 */
void crypto_hash_init_keyed(struct crypto_hash *s, size_t out, const void *key, size_t keylen);
void crypto_hash_update(struct crypto_hash *s, const void *data, size_t len);
void crypto_hash_final(struct crypto_hash *s, void *ret); /* wipes s */
void crypto_blake2s(uint8_t ret[static CRYPTO_HASH], const void *data, size_t len);
/* Keyed BLAKE2s with 16 bytes of output: mac1, mac2, cookies. keylen 0..32 */
void crypto_mac(uint8_t ret[static CRYPTO_MAC], const void *key, size_t keylen, const void *data,
		size_t len);

void crypto_hmac(uint8_t ret[static CRYPTO_HASH], const uint8_t key[static CRYPTO_HASH],
		 const void *data, size_t len);
/* KDF_n of the paper: n outputs (1..3) of 32 bytes, each to ret[i]; one of them may be the chaining
 * key's own place. */
void crypto_kdf(const uint8_t key[static CRYPTO_HASH], const void *input, size_t len, size_t n,
		uint8_t *const ret[]);

/* ChaCha20-Poly1305, one message. nonce = 32 zero bits, then counter in little-endian
 * (paper 5.4.6). */
MUST_CHECK bool crypto_seal(uint8_t *ret, const void *plain, size_t len, const void *ad,
			    size_t adlen, uint64_t counter,
			    const struct key_shared *key); /* writes len + CRYPTO_TAG */
/* len counts the tag. False: ret holds no byte of the message. ret may be the place of sealed. */
MUST_CHECK bool crypto_open(uint8_t *ret, const void *sealed, size_t len, const void *ad,
			    size_t adlen, uint64_t counter, const struct key_shared *key);

/* Many messages in place under one key, no additional data: the packet path. */
struct crypto_packet {
	uint8_t *data; /* plain text on the way out; len bytes, then room for CRYPTO_TAG more */
	size_t len;    /* plain text's length, in both directions: the tag is not counted */
	uint64_t counter;
	bool ok; /* set by open: authentic. When false the data is zeroed, never released */
};
/* False: nothing was sealed and all data is wiped. */
MUST_CHECK bool crypto_seal_batch(struct crypto_packet *packets, size_t n,
				  const struct key_shared *key);
void crypto_open_batch(struct crypto_packet *packets, size_t n, const struct key_shared *key);

/*
 * Which code does the batches: libcrypto's until something is chosen. AUTO is the fastest that this
 * CPU has and that passes its self-test, which is run at each choice and takes milliseconds; at
 * worst it is libcrypto. Choose at start; later too, from any thread, for the batches to come.
 */
enum crypto_cipher { CRYPTO_CIPHER_AUTO, CRYPTO_CIPHER_LIBCRYPTO, CRYPTO_CIPHER_AVX2 };
enum crypto_choice {
	CRYPTO_CHOSEN,
	CRYPTO_NOT_HERE,      /* not with this CPU, or not in this build; nothing has changed */
	CRYPTO_WRONG_ANSWERS, /* a self-test failed, and what failed it is not used */
};
MUST_CHECK enum crypto_choice crypto_choose_cipher(enum crypto_cipher wanted);
const char *crypto_cipher_name(void); /* of the one in use: "libcrypto" or "avx2" */
/* auto, libcrypto or avx2. False for any other word. */
MUST_CHECK bool crypto_cipher_from_name(const char *name, enum crypto_cipher *ret);

/* XChaCha20-Poly1305: cookie replies */
MUST_CHECK bool crypto_xseal(uint8_t *ret, const void *plain, size_t len, const void *ad,
			     size_t adlen, const uint8_t nonce[static CRYPTO_XNONCE],
			     const struct key_shared *key);
MUST_CHECK bool crypto_xopen(uint8_t *ret, const void *sealed, size_t len, const void *ad,
			     size_t adlen, const uint8_t nonce[static CRYPTO_XNONCE],
			     const struct key_shared *key);
void crypto_hchacha20(uint8_t ret[static 32], const uint8_t nonce[static 16],
		      const struct key_shared *key);

#endif
