#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support.h"

/* Our own, from Python's hmac and hashlib: key 00..1f, input 00, 01, ... of len bytes. */
static void rows(void **state)
{
	static const struct {
		size_t len;
		const char *hmac;
		const char *outputs[3];
	} table[] = {
		{ 0,
		  "e2641d24dfa8dd89e8cb77f1cdc77d8c006e5bebdfc4d6a3a3a6f8d5b7586fb0",
		  { "7a38c34bf2b8738d7374ca77c44ecb309a11d2b2528304fa86052c365e722624",
		    "1a17621f346abdc520746a9fb64d8eb03231d674fc15687537b0780fd9c060fd",
		    "4eaf02809ac4b930ef63479de62275f1c55656e61f78a3cc653c18a2223d6c5f" } },
		{ 1,
		  "3c657ea8362eeb115466cc90a81a36d2994b7153729c01f50a19be2ca3cce643",
		  { "9eca69fb9f218ea554912f67c4c8bde41e7b0f142a169d1b3e4831f44f742c3c",
		    "f7c6abea6b5d3b6e50345a7af4824e601fbb708245fc3fdedac5e4db27747113",
		    "8370876ac0c63c8f55e2cb9ea38033205508b30a3b206b8b4addc986f87c39bf" } },
		{ 32,
		  "8d2cc42fc1055ea43277dfd5d35d3863b228f9cc0c02007dc2afb20907bd7312",
		  { "1fcf29000a27f12dc0691acf0f15bf4c55199f925d65441a3c08b566fce08d13",
		    "704818f0cdc896cc3d7fe77c61f24e33db30aa69ef63758d5cfce8d6335c1b46",
		    "7c46c5eddb1418694b9a599d7d5842039b4fbbf946e376bf59d19847342fee80" } },
		{ 63,
		  "4dba371c585b23403dc53dc5ababbe4264c339bd8d9a1440d8c06ce07c15f547",
		  { "066d4d56a574762dd61f92aed2a03157f6332f50f6b7caec480514336c6f8f5f",
		    "76fe038a5ff99b4391f2ef79f2d7029ea1850f7423a2c12201fff10326a9c9d7",
		    "210c6978dc1884c9efeb544d888587de831b192317188a30cb257f7c0fad54c2" } },
		{ 64,
		  "3b35e945d05ac982850451ac8b6cdfffb98e56f50b95272fab665de081691056",
		  { "bc05131190475a0e03911461f35ce59c5288e95ff348e0e8fec25766c1c07304",
		    "ebd19f930b7ef19fe71c5bacf8947298e29879f72e43c15a0ec6367d86a82e3d",
		    "21a851fc413db878d18ff521583c179168ac375270126e641017a926ca8b4d13" } },
		{ 65,
		  "e0bf9ad5f46ae7cb59268a338f24391ad8cc125148746599da55803c3d80c2e2",
		  { "bbb6b6054bce962c2a711fbe271ff0cfd09851c464bb58cbfb227f2ecf1b458d",
		    "f3a230ed12132d801aac38bbc5a77c23540c70d7945f0c1680cdcf1a3d52ca7d",
		    "8587111820372fd47bf64341a41bbd4f6165935b9d268db6f441e77cfeedd9de" } },
		{ 200,
		  "543eec9b22646365ef782d72dae137cc761d018005f8d33d0f20bfbd01e62974",
		  { "840b571d3e9d34f76ef19bbb25b552774124ce653961ff3d79d4b206ad853ff4",
		    "4b22976365f5cb1ffe7a5962d2373cae0e29b7fb8b99977e05d5c420678a5bb8",
		    "fa90dc4ce826978029a9c9d60369026121df255340fe54fc38a2b1ec7d5b6f55" } },
	};
	uint8_t key[32], data[200], expected[32], out[3][32];

	(void)state;
	for (size_t i = 0; i < sizeof(key); ++i)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(data); ++i)
		data[i] = (uint8_t)i;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		crypto_hmac(out[0], key, data, table[i].len);
		test_from_hex(table[i].hmac, expected, sizeof(expected));
		assert_memory_equal(out[0], expected, sizeof(expected));
		crypto_kdf(key, data, table[i].len, 3,
			   (uint8_t *const[]){ out[0], out[1], out[2] });
		for (size_t j = 0; j < 3; ++j) {
			test_from_hex(table[i].outputs[j], expected, sizeof(expected));
			assert_memory_equal(out[j], expected, sizeof(expected));
		}
	}
}

static void hmac_by_libcrypto(uint8_t ret[static 32], const uint8_t key[static 32],
			      const void *data, size_t len)
{
	static char digest[] = "BLAKE2S-256";
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
								       digest, 0),
				      OSSL_PARAM_construct_end() };
	size_t written;

	assert_int_equal(EVP_MAC_init(ctx, key, 32, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, data, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, ret, &written, 32), 1);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void kdf_by_libcrypto(const uint8_t key[static 32], const void *data, size_t len,
			     uint8_t ret[3][32])
{
	uint8_t secret[32], block[33];

	hmac_by_libcrypto(secret, key, data, len);
	hmac_by_libcrypto(ret[0], secret, "\1", 1);
	memcpy(block, ret[0], 32);
	block[32] = 2;
	hmac_by_libcrypto(ret[1], secret, block, 33);
	memcpy(block, ret[1], 32);
	block[32] = 3;
	hmac_by_libcrypto(ret[2], secret, block, 33);
}

static void against_libcrypto(void **state)
{
	uint8_t key[32], data[300], out[3][32], expected[3][32], guard[32];
	uint64_t seed = 8;

	(void)state;
	memset(guard, 0xa5, sizeof(guard));
	for (size_t len = 0; len < sizeof(data); ++len) {
		test_random_fill(&seed, key, sizeof(key));
		test_random_fill(&seed, data, sizeof(data));
		crypto_hmac(out[0], key, data, len);
		hmac_by_libcrypto(expected[0], key, data, len);
		assert_memory_equal(out[0], expected[0], 32);

		kdf_by_libcrypto(key, data, len, expected);
		for (size_t n = 1; n <= 3; ++n) {
			memset(out, 0xa5, sizeof(out));
			crypto_kdf(key, data, len, n, (uint8_t *const[]){ out[0], out[1], out[2] });
			for (size_t i = 0; i < 3; ++i)
				assert_memory_equal(out[i], i < n ? expected[i] : guard, 32);
		}
	}
}

/* An output may lie where the key or the input was. */
static void in_place(void **state)
{
	uint8_t key[32], data[32], expected[3][32], a[32], b[32], c[32];
	uint64_t seed = 9;

	(void)state;
	test_random_fill(&seed, key, sizeof(key));
	test_random_fill(&seed, data, sizeof(data));
	kdf_by_libcrypto(key, data, sizeof(data), expected);
	for (size_t place = 0; place < 3; ++place) {
		memcpy(a, key, sizeof(a));
		crypto_kdf(a, data, sizeof(data), 3,
			   (uint8_t *const[]){ place == 0 ? a : b, place == 1 ? a : c,
					       place == 2 ? a : c });
		assert_memory_equal(a, expected[place], sizeof(a));
	}
	memcpy(b, data, sizeof(b));
	crypto_kdf(key, b, sizeof(b), 2, (uint8_t *const[]){ b, c });
	assert_memory_equal(b, expected[0], sizeof(b));
	assert_memory_equal(c, expected[1], sizeof(c));

	hmac_by_libcrypto(expected[0], key, data, sizeof(data));
	memcpy(a, data, sizeof(a));
	crypto_hmac(a, key, a, sizeof(a));
	assert_memory_equal(a, expected[0], sizeof(a));
	memcpy(a, key, sizeof(a));
	crypto_hmac(a, a, data, sizeof(data));
	assert_memory_equal(a, expected[0], sizeof(a));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(against_libcrypto),
		cmocka_unit_test(in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
