#include "device/mask.h"

#include "base/bytes.h"
#include "crypto/crypto.h"

void mask_secret(const struct key_shared *key, const uint8_t salt[static MASK_SALT],
		 uint64_t number, uint8_t secret[static KEY_LEN])
{
	uint8_t pad[KEY_LEN], place[8];
	struct crypto_hash s;

	store64_le(place, number);
	crypto_hash_init(&s, KEY_LEN, key, sizeof(*key));
	crypto_hash_update(&s, salt, MASK_SALT);
	crypto_hash_update(&s, place, sizeof(place));
	crypto_hash_final(&s, pad);
	for (int i = 0; i < KEY_LEN; ++i)
		secret[i] ^= pad[i];
	crypto_wipe(pad, sizeof(pad));
}
