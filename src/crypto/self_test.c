#include <string.h>

#include "crypto/aead.h"
#include "crypto/batch.h"

/* The answer for a message is checked by its tag, which depends on every byte. */
static const char message[] = "Ladies and Gentlemen of the class of '99: If I could offer you only "
			      "one tip for the future, sunscreen would be it.";
enum { MESSAGE = sizeof(message) - 1, SEALED = MESSAGE + CRYPTO_TAG };

static const uint8_t ad[12] = { 0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
				0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };

/* Whole bytes in a row, as the documents like their keys and messages. */
static void count_up(uint8_t *ret, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; ++i)
		ret[i] = (uint8_t)(first + i);
}

/* RFC 7693 appendix B; the keyed one is our own, checked against Python's hashlib. */
static bool hash_works(void)
{
	static const uint8_t plain[CRYPTO_HASH] = {
		0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b,
		0xa3, 0x4e, 0xeb, 0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6,
		0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82
	};
	static const uint8_t keyed[CRYPTO_MAC] = { 0x0b, 0x67, 0xd3, 0x3f, 0x8b, 0x85, 0x9c, 0x31,
						   0x57, 0xfb, 0xab, 0xd9, 0xe6, 0xe4, 0x7e, 0xd0 };
	uint8_t key[32], data[100], hash[CRYPTO_HASH], mac[CRYPTO_MAC];

	count_up(key, sizeof(key), 0);
	count_up(data, sizeof(data), 0);
	crypto_blake2s(hash, "abc", 3);
	crypto_mac(mac, key, sizeof(key), data, sizeof(data));
	return crypto_equal(hash, plain, sizeof(hash)) && crypto_equal(mac, keyed, sizeof(mac));
}

/* Our own, checked against Python's hmac. The third output depends on the others. */
static bool kdf_works(void)
{
	static const uint8_t third[CRYPTO_HASH] = {
		0x2d, 0x47, 0x48, 0xe2, 0x9b, 0x90, 0xd9, 0x20, 0x57, 0x48, 0x9d,
		0x6a, 0xaa, 0x0e, 0xe0, 0xd2, 0xa1, 0x35, 0x11, 0x3b, 0x4b, 0xaa,
		0xef, 0xb8, 0xd8, 0x2f, 0xb5, 0x4b, 0xff, 0xe1, 0x64, 0x96
	};
	uint8_t key[32], data[100], out[3][CRYPTO_HASH];

	count_up(key, sizeof(key), 0);
	count_up(data, sizeof(data), 0);
	crypto_kdf(key, data, sizeof(data), 3, (uint8_t *const[]){ out[0], out[1], out[2] });
	return crypto_equal(out[2], third, sizeof(third));
}

/* RFC 7748 6.1 */
static bool dh_works(void)
{
	static const struct key_private own = {
		{ 0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
		  0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
		  0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a }
	};
	static const struct key_public own_public = {
		{ 0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
		  0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
		  0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a }
	};
	static const struct key_public other = {
		{ 0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61,
		  0xc2, 0xec, 0xe4, 0x35, 0x37, 0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78,
		  0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f }
	};
	static const uint8_t both[KEY_LEN] = { 0x4a, 0x5d, 0x9d, 0x5b, 0xa4, 0xce, 0x2d, 0xe1,
					       0x72, 0x8e, 0x3b, 0xf4, 0x80, 0x35, 0x0f, 0x25,
					       0xe0, 0x7e, 0x21, 0xc9, 0x47, 0xd1, 0x9e, 0x33,
					       0x76, 0xf0, 0x9b, 0x3c, 0x1e, 0x16, 0x17, 0x42 };
	static const struct key_public zero;
	struct key_public made;
	struct key_shared shared;

	return crypto_public(&own, &made) && crypto_equal(&made, &own_public, sizeof(made)) &&
	       crypto_dh(&own, &other, &shared) && crypto_equal(&shared, both, sizeof(both)) &&
	       !crypto_dh(&own, &zero, &shared);
}

/* RFC 8439 2.8.2 */
static bool aead_works(void)
{
	static const uint8_t nonce[CRYPTO_NONCE] = { 0x07, 0,    0,    0,    0x40, 0x41,
						     0x42, 0x43, 0x44, 0x45, 0x46, 0x47 };
	static const uint8_t tag[CRYPTO_TAG] = { 0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
						 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91 };
	uint8_t sealed[SEALED], opened[MESSAGE];
	struct key_shared key;

	count_up(key.bytes, sizeof(key.bytes), 0x80);
	if (!crypto_seal_nonce(sealed, message, MESSAGE, ad, sizeof(ad), nonce, &key) ||
	    !crypto_equal(sealed + MESSAGE, tag, sizeof(tag)) ||
	    !crypto_open_nonce(opened, sealed, SEALED, ad, sizeof(ad), nonce, &key) ||
	    !crypto_equal(opened, message, MESSAGE))
		return false;
	sealed[0] ^= 1;
	return !crypto_open_nonce(opened, sealed, SEALED, ad, sizeof(ad), nonce, &key) &&
	       crypto_is_zero(opened, MESSAGE);
}

/* draft-irtf-cfrg-xchacha-03 A.3.1 */
static bool xaead_works(void)
{
	static const uint8_t tag[CRYPTO_TAG] = { 0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79,
						 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49 };
	uint8_t nonce[CRYPTO_XNONCE], sealed[SEALED], opened[MESSAGE];
	struct key_shared key;

	count_up(key.bytes, sizeof(key.bytes), 0x80);
	count_up(nonce, sizeof(nonce), 0x40);
	return crypto_xseal(sealed, message, MESSAGE, ad, sizeof(ad), nonce, &key) &&
	       crypto_equal(sealed + MESSAGE, tag, sizeof(tag)) &&
	       crypto_xopen(opened, sealed, SEALED, ad, sizeof(ad), nonce, &key) &&
	       crypto_equal(opened, message, MESSAGE);
}

/* The packet path's plain one must agree with the single message. */
static bool batch_works(void)
{
	uint8_t expected[SEALED], data[SEALED];
	struct crypto_packet packet = { .data = data, .len = MESSAGE, .counter = 1 };
	struct key_shared key;

	count_up(key.bytes, sizeof(key.bytes), 0x80);
	memcpy(data, message, MESSAGE);
	return crypto_seal(expected, message, MESSAGE, NULL, 0, 1, &key) &&
	       batch_libcrypto.seal(&packet, 1, &key, 0) && crypto_equal(data, expected, SEALED);
}

bool crypto_self_test(void)
{
	uint8_t a[32], b[32];

	return hash_works() && kdf_works() && dh_works() && aead_works() && xaead_works() &&
	       batch_works() && batch_self_test(&batch_libcrypto) && crypto_random(a, sizeof(a)) &&
	       crypto_random(b, sizeof(b)) && !crypto_equal(a, b, sizeof(a));
}
