#include "crypto/batch.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
/* not <sodium.h>: it too has a crypto_hash */
#include <sodium/crypto_onetimeauth_poly1305.h>

#include "base/bytes.h"
#include "batch_compare.h"
#include "guarded.h"
#include "support.h"
#include "vectors.h"

/* Each test runs with every backend that is here. */
static const struct batch *const batches[] = { &batch_libcrypto, &batch_avx2 };

#define EACH(b)                                                                              \
	for (size_t i_ = 0; i_ < ELEMENTS(batches); ++i_)                                    \
		for (const struct batch *b = batches[i_]->is_here() ? batches[i_] : NULL; b; \
		     b = NULL)

/* RFC 8439: what ChaCha20 makes of a plain text from block 1 on. */
static const struct {
	const char *key;
	uint64_t counter;
	const char *plain, *cipher;
} streams[] = {
	/* 2.4.2 */
	{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x4a000000,
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966"
	  "204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f72207468652066757475"
	  "72652c2073756e73637265656e20776f756c642062652069742e",
	  "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dab"
	  "cd62b3571639d624e65152ab8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806"
	  "818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d" },
	/* A.1, test vector 2 */
	{ "0000000000000000000000000000000000000000000000000000000000000000", 0,
	  "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	  "0000000000000000000000000000000000000000",
	  "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b0"
	  "74d839d531ed1f28510afb45ace10a1f4b794d6f" },
};

static void rfc8439_streams(void **state)
{
	(void)state;
	EACH(b)
	for (size_t i = 0; i < ELEMENTS(streams); ++i) {
		const size_t len = strlen(streams[i].plain) / 2;
		uint8_t data[200 + CRYPTO_TAG], expected[200];
		struct crypto_packet packet = { .data = data,
						.len = len,
						.counter = streams[i].counter };
		struct key_shared key;

		test_from_hex(streams[i].key, key.bytes, sizeof(key.bytes));
		test_from_hex(streams[i].plain, data, len);
		test_from_hex(streams[i].cipher, expected, len);
		assert_true(b->seal(&packet, 1, &key, 0));
		assert_memory_equal(data, expected, len);
	}
}

/* RFC 8439 A.3, test vectors 7 to 11: r and s as 16 bytes each, whole blocks. */
static const struct {
	const char *key, *message, *tag;
} edges[] = {
	{ "0200000000000000000000000000000000000000000000000000000000000000",
	  "ffffffffffffffffffffffffffffffff", "03000000000000000000000000000000" },
	{ "02000000000000000000000000000000ffffffffffffffffffffffffffffffff",
	  "02000000000000000000000000000000", "03000000000000000000000000000000" },
	{ "0100000000000000000000000000000000000000000000000000000000000000",
	  "fffffffffffffffffffffffffffffffff0ffffffffffffffffffffffffffffff"
	  "11000000000000000000000000000000",
	  "05000000000000000000000000000000" },
	{ "0100000000000000000000000000000000000000000000000000000000000000",
	  "fffffffffffffffffffffffffffffffffbfefefefefefefefefefefefefefefe"
	  "01010101010101010101010101010101",
	  "00000000000000000000000000000000" },
	{ "0200000000000000000000000000000000000000000000000000000000000000",
	  "fdffffffffffffffffffffffffffffff", "faffffffffffffffffffffffffffffff" },
};

enum { POLY_MOST = 100, WOVEN_MOST = 34 };

static void check_poly(const struct batch *b, const uint8_t key[static 32], const uint8_t *message,
		       size_t blocks, size_t woven)
{
	uint8_t tag[CRYPTO_TAG], expected[CRYPTO_TAG];

	crypto_onetimeauth_poly1305(expected, message, 16 * blocks, key);
	b->poly1305(key, message, blocks, woven, tag);
	if (memcmp(tag, expected, sizeof(tag)) != 0)
		fail_msg("%zu blocks, %zu at a time", blocks, woven);
}

static void rfc8439_poly1305(void **state)
{
	(void)state;
	EACH(b)
	for (size_t i = 0; b->poly1305 && i < ELEMENTS(edges); ++i) {
		const size_t len = strlen(edges[i].message) / 2;
		uint8_t key[32], message[48], tag[CRYPTO_TAG], ret[CRYPTO_TAG];

		test_from_hex(edges[i].key, key, sizeof(key));
		test_from_hex(edges[i].message, message, len);
		test_from_hex(edges[i].tag, tag, sizeof(tag));
		for (size_t woven = 0; woven <= 3; ++woven) {
			b->poly1305(key, message, len / 16, woven, ret);
			assert_memory_equal(ret, tag, sizeof(tag));
		}
	}
}

/* A number below 2^131. */
struct wide {
	unsigned int high; /* from bit 128 on */
	unsigned __int128 low;
};

static void store128(uint8_t *ret, unsigned __int128 v)
{
	store64_le(ret, (uint64_t)v);
	store64_le(ret + 8, (uint64_t)(v >> 64));
}

/*
 * Blocks whose sum, each with its 2^128, is v: the large ones first or last. False where no n
 * blocks do.
 */
static bool blocks_of_sum(struct wide v, size_t n, bool large_first, uint8_t *ret)
{
	if (v.high < n)
		return false;
	v.high -= (unsigned int)n;
	for (size_t i = 0; i < n; ++i) {
		const unsigned __int128 most = ~(unsigned __int128)0;
		const unsigned __int128 m = v.high ? most : v.low;

		store128(ret + 16 * (large_first ? i : n - 1 - i), m);
		v.high -= v.low < m;
		v.low -= m;
	}
	return v.high == 0 && v.low == 0;
}

/* With r = 1 the sum shows whether it is reduced: all around 2^128 to 2^131, 2^130 - 5 and twice.
 */
static void poly1305_sums(void **state)
{
	static const struct wide bases[] = { { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 },
					     { 5, 0 }, { 6, 0 }, { 7, 0 } };
	uint8_t key[32] = { 1 }, message[16 * 8];
	size_t checked = 0;

	(void)state;
	EACH(b)
	for (size_t i = 0; b->poly1305 && i < ELEMENTS(bases); ++i)
		for (int d = -16; d <= 16; ++d)
			for (size_t n = 1; n <= 8; ++n)
				for (int first = 0; first < 2; ++first) {
					struct wide v = bases[i];

					v.low += (unsigned __int128)(__int128)d;
					v.high -= d < 0;
					if (!blocks_of_sum(v, n, first, message))
						continue;
					for (size_t woven = 0; woven <= n; ++woven)
						check_poly(b, key, message, n, woven);
					++checked;
				}
	assert_true(!batch_avx2.is_here() || checked > 700);
}

static unsigned __int128 odd_number(uint64_t *seed)
{
	const unsigned __int128 one = 1;

	switch (test_random_below(seed, 8)) {
	case 0:
		return 0;
	case 1:
		return ~(one - 1);
	case 2:
		return 0 - one * (1 + test_random_below(seed, 12));
	case 3:
		return test_random_below(seed, 12);
	case 4:
		return ~(one - 1) << 64;
	case 5:
		return (one << 64) - 1 - test_random_below(seed, 6);
	case 6:
		return ~(one * test_random(seed) * 4);
	}
	return (one * test_random(seed)) << 64 | test_random(seed);
}

/* Keys and blocks that make carries no random message would: r of few bits, blocks near 2^128. */
static void poly1305_carries(void **state)
{
	static const size_t lengths[] = { 0, 1, 2, 3, 4, 5, 30, 33, 34, 35, 68, 90 };
	uint64_t seed = 50;

	(void)state;
	EACH(b)
	for (size_t run = 0; b->poly1305 && run < 3000; ++run) {
		const size_t pick = test_random_below(&seed, ELEMENTS(lengths) + 2);
		const size_t n =
			pick < ELEMENTS(lengths) ? lengths[pick] : test_random_below(&seed, 100);
		uint8_t key[32], message[16 * POLY_MOST];

		store128(key, odd_number(&seed));
		if (run % 3 == 0) /* one bit */
			store128(key, (unsigned __int128)1 << test_random_below(&seed, 128));
		store128(key + 16, odd_number(&seed));
		for (size_t i = 0; i < n; ++i)
			store128(message + 16 * i, odd_number(&seed));
		check_poly(b, key, message, n, 0);
		check_poly(b, key, message, n, 1 + run % WOVEN_MOST);
	}
}

/* One case in the middle of others under its key; `others` in all. */
static void check_case(const struct batch *b, const json_t *test, size_t at, size_t others)
{
	static uint8_t nonce[VECTORS_MAX], plain[VECTORS_MAX], sealed[VECTORS_MAX + CRYPTO_TAG];
	static uint8_t data[5][VECTORS_MAX + CRYPTO_TAG];
	const bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
	const size_t len = vectors_bytes(test, "msg", plain);
	struct crypto_packet packets[5];
	struct key_shared key;

	vectors_exactly(test, "key", key.bytes, sizeof(key.bytes));
	(void)vectors_bytes(test, "iv", nonce);
	(void)vectors_bytes(test, "ct", sealed);
	vectors_exactly(test, "tag", sealed + len, CRYPTO_TAG);
	for (size_t i = 0; i < others; ++i) {
		packets[i] = (struct crypto_packet){ .data = data[i],
						     .len = i == at ? len : (len + i) / 2,
						     .counter = i };
		memcpy(data[i], plain, packets[i].len);
	}
	packets[at].counter = load64_le(nonce + 4);
	assert_true(b->seal(packets, others, &key, load32_le(nonce)));
	if ((memcmp(data[at], sealed, len + CRYPTO_TAG) == 0) != valid)
		fail_msg("%s: tcId %d: sealed otherwise", b->name, vectors_number(test, "tcId"));
	memcpy(data[at], sealed, len + CRYPTO_TAG);
	b->open(packets, others, &key, load32_le(nonce));
	for (size_t i = 0; i < others; ++i)
		if (packets[i].ok != (i != at || valid) ||
		    (packets[i].ok ? memcmp(data[i], plain, packets[i].len) != 0
				   : !crypto_is_zero(data[i], packets[i].len)))
			fail_msg("%s: tcId %d: opened otherwise", b->name,
				 vectors_number(test, "tcId"));
}

/* The cases a packet can express: 96 bits of nonce, no additional data. Alone and at five places.
 */
static void wycheproof(void **state)
{
	json_t *root = vectors_load("wycheproof_chacha20_poly1305_test.json"), *group, *test;
	size_t i, j, ran = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		if (vectors_number(group, "ivSize") != 96)
			continue;
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			if (vectors_text(test, "aad")[0])
				continue;
			++ran;
			EACH(b)
			{
				check_case(b, test, 0, 1);
				for (size_t at = 0; at < 5; ++at)
					check_case(b, test, at, 5);
			}
		}
	}
	print_message("%zu cases without additional data\n", ran);
	assert_true(ran > 40);
	json_decref(root);
}

static void random_batches(void **state)
{
	(void)state;
	EACH(b)
	compare_batches(b, 51, 20000);
}

/* Up to the last byte before a page nobody may touch; what is read beyond kills the test. */
static void up_to_the_end_of_memory(void **state)
{
	static uint8_t first[2048 + CRYPTO_TAG];
	uint64_t seed = 52;
	struct key_shared key;

	(void)state;
	test_random_fill(&seed, &key, sizeof(key));
	EACH(b)
	for (size_t len = 0; len <= 2048; len += 1 + len / 200) {
		uint8_t *data = test_guarded(len + CRYPTO_TAG);
		struct crypto_packet packets[2] = {
			{ .data = first, .len = len % 777, .counter = 1 },
			{ .data = data, .len = len, .counter = 2 },
		};

		memset(first, 0, sizeof(first));
		memset(data, 0, len);
		for (size_t alone = 0; alone < 2; ++alone) {
			assert_true(b->seal(packets + alone, 2 - alone, &key, 0));
			b->open(packets + alone, 2 - alone, &key, 0);
			assert_true(packets[1].ok && crypto_is_zero(data, len));
			assert_true(packets[0].ok);
		}
	}
}

/* Every byte of a packet, tag and all, wherever in the batch it is; every other one stays good. */
static void every_byte_tampered(void **state)
{
	enum { N = 4, LEN = 200, ALL = LEN + CRYPTO_TAG };
	static uint8_t sealed[N][ALL], data[N][ALL];
	struct crypto_packet packets[N];
	struct key_shared key;
	uint64_t seed = 53;

	(void)state;
	test_random_fill(&seed, &key, sizeof(key));
	EACH(b)
	{
		for (size_t i = 0; i < N; ++i) {
			packets[i] = (struct crypto_packet){ .data = sealed[i],
							     .len = LEN,
							     .counter = i };
			memset(sealed[i], 0x11 * (int)(i + 1), LEN);
		}
		assert_true(b->seal(packets, N, &key, 0));
		for (size_t bad = 0; bad < N; ++bad)
			for (size_t at = 0; at < ALL; ++at) {
				memcpy(data, sealed, sizeof(data));
				data[bad][at] ^= (uint8_t)(1 << at % 8);
				for (size_t i = 0; i < N; ++i)
					packets[i].data = data[i];
				b->open(packets, N, &key, 0);
				for (size_t i = 0; i < N; ++i) {
					assert_int_equal(packets[i].ok, i != bad);
					assert_int_equal(data[i][0], i != bad ? 0x11 * (i + 1) : 0);
					assert_true(i != bad || crypto_is_zero(data[i], LEN));
				}
			}
	}
}

/* More than are taken together, and a group full of wrong ones. */
static void many_packets(void **state)
{
	enum { N = 300, LEN = 100 };
	static uint8_t data[N][LEN + CRYPTO_TAG];
	static struct crypto_packet packets[N];
	const struct key_shared key = { { 9 } };

	(void)state;
	EACH(b)
	{
		for (size_t i = 0; i < N; ++i) {
			packets[i] = (struct crypto_packet){ .data = data[i],
							     .len = LEN - i % 3,
							     .counter = i };
			memset(data[i], (int)i, LEN);
		}
		assert_true(b->seal(packets, N, &key, 0));
		for (size_t i = 64; i < 200; ++i)
			data[i][i % LEN] ^= 1;
		b->open(packets, N, &key, 0);
		for (size_t i = 0; i < N; ++i) {
			assert_int_equal(packets[i].ok, i < 64 || i >= 200);
			assert_int_equal(data[i][50], packets[i].ok ? (uint8_t)i : 0);
		}
	}
}

static void no_packets(void **state)
{
	const struct key_shared key = { { 9 } };

	(void)state;
	EACH(b)
	{
		assert_true(b->seal(NULL, 0, &key, 0));
		b->open(NULL, 0, &key, 0);
	}
}

/* The stack as the last call from here left it. */
static uint8_t seen[32 * 1024];

static __attribute__((noinline)) void look_at_stack(void)
{
	uint8_t below[sizeof(seen)] __attribute__((uninitialized));

	__asm__ volatile("" : : "r"(below) : "memory"); /* they are what they are */
	memcpy(seen, below, sizeof(seen));
}

/* What others left there is no fault of the next one. */
static __attribute__((noinline)) void clear_stack(void)
{
	uint8_t below[sizeof(seen)];

	crypto_wipe(below, sizeof(below));
}

static bool is_seen(const uint8_t *secret, size_t len)
{
	return memmem(seen, sizeof(seen), secret, len);
}

static void check_stack(const uint8_t *stream, size_t len, const struct key_shared *key)
{
	for (size_t at = 0; at + 16 <= len; at += 16)
		if (is_seen(stream + at, 16))
			fail_msg("key stream from byte %zu on", at);
	for (size_t at = 0; at < KEY_LEN; at += 8)
		if (is_seen(key->bytes + at, 8))
			fail_msg("key from byte %zu on", at);
	for (size_t at = 0; at < KEY_LEN; at += 4) { /* a vector has a word of it in each lane */
		uint8_t lanes[16];

		for (size_t i = 0; i < sizeof(lanes); ++i)
			lanes[i] = key->bytes[at + i % 4];
		if (is_seen(lanes, sizeof(lanes)))
			fail_msg("key word of byte %zu in a vector", at);
	}
}

/* A sanitizer lays frames out in its own way, and keeps what it likes. */
static bool has_sanitizer(void)
{
	return dlsym(RTLD_DEFAULT, "__asan_init") || dlsym(RTLD_DEFAULT, "__tsan_init");
}

/* The key stream of a packet with a wrong tag must go too. */
static void nothing_left_on_the_stack(void **state)
{
	enum { LEN = 1400 };
	static uint8_t data[2][LEN + CRYPTO_TAG], stream[2][LEN];
	struct crypto_packet packets[2] = { { .data = data[0], .len = LEN, .counter = 7 },
					    { .data = data[1], .len = LEN, .counter = 8 } };
	struct key_shared key;
	uint64_t seed = 54;

	(void)state;
	if (!batch_avx2.is_here() || has_sanitizer())
		skip();
	test_random_fill(&seed, &key, sizeof(key));
	test_random_fill(&seed, data, sizeof(data));
	memcpy(stream[0], data[0], LEN);
	memcpy(stream[1], data[1], LEN);
	clear_stack();
	assert_true(batch_avx2.seal(packets, 2, &key, 0));
	look_at_stack();
	for (size_t i = 0; i < 2; ++i) {
		for (size_t at = 0; at < LEN; ++at)
			stream[i][at] ^= data[i][at];
		check_stack(stream[i], LEN, &key);
	}
	data[1][5] ^= 1;
	clear_stack();
	batch_avx2.open(packets, 2, &key, 0);
	look_at_stack();
	assert_true(packets[0].ok && !packets[1].ok);
	for (size_t i = 0; i < 2; ++i)
		check_stack(stream[i], LEN, &key);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8439_streams),
		cmocka_unit_test(rfc8439_poly1305),
		cmocka_unit_test(poly1305_sums),
		cmocka_unit_test(poly1305_carries),
		cmocka_unit_test(wycheproof),
		cmocka_unit_test(random_batches),
		cmocka_unit_test(up_to_the_end_of_memory),
		cmocka_unit_test(every_byte_tampered),
		cmocka_unit_test(many_packets),
		cmocka_unit_test(no_packets),
		cmocka_unit_test(nothing_left_on_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
