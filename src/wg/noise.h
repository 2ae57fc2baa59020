#ifndef WG_NOISE_H
#define WG_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"
#include "wg/message.h"
#include "wg/stamp.h"
#include "wg/symmetric.h"

/*
 * The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as WireGuard uses it (paper 5.4.1 to 5.4.5;
 * Noise rev. 34). Every function is pure and slow (Diffie-Hellman): it works on the caller's copies
 * and may run on any thread. What the results mean for a peer is decided by handshake.c. Macs and
 * indices are not part of the transcript. All return false, with the outputs wiped, where the
 * message is not authentic or a DH result is zero (F-H6).
 */
struct noise_local { /* our identity */
	struct key_private secret;
	struct key_public public;
};

struct noise_pending { /* what an initiator keeps until the response comes */
	struct symmetric state;
	struct key_private ephemeral;
};

struct noise_initiation { /* what a responder has learned from an initiation */
	struct symmetric state;
	struct key_public remote_static;
	struct key_public remote_ephemeral;
};

struct noise_keys {
	struct key_shared send;
	struct key_shared receive;
};

/* Clamps the key and computes the public one; a key of zeros has none: all zeros too. */
MUST_CHECK bool noise_local_init(struct noise_local *ret, const struct key_private *key);

/* The DH of the two static keys, the same for all handshakes of a pair. */
MUST_CHECK bool noise_static_static(const struct noise_local *local,
				    const struct key_public *remote, struct key_shared *ret);

/* Fills ephemeral, sealed_static and sealed_stamp of ret. */
MUST_CHECK bool
noise_create_initiation(const struct noise_local *local, const struct key_public *remote,
			const struct key_shared *static_static, const struct key_private *ephemeral,
			const uint8_t stamp[static STAMP_LEN], struct message_initiation *ret,
			struct noise_pending *ret_pending);
/* First half: who is it? One DH. */
MUST_CHECK bool noise_consume_static(const struct noise_local *local,
				     const struct message_initiation *message,
				     struct noise_initiation *ret);
/* Second half, with the DH of that pair: the stamp. Advances the state once; call it once. */
MUST_CHECK bool noise_consume_stamp(struct noise_initiation *initiation,
				    const struct key_shared *static_static,
				    const struct message_initiation *message,
				    uint8_t ret[static STAMP_LEN]);

/* Fills ephemeral and sealed_nothing of ret. */
MUST_CHECK bool noise_create_response(const struct noise_initiation *initiation,
				      const struct key_shared *psk,
				      const struct key_private *ephemeral,
				      struct message_response *ret, struct noise_keys *ret_keys);
MUST_CHECK bool noise_consume_response(const struct noise_local *local,
				       const struct noise_pending *pending,
				       const struct key_shared *psk,
				       const struct message_response *message,
				       struct noise_keys *ret_keys);

#endif
