#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
/* not <sodium.h>: it too has a crypto_hash */
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_core_hchacha20.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support.h"
#include "vectors.h"

/* draft-irtf-cfrg-xchacha-03 2.2.1 */
static void hchacha20_row(void **state)
{
	uint8_t nonce[16], expected[32], ret[32];
	struct key_shared key;

	(void)state;
	for (size_t i = 0; i < sizeof(key.bytes); ++i)
		key.bytes[i] = (uint8_t)i;
	test_from_hex("000000090000004a0000000031415927", nonce, sizeof(nonce));
	test_from_hex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc", expected,
		      sizeof(expected));
	crypto_hchacha20(ret, nonce, &key);
	assert_memory_equal(ret, expected, sizeof(ret));
}

static void hchacha20_against_libsodium(void **state)
{
	uint8_t nonce[16], expected[32], ret[32];
	struct key_shared key;
	uint64_t seed = 18;

	(void)state;
	for (int run = 0; run < 2000; ++run) {
		test_random_fill(&seed, nonce, sizeof(nonce));
		test_random_fill(&seed, &key, sizeof(key));
		assert_int_equal(crypto_core_hchacha20(expected, nonce, key.bytes, NULL), 0);
		crypto_hchacha20(ret, nonce, &key);
		assert_memory_equal(ret, expected, sizeof(ret));
		crypto_hchacha20(key.bytes, nonce, &key);
		assert_memory_equal(key.bytes, expected, sizeof(expected));
	}
}

static void check_wycheproof(const json_t *test)
{
	static uint8_t nonce[VECTORS_MAX], ad[VECTORS_MAX], plain[VECTORS_MAX];
	static uint8_t sealed[2 * VECTORS_MAX], ret[2 * VECTORS_MAX];
	const bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
	const size_t adlen = vectors_bytes(test, "aad", ad);
	const size_t len = vectors_bytes(test, "msg", plain);
	struct key_shared key;
	bool ok;

	vectors_exactly(test, "key", key.bytes, sizeof(key.bytes));
	assert_int_equal(vectors_bytes(test, "iv", nonce), CRYPTO_XNONCE);
	assert_int_equal(vectors_bytes(test, "ct", sealed), len);
	vectors_exactly(test, "tag", sealed + len, CRYPTO_TAG);

	assert_true(crypto_xseal(ret, plain, len, ad, adlen, nonce, &key));
	if ((memcmp(ret, sealed, len + CRYPTO_TAG) == 0) != valid)
		fail_msg("tcId %d: sealed otherwise", vectors_number(test, "tcId"));
	ok = crypto_xopen(ret, sealed, len + CRYPTO_TAG, ad, adlen, nonce, &key);
	if (ok != valid || (ok ? memcmp(ret, plain, len) != 0 : !crypto_is_zero(ret, len)))
		fail_msg("tcId %d: opened otherwise", vectors_number(test, "tcId"));
}

/* Groups with nonces of other sizes hold only messages that nobody could seal. */
static void wycheproof(void **state)
{
	json_t *root = vectors_load("wycheproof_xchacha20_poly1305_test.json"), *group, *test;
	size_t i, j, ran = 0, other_size = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		const json_t *tests = json_object_get(group, "tests");

		if (vectors_number(group, "ivSize") != 192) {
			other_size += json_array_size(tests);
			continue;
		}
		assert_int_equal(vectors_number(group, "keySize"), 256);
		assert_int_equal(vectors_number(group, "tagSize"), 128);
		json_array_foreach(tests, j, test)
		{
			check_wycheproof(test);
			++ran;
		}
	}
	print_message("%zu cases of 192 bits; %zu of other sizes\n", ran, other_size);
	assert_int_equal(ran + other_size, vectors_number(root, "numberOfTests"));
	assert_true(ran > 0);
	json_decref(root);
}

static void against_libsodium(void **state)
{
	uint8_t plain[300], ad[100], nonce[24], expected[320], ret[320];
	unsigned long long written;
	struct key_shared key;
	uint64_t seed = 19;

	(void)state;
	for (size_t len = 0; len < sizeof(plain); ++len) {
		const size_t adlen = test_random_below(&seed, sizeof(ad));

		test_random_fill(&seed, plain, sizeof(plain));
		test_random_fill(&seed, ad, sizeof(ad));
		test_random_fill(&seed, nonce, sizeof(nonce));
		test_random_fill(&seed, &key, sizeof(key));
		assert_int_equal(crypto_aead_xchacha20poly1305_ietf_encrypt(expected, &written,
									    plain, len, ad, adlen,
									    NULL, nonce, key.bytes),
				 0);
		memset(ret, 0xa5, sizeof(ret));
		assert_true(crypto_xseal(ret, plain, len, ad, adlen, nonce, &key));
		assert_memory_equal(ret, expected, len + CRYPTO_TAG);
		assert_int_equal(ret[len + CRYPTO_TAG], 0xa5);
		assert_true(crypto_xopen(ret, ret, len + CRYPTO_TAG, ad, adlen, nonce, &key));
		assert_memory_equal(ret, plain, len);
	}
}

/* A cookie reply: each bit of the nonce, of what is sealed and of the mac1 that it answers. */
static void forgeries(void **state)
{
	uint8_t cookie[16], mac1[16], nonce[24], sealed[32], ret[16];
	struct {
		uint8_t *bytes;
		size_t len;
	} parts[] = { { mac1, 16 }, { nonce, 24 }, { sealed, 32 } };
	struct key_shared key;
	uint64_t seed = 20;

	(void)state;
	test_random_fill(&seed, cookie, sizeof(cookie));
	test_random_fill(&seed, mac1, sizeof(mac1));
	test_random_fill(&seed, nonce, sizeof(nonce));
	test_random_fill(&seed, &key, sizeof(key));
	assert_true(crypto_xseal(sealed, cookie, sizeof(cookie), mac1, sizeof(mac1), nonce, &key));
	for (size_t i = 0; i < ELEMENTS(parts); ++i) {
		for (size_t bit = 0; bit < 8 * parts[i].len; ++bit) {
			parts[i].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			memset(ret, 0xa5, sizeof(ret));
			assert_false(crypto_xopen(ret, sealed, sizeof(sealed), mac1, sizeof(mac1),
						  nonce, &key));
			assert_true(crypto_is_zero(ret, sizeof(ret)));
			parts[i].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	for (size_t len = 0; len < sizeof(sealed); ++len)
		assert_false(crypto_xopen(ret, sealed, len, mac1, sizeof(mac1), nonce, &key));
	assert_true(crypto_xopen(ret, sealed, sizeof(sealed), mac1, sizeof(mac1), nonce, &key));
	assert_memory_equal(ret, cookie, sizeof(cookie));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hchacha20_row), cmocka_unit_test(hchacha20_against_libsodium),
		cmocka_unit_test(wycheproof),    cmocka_unit_test(against_libsodium),
		cmocka_unit_test(forgeries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
