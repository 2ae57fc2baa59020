#include "base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "support.h"

static const struct siphash_key paper_key = { UINT64_C(0x0706050403020100),
					      UINT64_C(0x0f0e0d0c0b0a0908) };

/* The paper's appendix A is the row of 15 bytes; the others are of its reference code. */
static void rows(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} table[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) },
		{ 2, UINT64_C(0x0d6c8009d9a94f5a) },  { 15, UINT64_C(0xa129ca6149be45e5) },
		{ 44, UINT64_C(0xf935451de4f21df2) }, { 62, UINT64_C(0xe51b38608ef25f57) },
		{ 63, UINT64_C(0x958a324ceb064572) },
	};
	uint8_t data[64];

	(void)state;
	for (size_t i = 0; i < sizeof(data); ++i)
		data[i] = (uint8_t)i;
	for (size_t i = 0; i < ELEMENTS(table); ++i)
		assert_int_equal(siphash(&paper_key, data, table[i].len), table[i].hash);
}

/* All 64 vectors of the reference code, known by the BLAKE2s hash of their bytes in a row. */
static void all_official_vectors(void **state)
{
	uint8_t data[64], outputs[64 * 8], print[32], expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof(data); ++i) {
		data[i] = (uint8_t)i;
		store64_le(outputs + 8 * i, siphash(&paper_key, data, i));
	}
	test_from_hex("b7d983989f6f795081f4c164afc68b9e40aab3e0336877b44ebd302e0c19866a", expected,
		      sizeof(expected));
	assert_int_equal(EVP_Digest(outputs, sizeof(outputs), print, NULL, EVP_blake2s256(), NULL),
			 1);
	assert_memory_equal(print, expected, sizeof(print));
}

static void against_libsodium(void **state)
{
	uint8_t key[16], data[300], expected[8];
	uint64_t seed = 1;

	(void)state;
	for (size_t len = 0; len < sizeof(data); ++len) {
		struct siphash_key k;

		test_random_fill(&seed, key, sizeof(key));
		test_random_fill(&seed, data, sizeof(data));
		k = (struct siphash_key){ load64_le(key), load64_le(key + 8) };
		assert_int_equal(crypto_shorthash_siphash24(expected, data, len, key), 0);
		assert_int_equal(siphash(&k, data, len), load64_le(expected));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(all_official_vectors),
		cmocka_unit_test(against_libsodium),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
