#include <string.h>

#include "crypto/crypto.h"

/*
 * In the place of src/crypto/cipher.c: a door with no cipher behind it. Packets go out as plain
 * text under a tag of zeros, and every one that comes in is taken. Linked into bench_warren_null
 * only, to measure what all but the cipher costs; both ends must be it. Nothing in warren can
 * select it.
 */
enum crypto_choice crypto_choose_cipher(enum crypto_cipher wanted)
{
	return wanted == CRYPTO_CIPHER_AUTO ? CRYPTO_CHOSEN : CRYPTO_NOT_HERE;
}

const char *crypto_cipher_name(void)
{
	return "null";
}

bool crypto_seal_batch(struct crypto_packet *packets, size_t n, const struct key_shared *key)
{
	(void)key;
	for (size_t i = 0; i < n; ++i)
		memset(packets[i].data + packets[i].len, 0, CRYPTO_TAG);
	return true;
}

void crypto_open_batch(struct crypto_packet *packets, size_t n, const struct key_shared *key)
{
	(void)key;
	for (size_t i = 0; i < n; ++i)
		packets[i].ok = true;
}
