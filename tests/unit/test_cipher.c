#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/batch.h"

static const struct {
	const char *name;
	bool ok;
	enum crypto_cipher cipher;
} names[] = {
	{ "auto", true, CRYPTO_CIPHER_AUTO },   { "libcrypto", true, CRYPTO_CIPHER_LIBCRYPTO },
	{ "avx2", true, CRYPTO_CIPHER_AVX2 },   { "", false, CRYPTO_CIPHER_AVX2 },
	{ "AVX2", false, CRYPTO_CIPHER_AVX2 },  { "avx", false, CRYPTO_CIPHER_AVX2 },
	{ "avx2 ", false, CRYPTO_CIPHER_AVX2 }, { "null", false, CRYPTO_CIPHER_AVX2 },
	{ "none", false, CRYPTO_CIPHER_AVX2 },
};

static void names_of_ciphers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(names); ++i) {
		enum crypto_cipher cipher = CRYPTO_CIPHER_AVX2;

		assert_int_equal(crypto_cipher_from_name(names[i].name, &cipher), names[i].ok);
		assert_int_equal(cipher, names[i].cipher);
	}
}

/* Nothing is chosen before somebody chooses; AUTO takes the fast one where it is. */
static void choices(void **state)
{
	const bool here = batch_avx2.is_here();
	const char *fast = here ? "avx2" : "libcrypto";

	(void)state;
	assert_string_equal(crypto_cipher_name(), "libcrypto");
	assert_int_equal(crypto_choose_cipher(CRYPTO_CIPHER_AUTO), CRYPTO_CHOSEN);
	assert_string_equal(crypto_cipher_name(), fast);
	assert_int_equal(crypto_choose_cipher(CRYPTO_CIPHER_LIBCRYPTO), CRYPTO_CHOSEN);
	assert_string_equal(crypto_cipher_name(), "libcrypto");
	assert_int_equal(crypto_choose_cipher(CRYPTO_CIPHER_AVX2),
			 here ? CRYPTO_CHOSEN : CRYPTO_NOT_HERE);
	assert_string_equal(crypto_cipher_name(), fast);
}

/* Backends with one fault each, most of them where a single packet does not show it. */
static size_t packets_seen;

static bool true_seal(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		      uint32_t first)
{
	return batch_libcrypto.seal(packets, n, key, first);
}

static void true_open(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		      uint32_t first)
{
	batch_libcrypto.open(packets, n, key, first);
}

static bool wrong_byte(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		       uint32_t first)
{
	const bool ok = true_seal(packets, n, key, first);

	for (size_t i = 0; i < n; ++i)
		if (packets[i].len > 448) /* of the eighth block */
			packets[i].data[448] ^= 1;
	return ok;
}

static bool wrong_tag(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		      uint32_t first)
{
	const bool ok = true_seal(packets, n, key, first);

	for (size_t i = 0; i < n; ++i)
		if (++packets_seen == 100)
			packets[i].data[packets[i].len + 15] ^= 0x80;
	return ok;
}

static bool high_counter_lost(struct crypto_packet *packets, size_t n, const struct key_shared *key,
			      uint32_t first)
{
	for (size_t i = 0; i < n; ++i)
		packets[i].counter = (uint32_t)packets[i].counter;
	return true_seal(packets, n, key, first);
}

static bool refuses(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		    uint32_t first)
{
	return true_seal(packets, n, key, first) && n < 5;
}

static void takes_all(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		      uint32_t first)
{
	true_open(packets, n, key, first);
	for (size_t i = 0; n > 1 && i < n; ++i)
		packets[i].ok = true;
}

static void takes_none(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		       uint32_t first)
{
	true_open(packets, n, key, first);
	for (size_t i = 0; n > 1 && i < n; ++i)
		packets[i].ok = false;
}

static void releases(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		     uint32_t first)
{
	true_open(packets, n, key, first);
	for (size_t i = 0; n > 1 && i < n; ++i)
		if (!packets[i].ok && packets[i].len > 0)
			packets[i].data[packets[i].len - 1] = 1;
}

static const struct batch faulty[] = {
	{ .name = "wrong byte", .seal = wrong_byte, .open = true_open },
	{ .name = "wrong tag", .seal = wrong_tag, .open = true_open },
	{ .name = "high half of the counter lost", .seal = high_counter_lost, .open = true_open },
	{ .name = "refuses", .seal = refuses, .open = true_open },
	{ .name = "takes all", .seal = true_seal, .open = takes_all },
	{ .name = "takes none", .seal = true_seal, .open = takes_none },
	{ .name = "releases a byte", .seal = true_seal, .open = releases },
};

static void self_test_finds_faults(void **state)
{
	static const struct batch good = { .name = "good", .seal = true_seal, .open = true_open };

	(void)state;
	assert_true(batch_self_test(&good));
	assert_true(batch_self_test(&batch_libcrypto));
	assert_true(!batch_avx2.is_here() || batch_self_test(&batch_avx2));
	for (size_t i = 0; i < ELEMENTS(faulty); ++i)
		if (batch_self_test(&faulty[i]))
			fail_msg("not found: %s", faulty[i].name);
}

static void tags(void **state)
{
	uint8_t own[CRYPTO_TAG] = { 0 }, sent[CRYPTO_TAG] = { 0 };

	(void)state;
	assert_true(batch_tag_matches(own, sent));
	for (size_t bit = 0; bit < 8 * sizeof(own); ++bit) {
		own[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(batch_tag_matches(own, sent));
		sent[15 - bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(batch_tag_matches(own, sent));
		sent[15 - bit / 8] = 0;
		own[bit / 8] = 0;
	}
	memset(own, 0xff, sizeof(own));
	memset(sent, 0xff, sizeof(sent));
	assert_true(batch_tag_matches(own, sent));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_ciphers),
		cmocka_unit_test(choices),
		cmocka_unit_test(self_test_finds_faults),
		cmocka_unit_test(tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
