#include <dlfcn.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "crypto/batch.h"

/*
 * Secrets are marked undefined, and memcheck reports each branch and each index that depends on
 * one: run it as `valgrind --error-exitcode=9 ct_main`. What is public again, because everyone
 * sees it or because the caller branches on it anyway, is marked defined, and says why.
 */
static void make_secret(void *p, size_t len)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, len);
}

static void make_public(const void *p, size_t len)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(p, len);
}

/* Whether a call worked is public: the caller goes on or stops. */
static bool outcome(bool ok)
{
	make_public(&ok, sizeof(ok));
	return ok;
}

static void fill(void *p, size_t len, uint8_t first)
{
	uint8_t *bytes = p;

	for (size_t i = 0; i < len; ++i)
		bytes[i] = (uint8_t)(first + 37 * i);
}

static void fill_secret(void *p, size_t len, uint8_t first)
{
	fill(p, len, first);
	make_secret(p, len);
}

/*
 * The four functions below stand in for those that the tested code calls by these names.
 * The length of a key's text is public, although it is found by looking for its end.
 */
size_t strlen(const char *text)
{
	size_t len = 0;

	for (;; ++len) {
		char c = text[len];

		make_public(&c, sizeof(c));
		if (c == '\0')
			return len;
	}
}

/*
 * libcrypto compares the tag in constant time and then branches on the outcome, which is public:
 * a wrong tag is a dropped packet. Its own look at it is the only one that is excused.
 */
int EVP_DecryptFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *ret, int *ret_len)
{
	int (*real)(EVP_CIPHER_CTX *, unsigned char *, int *) =
		(int (*)(EVP_CIPHER_CTX *, unsigned char *, int *))dlsym(RTLD_NEXT,
									 "EVP_DecryptFinal_ex");
	int status;

	VALGRIND_DISABLE_ERROR_REPORTING;
	status = real(ctx, ret, ret_len);
	VALGRIND_ENABLE_ERROR_REPORTING;
	make_public(&status, sizeof(status));
	return status;
}

/*
 * Whether a shared secret is zero is public: whoever sends a point of low order knows. libcrypto
 * branches on that inside, and crypto_dh after it.
 */
int EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *ret, size_t *ret_len)
{
	int (*real)(EVP_PKEY_CTX *, unsigned char *, size_t *) =
		(int (*)(EVP_PKEY_CTX *, unsigned char *, size_t *))dlsym(RTLD_NEXT,
									  "EVP_PKEY_derive");
	int status;

	VALGRIND_DISABLE_ERROR_REPORTING;
	status = real(ctx, ret, ret_len);
	VALGRIND_ENABLE_ERROR_REPORTING;
	make_public(&status, sizeof(status));
	make_public(ret, *ret_len);
	return status;
}

/* Our own tag's outcome is as public as libcrypto's. */
bool batch_tag_matches(const uint8_t own[static CRYPTO_TAG], const uint8_t sent[static CRYPTO_TAG])
{
	return outcome(crypto_equal(own, sent, CRYPTO_TAG));
}

static bool text_keys(void)
{
	uint8_t key[KEY_LEN], back[KEY_LEN];
	char hex[TEXT_KEY_HEX], base64[TEXT_KEY_BASE64];
	bool ok = true;

	fill_secret(key, sizeof(key), 1);
	text_hex_from_bytes(key, sizeof(key), hex);
	ok &= outcome(text_hex_to_bytes(hex, back, sizeof(back)));
	text_base64_from_key(back, base64);
	ok &= outcome(text_base64_to_key(base64, back));
	make_public(key, sizeof(key));
	make_public(back, sizeof(back));
	return ok && memcmp(key, back, sizeof(key)) == 0;
}

/* The place of a wrong character is as secret as the characters around it. */
static bool text_wrong_keys(void)
{
	char hex[TEXT_KEY_HEX], base64[TEXT_KEY_BASE64];
	uint8_t key[KEY_LEN], back[KEY_LEN];
	bool ok = false;

	fill_secret(key, sizeof(key), 2);
	text_hex_from_bytes(key, sizeof(key), hex);
	text_base64_from_key(key, base64);
	hex[20] = 'x';
	base64[20] = '-';
	make_secret(hex, sizeof(hex) - 1);
	make_secret(base64, sizeof(base64) - 1);
	ok |= outcome(text_hex_to_bytes(hex, back, sizeof(back)));
	ok |= outcome(text_base64_to_key(base64, back));
	return !ok;
}

static bool comparisons(void)
{
	uint8_t a[KEY_LEN], b[KEY_LEN], zero[KEY_LEN] = { 0 };
	bool ok = true;

	fill_secret(a, sizeof(a), 3);
	memcpy(b, a, sizeof(b));
	make_secret(zero, sizeof(zero));
	ok &= outcome(crypto_equal(a, b, sizeof(a)));
	b[7] ^= 1;
	ok &= !outcome(crypto_equal(a, b, sizeof(a)));
	ok &= !outcome(crypto_is_zero(a, sizeof(a)));
	return ok & outcome(crypto_is_zero(zero, sizeof(zero)));
}

static bool hashes(void)
{
	uint8_t key[32], data[150], mac[16], hash[32], a[32], b[32], c[32];

	fill_secret(key, sizeof(key), 4);
	fill_secret(data, sizeof(data), 5);
	crypto_mac(mac, key, sizeof(key), data, sizeof(data));
	crypto_blake2s(hash, data, sizeof(data));
	crypto_hmac(hash, key, data, sizeof(data));
	crypto_kdf(key, data, sizeof(data), 3, (uint8_t *const[]){ a, b, c });
	make_public(c, sizeof(c));
	return c[0] | c[1] | c[2] | c[3];
}

static bool seal_and_open(bool forged)
{
	uint8_t plain[100], ad[16], sealed[100 + CRYPTO_TAG], opened[100];
	struct key_shared key;
	bool ok;

	fill_secret(&key, sizeof(key), 6);
	fill_secret(plain, sizeof(plain), 7);
	fill(ad, sizeof(ad), 8);
	ok = crypto_seal(sealed, plain, sizeof(plain), ad, sizeof(ad), 9, &key);
	make_public(sealed, sizeof(sealed)); /* goes over the wire */
	sealed[50] ^= forged;
	return ok &&
	       crypto_open(opened, sealed, sizeof(sealed), ad, sizeof(ad), 9, &key) == !forged;
}

static bool good_message(void)
{
	return seal_and_open(false);
}

static bool forged_message(void)
{
	return seal_and_open(true);
}

/* Lengths, counters and what goes over the wire are public; keys and plain text are not. */
static bool seal_and_open_batch(const struct batch *b, const size_t *lengths, size_t n)
{
	enum { MOST = 16, SLOT = 4400 };
	static uint8_t data[MOST][SLOT];
	struct crypto_packet packets[MOST];
	struct key_shared key;
	bool ok;

	fill_secret(&key, sizeof(key), 10);
	for (size_t i = 0; i < n; ++i) {
		fill_secret(data[i], lengths[i], (uint8_t)i);
		packets[i] =
			(struct crypto_packet){ .data = data[i], .len = lengths[i], .counter = i };
	}
	ok = b->seal(packets, n, &key, 0);
	make_public(data, sizeof(data)); /* goes over the wire */
	data[n / 2][3] ^= 1;
	b->open(packets, n, &key, 0);
	for (size_t i = 0; i < n; ++i)
		ok = ok && packets[i].ok == (i != n / 2);
	return ok;
}

static bool batches_by(const struct batch *b)
{
	static const size_t few[] = { 1420, 100, 200 }, jumbo[] = { 4384, 4200, 0 };
	static const size_t many[] = { 1420, 0, 1, 64, 700, 1424, 15, 16, 17, 1500, 63, 65, 8, 31 };

	return !b->is_here() ||
	       (seal_and_open_batch(b, few, 1) && seal_and_open_batch(b, few, ELEMENTS(few)) &&
		seal_and_open_batch(b, jumbo, ELEMENTS(jumbo)) &&
		seal_and_open_batch(b, many, ELEMENTS(many)));
}

static bool batches(void)
{
	return batches_by(&batch_libcrypto);
}

static bool batches_avx2(void)
{
	return batches_by(&batch_avx2);
}

static bool cookies(void)
{
	uint8_t cookie[16], mac1[16], nonce[CRYPTO_XNONCE], sealed[32], opened[16], sub[32];
	struct key_shared key;
	bool ok;

	fill_secret(&key, sizeof(key), 11);
	fill_secret(cookie, sizeof(cookie), 12);
	fill(mac1, sizeof(mac1), 13);
	fill(nonce, sizeof(nonce), 14);
	crypto_hchacha20(sub, nonce, &key);
	ok = crypto_xseal(sealed, cookie, sizeof(cookie), mac1, sizeof(mac1), nonce, &key);
	make_public(sealed, sizeof(sealed)); /* goes over the wire */
	return ok && crypto_xopen(opened, sealed, sizeof(sealed), mac1, sizeof(mac1), nonce, &key);
}

static bool keys(void)
{
	const struct key_public zero = { { 0 } };
	struct key_private a, b;
	struct key_public a_public, b_public;
	struct key_shared ab, ba;
	bool ok;

	fill_secret(&a, sizeof(a), 15);
	fill_secret(&b, sizeof(b), 16);
	crypto_clamp(&a);
	ok = crypto_public(&a, &a_public) && crypto_public(&b, &b_public);
	make_public(&a_public, sizeof(a_public)); /* names the peer */
	make_public(&b_public, sizeof(b_public));
	ok = ok && crypto_dh(&a, &b_public, &ab) && crypto_dh(&b, &a_public, &ba);
	return ok && memcmp(&ab, &ba, sizeof(ab)) == 0 && !crypto_dh(&a, &zero, &ab);
}

static const struct {
	const char *name;
	bool (*run)(void);
} checks[] = {
	{ "text_keys", text_keys },       { "text_wrong_keys", text_wrong_keys },
	{ "comparisons", comparisons },   { "hashes", hashes },
	{ "good_message", good_message }, { "forged_message", forged_message },
	{ "batches", batches },           { "batches_avx2", batches_avx2 },
	{ "cookies", cookies },           { "keys", keys },
};

int main(void)
{
	bool all = RUNNING_ON_VALGRIND;

	if (!all)
		fputs("nothing is checked without valgrind\n", stderr);
	printf("1..%zu\n", ELEMENTS(checks));
	for (size_t i = 0; i < ELEMENTS(checks); ++i) {
		const unsigned long before = VALGRIND_COUNT_ERRORS;
		const bool works = checks[i].run();
		const bool ok = works && VALGRIND_COUNT_ERRORS == before;

		printf("%sok %zu - %s%s\n", ok ? "" : "not ", i + 1, checks[i].name,
		       works ? "" : ": wrong result");
		all = all && ok;
	}
	return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
