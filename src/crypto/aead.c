#include "crypto/aead.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/batch.h"

/* One per thread and direction: turning a context round would set its cipher up again. */
struct contexts {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

struct extra {
	const void *data;
	size_t len;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot;
static bool have_slot;

static void contexts_free(void *arg)
{
	struct contexts *c = arg;

	EVP_CIPHER_CTX_free(c->seal);
	EVP_CIPHER_CTX_free(c->open);
	free(c);
}

static void slot_make(void)
{
	have_slot = pthread_key_create(&slot, contexts_free) == 0;
}

static bool contexts_init(struct contexts *c)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	bool ok;

	c->seal = EVP_CIPHER_CTX_new();
	c->open = EVP_CIPHER_CTX_new();
	ok = cipher && c->seal && c->open &&
	     EVP_EncryptInit_ex2(c->seal, cipher, NULL, NULL, NULL) == 1 &&
	     EVP_DecryptInit_ex2(c->open, cipher, NULL, NULL, NULL) == 1;
	EVP_CIPHER_free(cipher); /* the contexts keep it */
	return ok;
}

static struct contexts *contexts_get(void)
{
	struct contexts *c;

	if (pthread_once(&once, slot_make) != 0 || !have_slot)
		return NULL;
	c = pthread_getspecific(slot);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	if (!contexts_init(c) || pthread_setspecific(slot, c) != 0) {
		contexts_free(c);
		return NULL;
	}
	return c;
}

static EVP_CIPHER_CTX *start(bool seal, const struct key_shared *key)
{
	struct contexts *c = contexts_get();
	EVP_CIPHER_CTX *ctx;

	if (!c)
		return NULL;
	ctx = seal ? c->seal : c->open;
	return EVP_CipherInit_ex2(ctx, NULL, key->bytes, NULL, -1, NULL) == 1 ? ctx : NULL;
}

/* A context outlives the session; its key must not. */
static void stop(EVP_CIPHER_CTX *ctx)
{
	static const uint8_t zero[KEY_LEN];

	if (ctx)
		(void)EVP_CipherInit_ex2(ctx, NULL, zero, NULL, -1, NULL); /* it only copies */
}

static bool feed(EVP_CIPHER_CTX *ctx, uint8_t *ret, const uint8_t *data, size_t len)
{
	int n;

	return len == 0 || (len <= INT_MAX && EVP_CipherUpdate(ctx, ret, &n, data, (int)len) == 1);
}

static bool seal_one(EVP_CIPHER_CTX *ctx, uint8_t *ret, const uint8_t *plain, size_t len,
		     struct extra ad, const uint8_t nonce[static CRYPTO_NONCE])
{
	int n;

	return EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
	       feed(ctx, NULL, ad.data, ad.len) && feed(ctx, ret, plain, len) &&
	       EVP_EncryptFinal_ex(ctx, ret + len, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG, ret + len) == 1;
}

/* len is the plain text's. libcrypto decrypts before it compares: the caller wipes on false. */
static bool open_one(EVP_CIPHER_CTX *ctx, uint8_t *ret, const uint8_t *sealed, size_t len,
		     struct extra ad, const uint8_t nonce[static CRYPTO_NONCE])
{
	uint8_t tag[CRYPTO_TAG], rest[CRYPTO_TAG];
	int n;

	memcpy(tag, sealed + len, sizeof(tag));
	return EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
	       feed(ctx, NULL, ad.data, ad.len) && feed(ctx, ret, sealed, len) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	       EVP_DecryptFinal_ex(ctx, rest, &n) == 1;
}

static void nonce_from_counter(uint32_t first, uint64_t counter, uint8_t ret[static CRYPTO_NONCE])
{
	store32_le(ret, first);
	store64_le(ret + 4, counter);
}

bool crypto_seal_nonce(uint8_t *ret, const void *plain, size_t len, const void *ad, size_t adlen,
		       const uint8_t nonce[static CRYPTO_NONCE], const struct key_shared *key)
{
	EVP_CIPHER_CTX *ctx = start(true, key);
	bool ok = ctx && seal_one(ctx, ret, plain, len, (struct extra){ ad, adlen }, nonce);

	stop(ctx);
	if (!ok)
		crypto_wipe(ret, len + CRYPTO_TAG);
	return ok;
}

bool crypto_open_nonce(uint8_t *ret, const void *sealed, size_t len, const void *ad, size_t adlen,
		       const uint8_t nonce[static CRYPTO_NONCE], const struct key_shared *key)
{
	EVP_CIPHER_CTX *ctx;
	bool ok;

	if (len < CRYPTO_TAG)
		return false;
	ctx = start(false, key);
	ok = ctx &&
	     open_one(ctx, ret, sealed, len - CRYPTO_TAG, (struct extra){ ad, adlen }, nonce);
	stop(ctx);
	if (!ok)
		crypto_wipe(ret, len - CRYPTO_TAG);
	return ok;
}

bool crypto_seal(uint8_t *ret, const void *plain, size_t len, const void *ad, size_t adlen,
		 uint64_t counter, const struct key_shared *key)
{
	uint8_t nonce[CRYPTO_NONCE];

	nonce_from_counter(0, counter, nonce);
	return crypto_seal_nonce(ret, plain, len, ad, adlen, nonce, key);
}

bool crypto_open(uint8_t *ret, const void *sealed, size_t len, const void *ad, size_t adlen,
		 uint64_t counter, const struct key_shared *key)
{
	uint8_t nonce[CRYPTO_NONCE];

	nonce_from_counter(0, counter, nonce);
	return crypto_open_nonce(ret, sealed, len, ad, adlen, nonce, key);
}

/* After a failure some packets would still be plain text: none is left to be sent. */
static bool seal_batch(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		       uint32_t first)
{
	EVP_CIPHER_CTX *ctx = start(true, key);
	uint8_t nonce[CRYPTO_NONCE];
	bool ok = ctx;

	for (size_t i = 0; ok && i < n; ++i) {
		struct crypto_packet *p = &packets[i];

		nonce_from_counter(first, p->counter, nonce);
		ok = seal_one(ctx, p->data, p->data, p->len, (struct extra){ 0 }, nonce);
	}
	stop(ctx);
	for (size_t i = 0; !ok && i < n; ++i)
		crypto_wipe(packets[i].data, packets[i].len + CRYPTO_TAG);
	return ok;
}

static void open_batch(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		       uint32_t first)
{
	EVP_CIPHER_CTX *ctx = start(false, key);
	uint8_t nonce[CRYPTO_NONCE];

	for (size_t i = 0; i < n; ++i) {
		struct crypto_packet *p = &packets[i];

		nonce_from_counter(first, p->counter, nonce);
		p->ok = ctx && open_one(ctx, p->data, p->data, p->len, (struct extra){ 0 }, nonce);
		if (!p->ok)
			crypto_wipe(p->data, p->len);
	}
	stop(ctx);
}

static bool is_always_here(void)
{
	return true;
}

const struct batch batch_libcrypto = {
	.name = "libcrypto",
	.is_here = is_always_here,
	.seal = seal_batch,
	.open = open_batch,
};
