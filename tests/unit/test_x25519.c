#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
/* not <sodium.h>: it too has a crypto_hash */
#include <sodium/crypto_scalarmult_curve25519.h>
#include <sodium/utils.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support.h"
#include "vectors.h"

/* RFC 7748 5.2 and 6.1 */
static void rows(void **state)
{
	static const struct {
		const char *scalar, *point, *shared;
	} table[] = {
		{ "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		  "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		  "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
		{ "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		  "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		  "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
		{ "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		  "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
		{ "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		  "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
	};
	struct key_private own;
	struct key_public point;
	struct key_shared shared;
	uint8_t expected[32];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		test_from_hex(table[i].scalar, own.bytes, 32);
		test_from_hex(table[i].point, point.bytes, 32);
		test_from_hex(table[i].shared, expected, 32);
		assert_true(crypto_dh(&own, &point, &shared));
		assert_memory_equal(shared.bytes, expected, 32);
	}
}

/* The points of small order and their unreduced forms: every one must be refused. */
static void low_order(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	struct key_private own;
	struct key_public point;
	struct key_shared shared;
	uint64_t seed = 10;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(points); ++i) {
		test_random_fill(&seed, &own, sizeof(own));
		test_from_hex(points[i], point.bytes, 32);
		memset(&shared, 0xa5, sizeof(shared));
		assert_false(crypto_dh(&own, &point, &shared));
		assert_true(crypto_is_zero(&shared, sizeof(shared)));
	}
}

/* "acceptable" covers twists and unreduced points too; only a zero result is refused. */
static void wycheproof(void **state)
{
	json_t *root = vectors_load("wycheproof_x25519_test.json"), *group, *test;
	size_t i, j, ran = 0, refused = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			struct key_private own;
			struct key_public point;
			struct key_shared shared;
			uint8_t expected[32];
			bool ok;

			vectors_exactly(test, "private", own.bytes, 32);
			vectors_exactly(test, "public", point.bytes, 32);
			vectors_exactly(test, "shared", expected, 32);
			ok = crypto_dh(&own, &point, &shared);
			if (ok == sodium_is_zero(expected, 32) ||
			    memcmp(shared.bytes, expected, 32) != 0)
				fail_msg("tcId %d", vectors_number(test, "tcId"));
			++ran;
			refused += !ok;
		}
	}
	print_message("%zu cases, %zu of them refused\n", ran, refused);
	assert_int_equal(ran, vectors_number(root, "numberOfTests"));
	assert_true(refused > 0);
	json_decref(root);
}

static void against_libsodium(void **state)
{
	struct key_private own;
	struct key_public point, made;
	struct key_shared shared;
	uint8_t expected[32];
	uint64_t seed = 11;

	(void)state;
	for (int run = 0; run < 500; ++run) {
		test_random_fill(&seed, &own, sizeof(own));
		test_random_fill(&seed, &point, sizeof(point));
		if (run % 2)
			crypto_clamp(&own);
		assert_int_equal(crypto_scalarmult_curve25519_base(expected, own.bytes), 0);
		assert_true(crypto_public(&own, &made));
		assert_memory_equal(made.bytes, expected, 32);
		assert_int_equal(crypto_scalarmult_curve25519(expected, own.bytes, point.bytes), 0);
		assert_true(crypto_dh(&own, &point, &shared));
		assert_memory_equal(shared.bytes, expected, 32);
	}
}

/* RFC 7748 5: these bits and no others. */
static void clamp(void **state)
{
	struct key_private k, was;
	uint64_t seed = 12;

	(void)state;
	for (int run = 0; run < 200; ++run) {
		test_random_fill(&seed, &k, sizeof(k));
		was = k;
		crypto_clamp(&k);
		for (int i = 0; i < 256; ++i) {
			const int now = k.bytes[i / 8] >> i % 8 & 1;

			if (i < 3 || i == 255)
				assert_int_equal(now, 0);
			else if (i == 254)
				assert_int_equal(now, 1);
			else
				assert_int_equal(now, was.bytes[i / 8] >> i % 8 & 1);
		}
	}
}

static void equality(void **state)
{
	uint8_t a[40], b[40];
	uint64_t seed = 13;

	(void)state;
	for (size_t len = 0; len <= sizeof(a); ++len) {
		test_random_fill(&seed, a, sizeof(a));
		memcpy(b, a, sizeof(b));
		assert_true(crypto_equal(a, b, len));
		for (size_t bit = 0; bit < 8 * len; ++bit) {
			b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_false(crypto_equal(a, b, len));
			b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		memset(a, 0, sizeof(a));
		assert_true(crypto_is_zero(a, len));
		for (size_t bit = 0; bit < 8 * len; ++bit) {
			a[bit / 8] = (uint8_t)(1 << bit % 8);
			assert_false(crypto_is_zero(a, len));
			a[bit / 8] = 0;
		}
		if (len < sizeof(a)) {
			a[len] = 1;
			b[len] = 2;
			memcpy(b, a, len);
			assert_true(crypto_is_zero(a, len));
			assert_true(crypto_equal(a, b, len));
		}
	}
}

static void wipe(void **state)
{
	uint8_t secret[8];

	(void)state;
	memset(secret, 0xa5, sizeof(secret));
	crypto_wipe(secret + 2, 4);
	crypto_wipe(NULL, 0);
	assert_true(crypto_is_zero(secret + 2, 4));
	assert_int_equal(secret[1], 0xa5);
	assert_int_equal(secret[6], 0xa5);
}

/* libcrypto knows no algorithm any more. */
static void failing_libcrypto(void **state)
{
	const struct key_private own = { { 1 } };
	const struct key_public point = { { 9 } };
	struct key_public made = point;
	struct key_shared shared;
	bool ok;

	(void)state;
	memset(&shared, 0xa5, sizeof(shared));
	assert_int_equal(EVP_set_default_properties(NULL, "provider=none"), 1);
	ok = crypto_public(&own, &made) || crypto_dh(&own, &point, &shared) || crypto_self_test();
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
	assert_false(ok);
	assert_memory_equal(&made, &point, sizeof(made));
	assert_true(crypto_is_zero(&shared, sizeof(shared)));
	assert_true(crypto_dh(&own, &point, &shared));
}

static void self_test(void **state)
{
	(void)state;
	assert_true(crypto_self_test());
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),       cmocka_unit_test(low_order),
		cmocka_unit_test(wycheproof), cmocka_unit_test(against_libsodium),
		cmocka_unit_test(clamp),      cmocka_unit_test(equality),
		cmocka_unit_test(wipe),       cmocka_unit_test(failing_libcrypto),
		cmocka_unit_test(self_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
