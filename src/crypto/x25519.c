#include <openssl/evp.h>

#include "crypto/crypto.h"

void crypto_clamp(struct key_private *k)
{
	k->bytes[0] &= 248;
	k->bytes[31] = (k->bytes[31] & 127) | 64;
}

static EVP_PKEY *load_private(const struct key_private *k)
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, k->bytes, sizeof(k->bytes));
}

bool crypto_public(const struct key_private *k, struct key_public *ret)
{
	EVP_PKEY *own = load_private(k);
	struct key_public value;
	size_t len = sizeof(value.bytes);
	bool ok;

	ok = own && EVP_PKEY_get_raw_public_key(own, value.bytes, &len) == 1 &&
	     len == sizeof(value.bytes);
	if (ok)
		*ret = value;
	EVP_PKEY_free(own);
	return ok;
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, struct key_shared *ret)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t len = sizeof(ret->bytes);
	bool ok;

	ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
	     EVP_PKEY_derive(ctx, ret->bytes, &len) == 1 && len == sizeof(ret->bytes);
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

bool crypto_dh(const struct key_private *k, const struct key_public *p, struct key_shared *ret)
{
	EVP_PKEY *own = load_private(k);
	EVP_PKEY *peer =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, p->bytes, sizeof(p->bytes));
	bool ok;

	ok = own && peer && derive(own, peer, ret);
	/* OpenSSL refuses a zero result itself; other libraries of the same interface do not. */
	if (!ok || crypto_is_zero(ret->bytes, sizeof(ret->bytes))) {
		crypto_wipe(ret, sizeof(*ret));
		ok = false;
	}
	EVP_PKEY_free(peer);
	EVP_PKEY_free(own);
	return ok;
}
