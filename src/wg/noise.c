#include "wg/noise.h"

#include <string.h>

#include "crypto/crypto.h"

static const char construction[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";

static void mix_hash(struct noise_symmetric *s, const void *data, size_t len)
{
	struct crypto_hash hash;

	crypto_hash_init(&hash, sizeof(s->hash), NULL, 0);
	crypto_hash_update(&hash, s->hash, sizeof(s->hash));
	crypto_hash_update(&hash, data, len);
	crypto_hash_final(&hash, s->hash);
}

static void mix_chain(struct noise_symmetric *s, const void *input, size_t len)
{
	crypto_kdf(s->chain, input, len, 1, (uint8_t *const[]){ s->chain });
}

static void mix_key(struct noise_symmetric *s, const struct key_shared *input,
		    struct key_shared *ret)
{
	crypto_kdf(s->chain, input->bytes, KEY_LEN, 2, (uint8_t *const[]){ s->chain, ret->bytes });
}

static bool mix_dh(struct noise_symmetric *s, const struct key_private *ours,
		   const struct key_public *theirs, struct key_shared *ret)
{
	struct key_shared shared;
	const bool ok = crypto_dh(ours, theirs, &shared);

	if (ok)
		mix_key(s, &shared, ret);
	crypto_wipe(&shared, sizeof(shared));
	return ok;
}

static void mix_psk(struct noise_symmetric *s, const struct key_shared *psk, struct key_shared *ret)
{
	uint8_t temporary[32];

	crypto_kdf(s->chain, psk->bytes, KEY_LEN, 3,
		   (uint8_t *const[]){ s->chain, temporary, ret->bytes });
	mix_hash(s, temporary, sizeof(temporary));
	crypto_wipe(temporary, sizeof(temporary));
}

/* e: the ephemeral goes into both the hash and the chaining key (psk modifier, Noise 9.2). */
static void mix_ephemeral(struct noise_symmetric *s, const uint8_t ephemeral[static 32])
{
	mix_hash(s, ephemeral, 32);
	mix_chain(s, ephemeral, 32);
}

static bool seal_field(struct noise_symmetric *s, uint8_t *ret, const void *plain, size_t len,
		       const struct key_shared *key)
{
	if (!crypto_seal(ret, plain, len, s->hash, sizeof(s->hash), 0, key))
		return false;
	mix_hash(s, ret, len + CRYPTO_TAG);
	return true;
}

static bool open_field(struct noise_symmetric *s, uint8_t *ret, const uint8_t *sealed, size_t len,
		       const struct key_shared *key)
{
	if (!crypto_open(ret, sealed, len, s->hash, sizeof(s->hash), 0, key))
		return false;
	mix_hash(s, sealed, len);
	return true;
}

static void symmetric_start(struct noise_symmetric *s, const struct key_public *responder)
{
	crypto_hash(s->chain, construction, sizeof(construction) - 1);
	memcpy(s->hash, s->chain, sizeof(s->hash));
	mix_hash(s, identifier, sizeof(identifier) - 1);
	mix_hash(s, responder->bytes, KEY_LEN);
}

/* Transport keys: first what the initiator sends with, then what the responder sends with. */
static void split(const struct noise_symmetric *s, struct key_shared *first,
		  struct key_shared *second)
{
	crypto_kdf(s->chain, NULL, 0, 2, (uint8_t *const[]){ first->bytes, second->bytes });
}

bool noise_static_static(const struct noise_local *local, const struct key_public *remote,
			 struct key_shared *ret)
{
	return crypto_dh(&local->secret, remote, ret);
}

bool noise_create_initiation(const struct noise_local *local, const struct key_public *remote,
			     const struct key_shared *static_static,
			     const struct key_private *ephemeral,
			     const uint8_t stamp[static STAMP_LEN], struct message_initiation *ret,
			     struct noise_pending *ret_pending)
{
	struct noise_symmetric s;
	struct key_public public;
	struct key_shared key;
	bool ok = false;

	symmetric_start(&s, remote);
	/* e */
	if (!crypto_public(ephemeral, &public))
		goto out;
	memcpy(ret->ephemeral, public.bytes, sizeof(ret->ephemeral));
	mix_ephemeral(&s, ret->ephemeral);
	/* es */
	if (!mix_dh(&s, ephemeral, remote, &key))
		goto out;
	/* s */
	if (!seal_field(&s, ret->sealed_static, local->public.bytes, KEY_LEN, &key))
		goto out;
	/* ss */
	mix_key(&s, static_static, &key);
	/* {t} */
	if (!seal_field(&s, ret->sealed_stamp, stamp, STAMP_LEN, &key))
		goto out;
	ret_pending->state = s;
	ret_pending->ephemeral = *ephemeral;
	ok = true;
out:
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&s, sizeof(s));
	return ok;
}

bool noise_consume_static(const struct noise_local *local, const struct message_initiation *message,
			  struct noise_initiation *ret)
{
	struct noise_initiation n = { 0 };
	struct key_shared key;
	bool ok = false;

	symmetric_start(&n.state, &local->public);
	/* e */
	memcpy(n.remote_ephemeral.bytes, message->ephemeral, KEY_LEN);
	mix_ephemeral(&n.state, message->ephemeral);
	/* es */
	if (!mix_dh(&n.state, &local->secret, &n.remote_ephemeral, &key))
		goto out;
	/* s */
	if (!open_field(&n.state, n.remote_static.bytes, message->sealed_static,
			sizeof(message->sealed_static), &key))
		goto out;
	*ret = n;
	ok = true;
out:
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&n, sizeof(n));
	return ok;
}

bool noise_consume_stamp(struct noise_initiation *initiation,
			 const struct key_shared *static_static,
			 const struct message_initiation *message, uint8_t ret[static STAMP_LEN])
{
	struct key_shared key;
	bool ok;

	/* ss */
	mix_key(&initiation->state, static_static, &key);
	/* {t} */
	ok = open_field(&initiation->state, ret, message->sealed_stamp,
			sizeof(message->sealed_stamp), &key);
	crypto_wipe(&key, sizeof(key));
	return ok;
}

bool noise_create_response(const struct noise_initiation *initiation, const struct key_shared *psk,
			   const struct key_private *ephemeral, struct message_response *ret,
			   struct noise_keys *ret_keys)
{
	struct noise_symmetric s = initiation->state;
	struct key_public public;
	struct key_shared key;
	bool ok = false;

	/* e */
	if (!crypto_public(ephemeral, &public))
		goto out;
	memcpy(ret->ephemeral, public.bytes, sizeof(ret->ephemeral));
	mix_ephemeral(&s, ret->ephemeral);
	/* ee */
	if (!mix_dh(&s, ephemeral, &initiation->remote_ephemeral, &key))
		goto out;
	/* se */
	if (!mix_dh(&s, ephemeral, &initiation->remote_static, &key))
		goto out;
	/* psk */
	mix_psk(&s, psk, &key);
	/* {} */
	if (!seal_field(&s, ret->sealed_nothing, NULL, 0, &key))
		goto out;
	split(&s, &ret_keys->receive, &ret_keys->send);
	ok = true;
out:
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&s, sizeof(s));
	return ok;
}

bool noise_consume_response(const struct noise_local *local, const struct noise_pending *pending,
			    const struct key_shared *psk, const struct message_response *message,
			    struct noise_keys *ret_keys)
{
	struct noise_symmetric s = pending->state;
	struct key_public remote_ephemeral;
	struct key_shared key;
	uint8_t nothing[CRYPTO_TAG];
	bool ok = false;

	/* e */
	memcpy(remote_ephemeral.bytes, message->ephemeral, KEY_LEN);
	mix_ephemeral(&s, message->ephemeral);
	/* ee */
	if (!mix_dh(&s, &pending->ephemeral, &remote_ephemeral, &key))
		goto out;
	/* se */
	if (!mix_dh(&s, &local->secret, &remote_ephemeral, &key))
		goto out;
	/* psk */
	mix_psk(&s, psk, &key);
	/* {} */
	if (!open_field(&s, nothing, message->sealed_nothing, sizeof(message->sealed_nothing),
			&key))
		goto out;
	split(&s, &ret_keys->send, &ret_keys->receive);
	ok = true;
out:
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&s, sizeof(s));
	return ok;
}
