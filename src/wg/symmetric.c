#include "wg/symmetric.h"

#include <assert.h>
#include <string.h>

#include "crypto/crypto.h"

void symmetric_init(struct symmetric *s, const void *name, size_t len)
{
	assert(len > sizeof(s->hash));
	crypto_blake2s(s->chain, name, len);
	memcpy(s->hash, s->chain, sizeof(s->hash));
}

void symmetric_mix_hash(struct symmetric *s, const void *data, size_t len)
{
	struct crypto_hash hash;

	crypto_hash_init(&hash, sizeof(s->hash), NULL, 0);
	crypto_hash_update(&hash, s->hash, sizeof(s->hash));
	crypto_hash_update(&hash, data, len);
	crypto_hash_final(&hash, s->hash);
}

void symmetric_mix_chain(struct symmetric *s, const void *input, size_t len)
{
	crypto_kdf(s->chain, input, len, 1, (uint8_t *const[]){ s->chain });
}

void symmetric_mix_key(struct symmetric *s, const struct key_shared *input, struct key_shared *ret)
{
	crypto_kdf(s->chain, input->bytes, KEY_LEN, 2, (uint8_t *const[]){ s->chain, ret->bytes });
}

bool symmetric_mix_dh(struct symmetric *s, const struct key_private *ours,
		      const struct key_public *theirs, struct key_shared *ret)
{
	struct key_shared shared;
	const bool ok = crypto_dh(ours, theirs, &shared);

	if (ok)
		symmetric_mix_key(s, &shared, ret);
	crypto_wipe(&shared, sizeof(shared));
	return ok;
}

void symmetric_mix_psk(struct symmetric *s, const struct key_shared *psk, struct key_shared *ret)
{
	uint8_t temporary[32];

	crypto_kdf(s->chain, psk->bytes, KEY_LEN, 3,
		   (uint8_t *const[]){ s->chain, temporary, ret->bytes });
	symmetric_mix_hash(s, temporary, sizeof(temporary));
	crypto_wipe(temporary, sizeof(temporary));
}

bool symmetric_seal(struct symmetric *s, uint8_t *ret, const void *plain, size_t len,
		    const struct key_shared *key)
{
	if (!crypto_seal(ret, plain, len, s->hash, sizeof(s->hash), 0, key))
		return false;
	symmetric_mix_hash(s, ret, len + CRYPTO_TAG);
	return true;
}

bool symmetric_open(struct symmetric *s, uint8_t *ret, const uint8_t *sealed, size_t len,
		    const struct key_shared *key)
{
	if (!crypto_open(ret, sealed, len, s->hash, sizeof(s->hash), 0, key))
		return false;
	symmetric_mix_hash(s, sealed, len);
	return true;
}

void symmetric_split(const struct symmetric *s, struct key_shared *first, struct key_shared *second)
{
	crypto_kdf(s->chain, NULL, 0, 2, (uint8_t *const[]){ first->bytes, second->bytes });
}
