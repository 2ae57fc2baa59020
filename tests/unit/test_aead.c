#include "crypto/aead.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
/* not <sodium.h>: it too has a crypto_hash */
#include <sodium/crypto_aead_chacha20poly1305.h>

#include "base/bytes.h"
#include "support.h"
#include "vectors.h"

enum { MOST = 2048, PACKETS = 64 };

/* RFC 8439 2.8.2 and A.5, and our own for a counter: from Python's cryptography. */
static const struct {
	const char *key, *nonce, *ad, *plain, *sealed;
} known[] = {
	{ "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	  "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966"
	  "204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f72207468652066757475"
	  "72652c2073756e73637265656e20776f756c642062652069742e",
	  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69"
	  "da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad67594"
	  "5585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691" },
	{ "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	  "000000000102030405060708", "f33388860000000000004e91",
	  "496e7465726e65742d4472616674732061726520647261667420646f63756d656e74732076616c696420666f"
	  "722061206d6178696d756d206f6620736978206d6f6e74687320616e64206d61792062652075706461746564"
	  "2c207265706c616365642c206f72206f62736f6c65746564206279206f7468657220646f63756d656e747320"
	  "617420616e792074696d652e20497420697320696e617070726f70726961746520746f2075736520496e7465"
	  "726e65742d447261667473206173207265666572656e6365206d6174657269616c206f7220746f2063697465"
	  "207468656d206f74686572207468616e206173202fe2809c776f726b20696e2070726f67726573732e2fe280"
	  "9d",
	  "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e"
	  "382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd"
	  "60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c76"
	  "7b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a"
	  "0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a67276"
	  "27097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b0270"
	  "9beead9d67890cbb22392336fea1851f38" },
	{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "000000008877665544332211", "", "", "538dd3295df9e787c83d34a1b03e64be" },
	{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "000000000100000000000000", "",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b"
	  "2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445",
	  "9f56f15cb12fa91f21bfa4575e989788d56cf91d537e76badb7daf4091f5c3bbf86bf48fc0edf9acac02deb4"
	  "a7a9b2427307b755c7b97061bd2dbb5b1eb955be8b467f4ca0abe8b426b5768a12d0b53094b1930fd4dd" },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(known); ++i) {
		const size_t len = strlen(known[i].plain) / 2, adlen = strlen(known[i].ad) / 2;
		uint8_t nonce[CRYPTO_NONCE], ad[64], plain[300], sealed[300], ret[300];
		struct key_shared key;

		test_from_hex(known[i].key, key.bytes, 32);
		test_from_hex(known[i].nonce, nonce, sizeof(nonce));
		test_from_hex(known[i].ad, ad, adlen);
		test_from_hex(known[i].plain, plain, len);
		test_from_hex(known[i].sealed, sealed, len + CRYPTO_TAG);
		assert_true(crypto_seal_nonce(ret, plain, len, ad, adlen, nonce, &key));
		assert_memory_equal(ret, sealed, len + CRYPTO_TAG);
		assert_true(
			crypto_open_nonce(ret, sealed, len + CRYPTO_TAG, ad, adlen, nonce, &key));
		assert_memory_equal(ret, plain, len);
	}
}

/* The public functions, where they can express the nonce. */
static void check_counter(const json_t *test, const uint8_t *plain, size_t len, const uint8_t *ad,
			  size_t adlen, uint64_t counter, const struct key_shared *key,
			  const uint8_t *sealed, bool valid)
{
	uint8_t ret[VECTORS_MAX + CRYPTO_TAG];
	bool same, ok;

	assert_true(crypto_seal(ret, plain, len, ad, adlen, counter, key));
	same = memcmp(ret, sealed, len + CRYPTO_TAG) == 0;
	ok = crypto_open(ret, sealed, len + CRYPTO_TAG, ad, adlen, counter, key);
	if (same != valid || ok != valid)
		fail_msg("tcId %d, by its counter", vectors_number(test, "tcId"));
}

/* True: crypto_seal can express the nonce, and was checked as well. */
static bool check_wycheproof(const json_t *test)
{
	static uint8_t nonce[VECTORS_MAX], ad[VECTORS_MAX], plain[VECTORS_MAX];
	static uint8_t sealed[2 * VECTORS_MAX], ret[2 * VECTORS_MAX];
	const bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
	const size_t adlen = vectors_bytes(test, "aad", ad);
	const size_t len = vectors_bytes(test, "msg", plain);
	struct key_shared key;
	bool ok;

	vectors_exactly(test, "key", key.bytes, sizeof(key.bytes));
	assert_int_equal(vectors_bytes(test, "iv", nonce), CRYPTO_NONCE);
	assert_int_equal(vectors_bytes(test, "ct", sealed), len);
	vectors_exactly(test, "tag", sealed + len, CRYPTO_TAG);

	assert_true(crypto_seal_nonce(ret, plain, len, ad, adlen, nonce, &key));
	if ((memcmp(ret, sealed, len + CRYPTO_TAG) == 0) != valid)
		fail_msg("tcId %d: sealed otherwise", vectors_number(test, "tcId"));
	ok = crypto_open_nonce(ret, sealed, len + CRYPTO_TAG, ad, adlen, nonce, &key);
	if (ok != valid || (ok ? memcmp(ret, plain, len) != 0 : !crypto_is_zero(ret, len)))
		fail_msg("tcId %d: opened otherwise", vectors_number(test, "tcId"));
	if (load32_le(nonce) != 0)
		return false;
	check_counter(test, plain, len, ad, adlen, load64_le(nonce + 4), &key, sealed, valid);
	return true;
}

/*
 * Only nonces of 96 bits are of this construction. Most begin with bytes that no counter of ours
 * has: all of them run by crypto_seal_nonce, the few others by crypto_seal as well.
 */
static void wycheproof(void **state)
{
	json_t *root = vectors_load("wycheproof_chacha20_poly1305_test.json"), *group, *test;
	size_t i, j, ran = 0, other_size = 0, counted = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		const json_t *tests = json_object_get(group, "tests");

		if (vectors_number(group, "ivSize") != 96) {
			other_size += json_array_size(tests);
			continue;
		}
		assert_int_equal(vectors_number(group, "keySize"), 256);
		assert_int_equal(vectors_number(group, "tagSize"), 128);
		json_array_foreach(tests, j, test)
		{
			counted += check_wycheproof(test);
			++ran;
		}
	}
	print_message("%zu cases of 96 bits, %zu of them by counter too; %zu of other sizes\n", ran,
		      counted, other_size);
	assert_int_equal(ran + other_size, vectors_number(root, "numberOfTests"));
	assert_true(ran > 0 && counted > 0);
	json_decref(root);
}

static void seal_by_libsodium(uint8_t *ret, const uint8_t *plain, size_t len, const uint8_t *ad,
			      size_t adlen, uint64_t counter, const struct key_shared *key)
{
	uint8_t nonce[12] = { 0 };
	unsigned long long written;

	store64_le(nonce + 4, counter);
	assert_int_equal(crypto_aead_chacha20poly1305_ietf_encrypt(ret, &written, plain, len, ad,
								   adlen, NULL, nonce, key->bytes),
			 0);
	assert_int_equal(written, len + CRYPTO_TAG);
}

static void against_libsodium(void **state)
{
	uint8_t plain[700], ad[100], expected[720], ret[720];
	struct key_shared key;
	uint64_t seed = 14;

	(void)state;
	for (size_t len = 0; len < sizeof(plain); ++len) {
		const size_t adlen = test_random_below(&seed, sizeof(ad));
		const uint64_t counter =
			test_random(&seed) >> test_random_below(&seed, 64) << 1 | (len & 1);

		test_random_fill(&seed, plain, sizeof(plain));
		test_random_fill(&seed, ad, sizeof(ad));
		test_random_fill(&seed, &key, sizeof(key));
		seal_by_libsodium(expected, plain, len, ad, adlen, counter, &key);
		memset(ret, 0xa5, sizeof(ret));
		assert_true(crypto_seal(ret, plain, len, ad, adlen, counter, &key));
		assert_memory_equal(ret, expected, len + CRYPTO_TAG);
		assert_int_equal(ret[len + CRYPTO_TAG], 0xa5);
		memset(ret, 0xa5, sizeof(ret));
		assert_true(crypto_open(ret, expected, len + CRYPTO_TAG, ad, adlen, counter, &key));
		assert_memory_equal(ret, plain, len);
		assert_int_equal(ret[len], 0xa5);

		/* both ways in place */
		memcpy(ret, plain, len);
		assert_true(crypto_seal(ret, ret, len, ad, adlen, counter, &key));
		assert_memory_equal(ret, expected, len + CRYPTO_TAG);
		assert_true(crypto_open(ret, ret, len + CRYPTO_TAG, ad, adlen, counter, &key));
		assert_memory_equal(ret, plain, len);
	}
}

static void assert_refused(const uint8_t *sealed, size_t len, const uint8_t *ad, size_t adlen,
			   uint64_t counter, const struct key_shared *key)
{
	uint8_t ret[128];

	memset(ret, 0xa5, sizeof(ret));
	assert_false(crypto_open(ret, sealed, len, ad, adlen, counter, key));
	if (len > CRYPTO_TAG)
		assert_true(crypto_is_zero(ret, len - CRYPTO_TAG));
	assert_int_equal(ret[len > CRYPTO_TAG ? len - CRYPTO_TAG : 0], 0xa5);
	if (len >= CRYPTO_TAG) { /* in place */
		memcpy(ret, sealed, len);
		assert_false(crypto_open(ret, ret, len, ad, adlen, counter, key));
		assert_true(crypto_is_zero(ret, len - CRYPTO_TAG));
	}
}

/* Each bit of everything that is authenticated. */
static void forgeries(void **state)
{
	enum { LEN = 70, AD = 20 };
	uint8_t plain[LEN], ad[AD], sealed[LEN + CRYPTO_TAG];
	struct key_shared key;
	uint64_t seed = 15;

	(void)state;
	test_random_fill(&seed, plain, sizeof(plain));
	test_random_fill(&seed, ad, sizeof(ad));
	test_random_fill(&seed, &key, sizeof(key));
	assert_true(crypto_seal(sealed, plain, LEN, ad, AD, 1, &key));
	for (size_t bit = 0; bit < 8 * sizeof(sealed); ++bit) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(sealed, sizeof(sealed), ad, AD, 1, &key);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(ad); ++bit) {
		ad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(sealed, sizeof(sealed), ad, AD, 1, &key);
		ad[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (int bit = 0; bit < 64; ++bit)
		assert_refused(sealed, sizeof(sealed), ad, AD, 1 ^ UINT64_C(1) << bit, &key);
	for (size_t bit = 0; bit < 256; ++bit) {
		key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(sealed, sizeof(sealed), ad, AD, 1, &key);
		key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < sizeof(sealed); ++len)
		assert_refused(sealed, len, ad, AD, 1, &key);
	for (size_t len = 0; len < AD; ++len)
		assert_refused(sealed, sizeof(sealed), ad, len, 1, &key);
	assert_true(crypto_open(plain, sealed, sizeof(sealed), ad, AD, 1, &key));
}

/* Each packet in a block of its own and of its exact size, so that a sanitizer sees its end. */
static void fill_packets(struct crypto_packet *packets, uint8_t **plain, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; ++i) {
		packets[i] = (struct crypto_packet){ .len = test_random_below(seed, MOST + 1),
						     .counter = test_random(seed) };
		if (test_random_below(seed, 8) == 0)
			packets[i].len = 0;
		packets[i].data = malloc(packets[i].len + CRYPTO_TAG);
		plain[i] = malloc(packets[i].len + 1);
		assert_true(packets[i].data && plain[i]);
		test_random_fill(seed, plain[i], packets[i].len);
		memcpy(packets[i].data, plain[i], packets[i].len);
	}
}

static void free_packets(struct crypto_packet *packets, uint8_t **plain, size_t n)
{
	for (size_t i = 0; i < n; ++i) {
		free(packets[i].data);
		free(plain[i]);
	}
}

static void batch_against_single(void **state)
{
	struct crypto_packet packets[PACKETS];
	uint8_t *plain[PACKETS], expected[MOST + CRYPTO_TAG];
	struct key_shared key;
	uint64_t seed = 16;

	(void)state;
	for (size_t run = 0; run < 200; ++run) {
		const size_t n = run <= PACKETS ? run : test_random_below(&seed, PACKETS + 1);
		const size_t bad = n ? test_random_below(&seed, n) : 0;

		test_random_fill(&seed, &key, sizeof(key));
		fill_packets(packets, plain, n, &seed);
		assert_true(crypto_seal_batch(packets, n, &key));
		for (size_t i = 0; i < n; ++i) {
			seal_by_libsodium(expected, plain[i], packets[i].len, NULL, 0,
					  packets[i].counter, &key);
			assert_memory_equal(packets[i].data, expected, packets[i].len + CRYPTO_TAG);
			assert_true(crypto_seal(expected, plain[i], packets[i].len, NULL, 0,
						packets[i].counter, &key));
			assert_memory_equal(packets[i].data, expected, packets[i].len + CRYPTO_TAG);
			packets[i].ok = i == bad; /* must be set either way */
		}
		if (n) {
			const uint64_t bits = 8 * (packets[bad].len + CRYPTO_TAG);
			const uint64_t bit = run % 2 ? bits - 1 - test_random_below(&seed, 128)
						     : test_random_below(&seed, bits);

			packets[bad].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		crypto_open_batch(packets, n, &key);
		for (size_t i = 0; i < n; ++i) {
			assert_int_equal(packets[i].ok, i != bad);
			if (i == bad)
				assert_true(crypto_is_zero(packets[i].data, packets[i].len));
			else
				assert_memory_equal(packets[i].data, plain[i], packets[i].len);
		}
		free_packets(packets, plain, n);
	}
}

static void batch_under_a_wrong_key(void **state)
{
	struct crypto_packet packets[5];
	uint8_t *plain[5];
	struct key_shared key;
	uint64_t seed = 17;

	(void)state;
	test_random_fill(&seed, &key, sizeof(key));
	fill_packets(packets, plain, 5, &seed);
	assert_true(crypto_seal_batch(packets, 5, &key));
	key.bytes[31] ^= 1;
	crypto_open_batch(packets, 5, &key);
	for (size_t i = 0; i < 5; ++i) {
		assert_false(packets[i].ok);
		assert_true(crypto_is_zero(packets[i].data, packets[i].len));
	}
	free_packets(packets, plain, 5);
}

static void *work(void *arg)
{
	uint64_t seed = *(const uint64_t *)arg;
	uint8_t plain[500], sealed[516], opened[500], expected[516];
	struct crypto_packet packet = { .data = sealed };
	struct key_shared key;

	for (int run = 0; run < 200; ++run) {
		const size_t len = test_random_below(&seed, sizeof(plain));
		const uint64_t counter = test_random(&seed);

		test_random_fill(&seed, plain, len);
		test_random_fill(&seed, &key, sizeof(key));
		seal_by_libsodium(expected, plain, len, NULL, 0, counter, &key);
		if (!crypto_seal(sealed, plain, len, NULL, 0, counter, &key) ||
		    memcmp(sealed, expected, len + CRYPTO_TAG) != 0 ||
		    !crypto_open(opened, sealed, len + CRYPTO_TAG, NULL, 0, counter, &key) ||
		    memcmp(opened, plain, len) != 0)
			return NULL;
		packet.len = len;
		packet.counter = counter;
		crypto_open_batch(&packet, 1, &key);
		if (!packet.ok || memcmp(sealed, plain, len) != 0 ||
		    !crypto_seal_batch(&packet, 1, &key) ||
		    memcmp(sealed, expected, len + CRYPTO_TAG) != 0)
			return NULL;
	}
	return arg;
}

/* A sanitizer tells whether the contexts go with their threads. */
static void threads(void **state)
{
	pthread_t ids[8];
	uint64_t seeds[8];
	void *result;

	(void)state;
	for (int round = 0; round < 4; ++round) {
		for (size_t i = 0; i < 8; ++i) {
			seeds[i] = 100 + i;
			assert_int_equal(pthread_create(&ids[i], NULL, work, &seeds[i]), 0);
		}
		for (size_t i = 0; i < 8; ++i) {
			assert_int_equal(pthread_join(ids[i], &result), 0);
			assert_ptr_equal(result, &seeds[i]);
		}
	}
}

/* A thread without contexts of its own, in a process whose libcrypto knows no cipher. */
static void *work_without_cipher(void *arg)
{
	static const struct key_shared key = { { 1 } };
	static uint8_t data[2][20 + CRYPTO_TAG], single[20 + CRYPTO_TAG], opened[20];
	struct crypto_packet packets[2] = { { .data = data[0], .len = 20, .ok = true },
					    { .data = data[1], .len = 20, .ok = true } };

	memset(data, 0xa5, sizeof(data));
	memset(single, 0xa5, sizeof(single));
	memset(opened, 0xa5, sizeof(opened));
	if (crypto_seal(single, data[0], 20, NULL, 0, 0, &key) ||
	    !crypto_is_zero(single, sizeof(single)) ||
	    crypto_open(opened, data[0], 36, NULL, 0, 0, &key) ||
	    !crypto_is_zero(opened, sizeof(opened)) || crypto_seal_batch(packets, 2, &key) ||
	    !crypto_is_zero(data, sizeof(data)))
		return NULL;
	memset(data, 0xa5, sizeof(data));
	crypto_open_batch(packets, 2, &key);
	return packets[0].ok || packets[1].ok || !crypto_is_zero(data[0], 20) ||
			       !crypto_is_zero(data[1], 20)
		       ? NULL
		       : arg;
}

static void failing_libcrypto(void **state)
{
	int mark = 0;
	pthread_t id;
	void *result;

	(void)state;
	assert_int_equal(EVP_set_default_properties(NULL, "provider=none"), 1);
	assert_int_equal(pthread_create(&id, NULL, work_without_cipher, &mark), 0);
	assert_int_equal(pthread_join(id, &result), 0);
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
	assert_ptr_equal(result, &mark);
}

/* The door's tests once more with the other code behind it, where that can be had. */
static int with_avx2(void **state)
{
	(void)state;
	return crypto_choose_cipher(CRYPTO_CIPHER_AVX2) == CRYPTO_WRONG_ANSWERS;
}

static int with_libcrypto(void **state)
{
	(void)state;
	return crypto_choose_cipher(CRYPTO_CIPHER_LIBCRYPTO) != CRYPTO_CHOSEN;
}

#define WITH_AVX2(test)                                              \
	{                                                            \
#test "_avx2", test, with_avx2, with_libcrypto, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(wycheproof),
		cmocka_unit_test(against_libsodium),
		cmocka_unit_test(forgeries),
		cmocka_unit_test(batch_against_single),
		cmocka_unit_test(batch_under_a_wrong_key),
		WITH_AVX2(batch_against_single),
		WITH_AVX2(batch_under_a_wrong_key),
		cmocka_unit_test(threads),
		WITH_AVX2(threads),
		cmocka_unit_test(failing_libcrypto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
