#ifndef WG_SYMMETRIC_H
#define WG_SYMMETRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"

/*
 * The SymmetricState of Noise (rev. 34, 5.2) with BLAKE2s and ChaCha20-Poly1305: what the tokens of
 * a handshake pattern are made of. It keeps no cipher key: a key seals one field, with nonce 0, and
 * the next token makes another. Pure; who holds a state wipes it.
 */
struct symmetric {
	uint8_t chain[32]; /* C of the WireGuard paper */
	uint8_t hash[32];  /* H */
};

/* name: of the protocol, longer than 32 bytes. */
void symmetric_init(struct symmetric *s, const void *name, size_t len);
void symmetric_mix_hash(struct symmetric *s, const void *data, size_t len);
/* MixKey without its key: nothing is sealed before the next one. */
void symmetric_mix_chain(struct symmetric *s, const void *input, size_t len);
void symmetric_mix_key(struct symmetric *s, const struct key_shared *input, struct key_shared *ret);
/* MixKey(DH). False where the result is zero; nothing was mixed. */
MUST_CHECK bool symmetric_mix_dh(struct symmetric *s, const struct key_private *ours,
				 const struct key_public *theirs, struct key_shared *ret);
/* MixKeyAndHash */
void symmetric_mix_psk(struct symmetric *s, const struct key_shared *psk, struct key_shared *ret);

/* EncryptAndHash: writes len bytes and a tag. */
MUST_CHECK bool symmetric_seal(struct symmetric *s, uint8_t *ret, const void *plain, size_t len,
			       const struct key_shared *key);
/* DecryptAndHash; len counts the tag. False: not authentic, the state is as it was. */
MUST_CHECK bool symmetric_open(struct symmetric *s, uint8_t *ret, const uint8_t *sealed, size_t len,
			       const struct key_shared *key);

/* Transport keys: first what the initiator sends with, then what the responder sends with. */
void symmetric_split(const struct symmetric *s, struct key_shared *first,
		     struct key_shared *second);

#endif
