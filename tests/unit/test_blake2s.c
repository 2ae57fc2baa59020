#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support.h"
#include "vectors.h"

static void hash_with(uint8_t *ret, size_t out, const void *key, size_t keylen, const void *data,
		      size_t len)
{
	struct crypto_hash s;

	crypto_hash_init(&s, out, key, keylen);
	crypto_hash_update(&s, data, len);
	crypto_hash_final(&s, ret);
	if (keylen && len) {
		uint8_t again[CRYPTO_HASH];
		struct crypto_hash begun, before;

		crypto_hash_init_keyed(&begun, out, key, keylen);
		before = s = begun;
		crypto_hash_update(&s, data, len);
		crypto_hash_final(&s, again);
		assert_memory_equal(again, ret, out);
		assert_memory_equal(&begun, &before, sizeof(begun));
	}
}

/* RFC 7693 appendix B; the others are our own, from Python's hashlib. */
static void rows(void **state)
{
	static const struct {
		const char *data;
		size_t keylen; /* the key is 00, 01, 02 ... */
		size_t out;
		const char *hash;
	} table[] = {
		{ "abc", 0, 32,
		  "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982" },
		{ "", 0, 32, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9" },
		{ "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", 0, 32,
		  "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36" },
		{ "abc", 0, 1, "0d" },
		{ "abc", 32, 32,
		  "a281f725754969a702f6fe36fc591b7def866e4b70173ece402fc01c064d6b65" },
		{ "abc", 32, 16, "61ba5f165c194692e09d12520cc4c74a" },
		{ "abc", 16, 16, "75296c2d2c0f51210b383f386bc8b1ff" },
		{ "abc", 1, 5, "fb74770e44" },
		{ "", 32, 16, "9536f9b267655743dee97b8a670f9f53" },
	};
	uint8_t key[32], hash[32], expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof(key); ++i)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		test_from_hex(table[i].hash, expected, table[i].out);
		hash_with(hash, table[i].out, key, table[i].keylen, table[i].data,
			  strlen(table[i].data));
		assert_memory_equal(hash, expected, table[i].out);
	}
}

static void official_vectors(void **state)
{
	json_t *root = vectors_load("blake2s_kat.json"), *row;
	static uint8_t data[VECTORS_MAX], key[VECTORS_MAX], expected[VECTORS_MAX];
	uint8_t hash[32];
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(root), 512);
	json_array_foreach(root, i, row)
	{
		const size_t len = vectors_bytes(row, "in", data);
		const size_t keylen = vectors_bytes(row, "key", key);

		assert_int_equal(vectors_bytes(row, "out", expected), sizeof(hash));
		hash_with(hash, sizeof(hash), key, keylen, data, len);
		assert_memory_equal(hash, expected, sizeof(hash));
		if (keylen == 0) {
			crypto_blake2s(hash, data, len);
			assert_memory_equal(hash, expected, sizeof(hash));
		}
	}
	json_decref(root);
}

/* libcrypto's, by another interface. */
static void mac_by_libcrypto(uint8_t *ret, size_t out, const uint8_t *key, size_t keylen,
			     const uint8_t *data, size_t len)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &out),
				      OSSL_PARAM_construct_end() };
	size_t written;

	assert_int_equal(EVP_MAC_init(ctx, key, keylen, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, data, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, ret, &written, out), 1);
	assert_int_equal(written, out);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void against_libcrypto(void **state)
{
	uint8_t data[600], key[32], hash[32], expected[32];
	uint64_t seed = 6;

	(void)state;
	for (size_t len = 0; len < sizeof(data); ++len) {
		const size_t out = 1 + test_random_below(&seed, 32);
		const size_t keylen = 1 + test_random_below(&seed, 32);

		test_random_fill(&seed, data, sizeof(data));
		test_random_fill(&seed, key, sizeof(key));
		crypto_blake2s(hash, data, len);
		assert_int_equal(EVP_Digest(data, len, expected, NULL, EVP_blake2s256(), NULL), 1);
		assert_memory_equal(hash, expected, sizeof(hash));

		memset(hash, 0, sizeof(hash));
		memset(expected, 0, sizeof(expected));
		hash_with(hash, out, key, keylen, data, len);
		mac_by_libcrypto(expected, out, key, keylen, data, len);
		assert_memory_equal(hash, expected, sizeof(hash));

		crypto_mac(hash, key, keylen, data, len);
		mac_by_libcrypto(expected, CRYPTO_MAC, key, keylen, data, len);
		assert_memory_equal(hash, expected, CRYPTO_MAC);
	}
}

/* However a message is cut, its hash is the same. */
static void in_pieces(void **state)
{
	uint8_t data[1000], key[32], whole[32], pieces[32];
	uint64_t seed = 7;

	(void)state;
	for (int run = 0; run < 2000; ++run) {
		const size_t len = test_random_below(&seed, sizeof(data));
		const size_t keylen = test_random_below(&seed, 2) ? sizeof(key) : 0;
		const size_t most = 1 + test_random_below(&seed, 150);
		struct crypto_hash s;

		test_random_fill(&seed, data, len);
		test_random_fill(&seed, key, sizeof(key));
		hash_with(whole, sizeof(whole), key, keylen, data, len);
		crypto_hash_init(&s, sizeof(pieces), key, keylen);
		for (size_t done = 0, n; done < len; done += n) {
			n = test_random_below(&seed, most + 1);
			if (n > len - done)
				n = len - done;
			crypto_hash_update(&s, data + done, n);
		}
		crypto_hash_final(&s, pieces);
		assert_memory_equal(pieces, whole, sizeof(whole));
	}
}

/* More than 2^32 bytes would take the second word of the counter: set it instead of hashing them.
 */
static void long_counter(void **state)
{
	static const char expected[] =
		"817fb49181ee82a2c43ccc6907433610c109c3335a09d7435d2d4f18eb4797aa";
	static const uint8_t zeros[150];
	struct crypto_hash s;
	uint8_t hash[32], bytes[32];

	(void)state;
	crypto_hash_init(&s, sizeof(hash), NULL, 0);
	s.count = UINT64_C(0xffffffc0);
	crypto_hash_update(&s, zeros, sizeof(zeros));
	crypto_hash_final(&s, hash);
	test_from_hex(expected, bytes, sizeof(bytes));
	assert_memory_equal(hash, bytes, sizeof(hash));
}

static void leaves_nothing(void **state)
{
	struct crypto_hash s;
	uint8_t hash[32], guarded[17];

	(void)state;
	crypto_hash_init(&s, sizeof(hash), "key", 3);
	crypto_hash_update(&s, "secret", 6);
	crypto_hash_final(&s, hash);
	assert_true(crypto_is_zero(&s, sizeof(s)));
	guarded[16] = 0xa5;
	crypto_mac(guarded, "key", 3, NULL, 0);
	assert_int_equal(guarded[16], 0xa5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(official_vectors),
		cmocka_unit_test(against_libcrypto),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(long_counter),
		cmocka_unit_test(leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
